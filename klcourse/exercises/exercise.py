"""One exercise: its check, its two hints, its solution."""

from __future__ import annotations

import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from . import diary
from .answers import NotYet, Unusable, close, in_words
from .judges import Judge, Values
from .page import Card, show

ROWS = 4  # of the table that a check shows at most

_ids: defaultdict[str, set[str]] = defaultdict(set)  # notebook -> its exercises; they are all made in one module


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer and the sentence that names what went wrong."""

    example: Any
    says: str


@dataclass(frozen=True, repr=False)
class Verdict(Card):
    """What a check says. `passed` is True for a right answer; `status` is "right", "open", "mistake", "other" or "error"."""

    status: str = "open"

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.status == "right"


@dataclass(frozen=True)
class Exercise:
    """An exercise of a notebook. Its question stands in the notebook; `asks` is what it wants, in a few words.

    id          "5.2": notebook and number
    stub        the code in the notebook's cell, to be changed; it defines `name` and runs as it is
    judge       how an answer is judged
    worked      the solution: code that defines `name`; it may use what `setup` and the notebook have defined
    mistakes    typical wrong answers, each with its sentence
    hints       two: where to look, then how to begin
    setup       code that makes what the solution uses, for whoever has not the notebook (the tests)
    lends       the page goes on with the answer, so that a wrong one is replaced by the solution: `use`, not `check`
    told        whether `solution` shows it; the student edition turns that off, and leaves out what it can of `worked`
    """

    id: str
    asks: str
    stub: str
    judge: Judge
    worked: str
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, str]
    name: str = "answer"
    setup: str = ""
    lends: bool = False
    told: bool = True
    _given: list[int] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        _ids[self.id.split(".")[0]].add(self.id)

    @property
    def is_code(self) -> bool:
        """Whether it asks for a function or a class to be written, not for a number."""
        return self.stub.startswith(("class", "def"))

    def cell(self, filled: bool = False) -> str:
        """The source of the notebook's answer cell, with the stub or with the solution."""
        call = f'exercise("{self.id}")'
        last = f"{self.name} = {call}.use({self.name})" if self.lends else f"{call}.check({self.name})"
        code = self.worked if filled else self.stub
        return f"{code}\n\n{last}" if code.startswith(("class", "def")) else f"{code}\n{last}"

    def check(self, answer: Any) -> Verdict:
        """Judge an answer. Never raises for an answer, whatever it is or does; a right one is kept in the diary."""
        rows: list[list[str]] = []
        try:
            found, wanted = self.judge.measure(answer), self.judge.wanted()
            status, text = self._judged(found, wanted)
            rows = _table(found, wanted, self.judge.tolerance)
        except NotYet:
            status, text = "open", f"Replace the ... by your answer ({self.judge.takes}) and run the cell again."
        except Unusable as error:
            status, text = "other", str(error)
        except (Exception, SystemExit) as error:  # the reader's code may do anything
            status, text = "error", f"Your code stopped with {type(error).__name__}: {error}{_line_of(error)}."
        if status == "right":
            diary.keep("solved", self.id, True)
        word = {"right": "Right.", "open": "Not answered yet."}.get(status, "Not yet.")
        edge = {"right": "good", "open": "open"}.get(status, "bad")
        return Verdict(edge, f"{self.id} {word}", tuple(filter(None, (text, *_closing(self, status)))), rows, status=status)

    def _judged(self, found: Values, wanted: Values) -> tuple[str, str]:
        tolerance = self.judge.tolerance
        if all(close(found[name], value, tolerance) for name, value in wanted.items()):
            return "right", ""
        for mistake in self.mistakes:
            wrong = self.judge.measure(mistake.example)
            if all(close(found[name], value, tolerance) for name, value in wrong.items()):
                return "mistake", mistake.says
        name = next(name for name, value in wanted.items() if not close(found[name], value, tolerance))
        if found[name].shape != wanted[name].shape:
            return "other", f"The shape is {found[name].shape}, and should be {wanted[name].shape} ({name})."
        if not (abs(found[name]) < float("inf")).all():
            return "other", "There is an infinity, or something that is not a number: look for log 0 and for 0/0."
        return "other", f"It differs from what was expected by more than {tolerance:g}."

    def use(self, answer: Any) -> Any:
        """Check an answer, show the verdict, and give back what works: the answer, or the solution in its place."""
        verdict = self.check(answer)
        if verdict.passed:
            show(verdict)
            return answer
        says = f"So that the page can go on, the solution stands in for {self.name} until yours passes."
        show(Verdict(verdict.edge, verdict.head, (*verdict.text, says), verdict.table, status=verdict.status))
        return self.solve()

    def solve(self, namespace: dict[str, Any] | None = None) -> Any:
        """Run `setup` and the solution; what the solution defines."""
        names: dict[str, Any] = {"__name__": "solution"} if namespace is None else namespace
        exec(compile(f"{self.setup}\n{self.worked}", f"<solution of {self.id}>", "exec"), names)
        return names[self.name]

    def hint(self, number: int | None = None) -> Card:
        """A hint: the first one, at the next call the second; or the one with this number."""
        number = min(len(self._given) + 1, 2) if number is None else number
        if number not in (1, 2):
            raise ValueError(f"exercise {self.id} has no hint {number}: ask for hint 1 or 2")
        self._given.append(number)
        more = f'exercise("{self.id}").' + ("hint() once more gives the second." if number == 1 else "solution() is next.")
        shown = (self.hints[number - 1], more) if number == 1 or self.told else (self.hints[number - 1],)
        return Card("open", f"{self.id} Hint {number} of 2", shown)

    def solution(self) -> Card:
        """The solution as code; a sentence in its place in the student edition."""
        if not self.told:
            return Card("open", f"{self.id} No solution here", ("This edition comes without them: ask whoever teaches.",))
        return Card("open", f"{self.id} A solution", (self.asks,), code=self.worked)


def count(number: int | str) -> tuple[int, int]:
    """How many exercises of a notebook are solved, and how many there are; its module must have been loaded."""
    ids, solved = _ids[str(number)], diary.read()["solved"]
    return len(ids & solved.keys()), len(ids)


def _closing(one: Exercise, status: str) -> list[str]:
    """The progress line, where help is to be had, and news of the diary."""
    done, all = count(one.id.split(".")[0])
    lines = [f"{done} of {all} in this notebook."]
    if status != "right":
        lines[0] += f' Help: exercise("{one.id}").hint(){", then .solution()" if one.told else ""}.'
    return [*lines, *diary.news()]


def _table(found: Values, wanted: Values, tolerance: float) -> list[list[str]]:
    """Yours beside what was expected: what differs first, a few rows."""
    names = sorted(wanted, key=lambda name: close(found[name], wanted[name], tolerance))[:ROWS]
    return [["", "yours", "expected"], *([name, in_words(found[name]), in_words(wanted[name])] for name in names)]


def _line_of(error: BaseException) -> str:
    """Where in the reader's own code it happened, in words; empty if that is not known."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipykernel" in frame.filename]
    return f" (line {frames[-1].lineno} of your cell)" if frames else ""
