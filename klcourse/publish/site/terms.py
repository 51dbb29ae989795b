"""The glossary and the pages know each other: a term's first use on a page leads to it, its row leads back to the uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

GLOSSARY = "GLOSSARY.html"
ROW = re.compile(r"^\| (?P<names>[^|]+?) \| (?P<rest>[^|]*\|.*?) \|$", re.M)
# Where a term is not linked: code, formulas, links, whole <a> and <summary> elements, other tags, headings.
CLOSED = re.compile(
    r"(```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|<(a|summary)\b.*?</\2>|<[^>]*>|^#{1,6} .*?$)",
    re.S | re.M,
)


class Words(NamedTuple):
    """What the glossary calls its section of terms and their column, and how it says where a term is used."""

    heading: str = "Terms"
    column: str = "term"
    used: str = "Used in {}."
    comma: str = ", "
    entry: str = "{}"


ENGLISH = Words()


def names_of(entry: str) -> list[str]:
    """The names a glossary entry can be linked by: without formulas and without lists behind a colon.

    >>> names_of("self-labelling, SLVAE"), names_of("regimes: inactive, held"), names_of("KL annealing, linear or cyclical")
    (['self-labelling', 'SLVAE'], ['regimes'], ['KL annealing'])
    """
    parts = entry.split(":")[0].split(", ")
    return [part.strip() for part in parts if part.strip() and "$" not in part and " or " not in part]


def key_of(entry: str) -> str:
    """What the anchors of an entry are called.

    >>> key_of("Kullback–Leibler divergence, KL")
    'kullback-leibler-divergence'
    """
    return re.sub(r"\W+", "-", names_of(entry)[0].lower() if names_of(entry) else entry.lower()).strip("-")


def entries(glossary: str, words: Words = ENGLISH) -> list[str]:
    """The first column of the tables under "Terms" of the glossary, or what that is in another language.

    >>> entries("## Terms\\n\\n| term | 中文 | meaning |\\n|---|---|---|\\n| nat | 奈特 | a unit |\\n\\n## Next")
    ['nat']
    """
    return [match["names"] for match in rows(glossary, words)]


def rows(glossary: str, words: Words = ENGLISH) -> list[re.Match]:
    """The rows of those tables: groups `names` and `rest`."""
    return [match for match in ROW.finditer(_terms(glossary, words)) if match["names"] not in (words.column, "---")]


def _terms(glossary: str, words: Words = ENGLISH) -> str:
    return f"\n{glossary}".partition(f"\n## {words.heading}\n")[2].partition("\n## ")[0]


class Linker:
    """Links the first use of each term on one page; `used` collects the keys of those it found.

    keys    name -> key;  closed: where no name is linked

    >>> linker = Linker({"mutual information": "mutual-information", "nat": "nat"})
    >>> linker.link("A nat of `mutual information`.")
    'A <a class="term" id="use-nat" href="GLOSSARY.html#term-nat">nat</a> of `mutual information`.'
    >>> linker.link("Two nats."), linker.used
    ('Two nats.', ['nat'])
    """

    def __init__(self, keys: Mapping[str, str], closed: re.Pattern = CLOSED) -> None:
        self.closed = closed
        self.keys = {name.lower(): key for name, key in keys.items()}
        longest_first = sorted(keys, key=len, reverse=True)
        # A name in capitals (KL, ELBO) is meant as it stands; a word may begin a sentence and have a plural.
        patterns = [re.escape(name) if name.isupper() else f"(?i:{re.escape(name)}s?)" for name in longest_first]
        self.names = (
            re.compile(rf"(?<![A-Za-z0-9_/-])(?:{'|'.join(patterns)})(?![A-Za-z0-9_-])") if patterns else re.compile(r"(?!)")
        )
        self.used: list[str] = []

    def link(self, markdown: str) -> str:
        """The text of a cell with its links."""
        parts, at = [], 0
        for closed in self.closed.finditer(markdown):
            parts += [self.names.sub(self._first, markdown[at : closed.start()]), closed.group()]
            at = closed.end()
        return "".join(parts) + self.names.sub(self._first, markdown[at:])

    def _first(self, match: re.Match) -> str:
        text = match.group()
        key = self.keys.get(text.lower()) or self.keys[text.lower().removesuffix("s")]
        if key in self.used:
            return text
        self.used.append(key)
        return f'<a class="term" id="use-{key}" href="{GLOSSARY}#term-{key}">{text}</a>'


def linker(glossary: str) -> Linker:
    """A linker for one page, with all terms of the glossary."""
    return Linker({name: key_of(entry) for entry in entries(glossary) for name in names_of(entry)})


def with_backlinks(glossary: str, uses: Mapping[str, list[str]], words: Words = ENGLISH) -> str:
    """The glossary with an anchor on every term and, behind its meaning, the pages that use it.

    uses   page, for example 03_kl_vanishing -> keys of the terms it uses
    """

    def row(match: re.Match) -> str:
        entry = match["names"]
        if entry not in known:
            return match.group()
        key = key_of(entry)
        pages = [page for page, keys in sorted(uses.items()) if key in keys]
        links = words.comma.join(f'<a href="{page}.html#use-{key}">{page[:2]}</a>' for page in pages)
        back = f' <span class="uses">{words.used.format(links)}</span>' if links else ""
        return f'| <a id="term-{key}"></a>{words.entry.format(entry)} | {match["rest"]}{back} |'

    known = set(entries(glossary, words))
    part = _terms(glossary, words)
    return glossary.replace(part, ROW.sub(row, part)) if part else glossary
