"""The course's ledger: every claim of the article, judged by computation.

>>> from klcourse import ledger
>>> ledger.claim("A9").check().verdict
'fails as written'
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TypedDict

from klcourse.ledger.claims import CLAIMS
from klcourse.ledger.record import VERDICTS, Case, Claim, Finding, judge

__all__ = [
    "CLAIMS",
    "VERDICTS",
    "Case",
    "Claim",
    "Finding",
    "Row",
    "claim",
    "finding",
    "judge",
    "table",
    "to_html",
    "to_markdown",
]


def claim(id: str) -> Claim:
    """One claim by its number. ValueError for a number that is not there.

    >>> claim("A16").where
    'The algorithm analysed, and Supplement 3'
    """
    for entry in CLAIMS:
        if entry.id == id:
            return entry
    raise ValueError(f"no claim {id!r}: choose one of {', '.join(entry.id for entry in CLAIMS)}")


@cache
def finding(id: str) -> Finding:
    """The computed outcome of a claim, kept for the session (all of them take a few seconds).

    >>> found = finding("A0")
    >>> found.verdict, found.rescued
    ('fails as written', True)
    """
    return claim(id).check()


class Row(TypedDict):
    """One claim as a row of the ledger, judged: what the article says, where, the verdict, and what it rests on."""

    id: str
    claim: str
    where: str
    verdict: str
    reading: str
    reason: str
    rescue: str
    rescued: bool | None
    evidence: dict[str, float]
    notebook: str
    test: str


def table(*ids: str) -> list[Row]:
    """The ledger as rows, all claims or those named; verdict and evidence are computed now, not stored.

    A claim in parts answers to its number too. ValueError for a number that is not there.

    >>> [(row["id"], row["verdict"]) for row in table("A0", "A15")]
    [('A0', 'fails as written'), ('A15a', 'holds if'), ('A15b', 'fails as written')]
    """
    rows: list[Row] = []
    for entry in [part for id in ids for part in _parts(id)] if ids else CLAIMS:
        found = finding(entry.id)
        rows.append(
            {
                "id": entry.id,
                "claim": entry.words,
                "where": entry.where,
                "verdict": found.verdict,
                "reading": entry.reading,
                "reason": entry.reason,
                "rescue": entry.rescue,
                "rescued": found.rescued,
                "evidence": dict(found.evidence),
                "notebook": entry.notebook,
                "test": entry.test,
            }
        )
    return rows


def _parts(id: str) -> list[Claim]:
    return [entry for entry in CLAIMS if entry.id[:-1] == id and entry.id[-1] in "abc"] or [claim(id)]


def _verdict(row: Row) -> str:
    text = f"{row['verdict']} {row['reading']}" if row["verdict"] == "holds if" else str(row["verdict"])
    return text + (f"; rescued: {row['rescue']}" if row["rescued"] and row["rescue"] else "")


def to_markdown(*ids: str) -> str:
    """The ledger as a Markdown table: number, claim, verdict, reason, where it is treated.

    >>> print(to_markdown("A16").splitlines()[0])
    | # | the article says | verdict | why | notebook |
    """
    lines = ["| # | the article says | verdict | why | notebook |", "|---|---|---|---|---|"]
    for row in table(*ids):
        cells = (row["id"], row["claim"], f"**{_verdict(row)}**", row["reason"], row["notebook"])
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def to_html(*ids: str) -> str:
    """The ledger as an HTML table with the evidence folded in; the verdict is a word, never only a colour.

    >>> to_html("A9").startswith('<table aria-label="Claims ledger">')
    True
    """
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("#", "the article says", "verdict", "why and evidence"))
    body = []
    for row in table(*ids):
        numbers = "".join(f"<li>{escape(name)}: {value:.4g}</li>" for name, value in row["evidence"].items())
        where = f"<br><small>{escape(str(row['where']))}</small>"
        link = f'<a href="{escape(str(row["notebook"]))}">{escape(str(row["notebook"]))}</a>'
        body.append(
            f"<tr><th scope='row'>{row['id']}</th><td>{escape(str(row['claim']))}{where}</td>"
            f"<td><b>{escape(_verdict(row))}</b></td><td>{escape(str(row['reason']))}"
            f"<details><summary>evidence</summary><ul>{numbers}</ul>{link}<br>"
            f"<code>{escape(str(row['test']))}</code></details></td></tr>"
        )
    return f'<table aria-label="Claims ledger"><tr>{head}</tr>{"".join(body)}</table>'
