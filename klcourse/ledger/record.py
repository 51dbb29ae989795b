"""What a ledger entry is made of, and the one rule that turns computed cases into a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

VERDICTS = ("holds", "holds if", "fails as written")


@dataclass(frozen=True)
class Case:
    """One exactly solved instance of a claim: does the stated reading apply, and is the claim true?"""

    premise: bool
    true: bool


def judge(cases: Iterable[Case]) -> str:
    """True on all cases: 'holds'; true wherever the reading applies: 'holds if'; else 'fails as written'.

    >>> judge([Case(True, True), Case(False, False)])
    'holds if'
    """
    cases = list(cases)
    if not cases:
        raise ValueError("no cases: a verdict needs at least one computed instance")
    if all(case.true for case in cases):
        return "holds"
    inside = [case for case in cases if case.premise]
    return "holds if" if inside and all(case.true for case in inside) else "fails as written"


@dataclass(frozen=True)
class Finding:
    """The outcome of a check: its cases, the numbers worth showing, and whether the rescue reading works."""

    cases: tuple[Case, ...]
    evidence: dict[str, float] = field(default_factory=dict)
    rescued: bool | None = None

    @property
    def verdict(self) -> str:
        """Computed from the cases."""
        return judge(self.cases)


@dataclass(frozen=True)
class Claim:
    """One sentence of the article and the computation that judges it.

    `reading` is the premise of the cases: what 'holds if' refers to, or, for a claim that fails, the
    article's own terms under which it was tried. `rescue` changes the claim until it is true;
    `Finding.rescued` says if it is.
    """

    id: str
    words: str  # the article's, in English
    where: str  # section and equation
    check: Callable[[], Finding]
    reading: str
    reason: str
    notebook: str  # file#anchor
    test: str  # pytest node id that settles it independently
    rescue: str = ""
