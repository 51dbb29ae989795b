"""Bets on the article's claims: placed in notebook 00, scored in the verdict."""

from __future__ import annotations

from html import escape
from types import ModuleType
from typing import Any

from . import diary
from .page import Card, show_live


def _ledger() -> ModuleType:
    """The ledger, which takes seconds to import: only for whoever bets."""
    from klcourse import ledger

    return ledger


def bet(claim: str, verdict: str | int) -> Card:
    """Bet on one claim: "holds", "holds if" or "fails as written", or 1, 2, 3. Never raises for what is not there.

    >>> bet("A0", "who knows")
    'who knows' is no verdict: bet 'holds', 'holds if', 'fails as written', or 1, 2, 3.
    """
    ids = [one.id for one in _ledger().CLAIMS]
    if claim not in ids:
        return Card("bad", f"There is no claim {claim!r}: they are {', '.join(ids)}.")
    if verdict in (1, 2, 3):
        verdict = _ledger().VERDICTS[int(verdict) - 1]
    if verdict not in _ledger().VERDICTS:
        return Card("bad", f"{verdict!r} is no verdict: bet {', '.join(map(repr, _ledger().VERDICTS))}, or 1, 2, 3.")
    diary.keep("bets", claim, verdict)
    return Card("good", f'{claim}: your bet is "{verdict}".', diary.news())


def bets() -> dict[str, str]:
    """The bets placed so far: claim -> verdict."""
    kept = diary.read()["bets"]
    return {one.id: kept[one.id] for one in _ledger().CLAIMS if kept.get(one.id) in _ledger().VERDICTS}


def score_bets() -> Card:
    """Every bet beside the verdict computed now, claim by claim, and how many were right."""
    mine = bets()
    if not mine:
        return Card("open", "You have placed no bets.", ('They can be placed in notebook 00, or by bet("A0", "holds").',))
    found = {id: _ledger().finding(id).verdict for id in mine}
    rows = [(id, mine[id], found[id], "yes" if mine[id] == found[id] else "no") for id in mine]
    right = sum(mine[id] == found[id] for id in mine)
    head = f"{right} of {len(mine)} bets were right; {len(_ledger().CLAIMS)} claims could be bet on."
    return Card("open", head, table=[("claim", "your bet", "verdict", "right"), *rows])


class BettingSlip:
    """All claims, each with a drop-down list; without a kernel, a table of what the article says."""

    def __repr__(self) -> str:
        lines = [f"{one.id}: {one.words}" for one in _ledger().CLAIMS]
        return "\n".join([*lines, 'Bet with bet("A0", "holds").'])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{one.id}</th><td>{one.words}</td>"
            f"<td><a href='{one.notebook}'>{one.notebook[:2]}</a></td></tr>"
            for one in _ledger().CLAIMS
        )
        return f"<table aria-label='The claims'><tr><th>#</th><th>the article says</th><th>notebook</th></tr>{rows}</table>"

    def box(self) -> Any:
        """The live slip, an ipywidgets box: a choice is kept at once."""
        import ipywidgets as ipw

        mine, said = bets(), ipw.HTML("Space opens a list, the arrow keys choose, Enter keeps the bet.")
        rows = []

        def placed(change: dict[str, Any], id: str) -> None:
            if change["new"] in _ledger().VERDICTS:
                card = bet(id, change["new"])
                text = " ".join((card.head, *card.text, f"{len(bets())} of {len(_ledger().CLAIMS)} placed."))
                said.value = f"<span role='status'>{escape(text)}</span>"

        for one in _ledger().CLAIMS:
            choice = ipw.Dropdown(
                options=["no bet", *_ledger().VERDICTS],
                value=mine.get(one.id, "no bet"),
                description=one.id,
                tooltip=f"your bet on {one.id}",
                layout={"width": "16em", "flex": "0 0 auto"},
                style={"description_width": "3.2em"},
            )
            choice.observe(lambda change, id=one.id: placed(change, id), names="value")
            words = ipw.HTML(f"<span>{one.words}</span>", layout={"flex": "1 1 20em"})
            rows.append(ipw.Box([choice, words], layout={"flex_flow": "row wrap", "width": "100%"}))
        return ipw.VBox([*rows, said], layout={"overflow": "visible"}).add_class("kle-bets")

    def _ipython_display_(self) -> None:
        show_live(self.box(), self._repr_html_(), repr(self))


def betting_slip() -> BettingSlip:
    """The slip to place bets on."""
    return BettingSlip()
