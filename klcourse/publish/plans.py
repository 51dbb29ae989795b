"""Lectures across notebooks: a plan names pages, minutes and what to ask; `make slides PLAN=90` builds its deck.

    python -m klcourse.publish.plans          bring the tables of TEACHING.md up to date

A plan is a TOML file beside this module. A page has a title, a text of its own and cells whose stored outputs it shows,
written NOTEBOOK#CELL-ID; what the speaker asks, what one often hears and the cell that cures it become speaker notes, with
the clock. A short version of the lecture takes the pages that have minutes for it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from klcourse.publish.normalise import NOTEBOOKS

FOLDER = Path(__file__).parent / "plans"
LECTURE = FOLDER / "lecture.toml"
TEACHING = NOTEBOOKS.parent / "TEACHING.md"
MADE = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.S)


class PlanError(ValueError):
    """A plan that cannot be used, and what to change."""


@dataclass(frozen=True)
class Page:
    """One page of a lecture; `minutes` in the whole lecture, `short` in the short one, 0 if it is left out there."""

    title: str
    minutes: int
    text: str = ""
    show: tuple[str, ...] = ()
    short: int = 0
    ask: str = ""
    wrong: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Plan:
    """A lecture: its title, a sentence about it, its pages."""

    title: str
    about: str
    pages: tuple[Page, ...]

    @property
    def minutes(self) -> int:
        """How long it takes."""
        return sum(page.minutes for page in self.pages)

    def shortened(self) -> Plan:
        """The pages that have minutes in the short lecture, with these minutes."""
        pages = tuple(Page(**{**vars(page), "minutes": page.short}) for page in self.pages if page.short)
        return Plan(self.title, self.about, pages)


def read_plan(path: Path = LECTURE) -> Plan:
    """A plan from its file. Raises PlanError for a key that is not known, a page without title or minutes, a missing cell.

    >>> plan = read_plan()
    >>> plan.minutes > 80, plan.shortened().minutes < 50
    (True, True)
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(Page)}
    pages = []
    for number, entry in enumerate(table.get("page", []), 1):
        if unknown := set(entry) - known:
            raise PlanError(
                f"{path.name}, page {number}: {sorted(unknown)[0]} is not known: choose from {', '.join(sorted(known))}"
            )
        if not entry.get("title") or not entry.get("minutes", 0) > 0:
            raise PlanError(f"{path.name}, page {number}: a page needs a title and minutes above 0")
        page = Page(**{**entry, "show": tuple(entry.get("show", ()))})
        for name in (*page.show, *filter(None, [page.cure])):
            cell(name)
        pages.append(page)
    if not pages:
        raise PlanError(f"{path.name} has no [[page]]")
    return Plan(table.get("title", path.stem), table.get("about", ""), tuple(pages))


@cache
def _cells(notebook: str) -> dict[str, NotebookNode]:
    path = NOTEBOOKS / f"{notebook}.ipynb"
    if not path.exists():
        raise PlanError(f"there is no notebook {notebook}")
    return {each.id: each for each in nbformat.read(path, as_version=4).cells}


def cell(name: str) -> NotebookNode:
    """The cell called NOTEBOOK#ID. Raises PlanError if there is none."""
    notebook, _, number = name.partition("#")
    found = _cells(notebook).get(number)
    if found is None:
        raise PlanError(f"{name}: no such cell; a plan names NOTEBOOK#CELL-ID")
    return found


def notes(page: Page, begins: int) -> str:
    """What the speaker sees: the clock, what to ask, what one often hears, and where to go on."""
    lines = [f"**Minute {begins} to {begins + page.minutes}.**"]
    lines += [f"Ask: {page.ask}"] if page.ask else []
    lines += [f"Often heard: {page.wrong}"] if page.wrong else []
    lines += [f"What cures it: {page.cure.replace('#', ', cell ')}"] if page.cure else []
    lines += [f"From {', '.join(name.replace('#', ', cell ') for name in page.show)}."] if page.show else []
    return "\n\n".join(lines)


def shown(name: str) -> NotebookNode:
    """A copy of a cell as a page shows it: figures and tables with their captions, no printed lines, code hidden."""
    copy = nbformat.from_dict(cell(name))
    rich = [output for output in copy.outputs if "data" in output]
    copy.outputs = rich or copy.outputs
    copy.metadata = NotebookNode(transient={"remove_source": True})
    copy.id = name.replace("#", "-")[:64]
    return copy


def deck(plan: Plan) -> NotebookNode:
    """The lecture as a notebook with slide types, ready for the deck builder."""

    def typed(node: NotebookNode, kind: str) -> NotebookNode:
        node.metadata["slideshow"] = {"slide_type": kind, "rule": "plan"}
        return node

    cells = [typed(new_markdown_cell(f"# {plan.title}\n\n{plan.about}."), "slide")]
    clock = 0
    for page in plan.pages:
        cells.append(typed(new_markdown_cell(f"## {page.title}\n\n{page.text.strip()}"), "slide"))
        cells += [typed(shown(name), "-") for name in page.show]
        cells.append(typed(new_markdown_cell(notes(page, clock)), "notes"))
        clock += page.minutes
    return new_notebook(cells=cells)


def link(name: str) -> str:
    """A link to the notebook of a cell, for a page at the top of the repository."""
    return f"[{name[:2]}](notebooks/{name.partition('#')[0]}.ipynb)"


def to_markdown(plan: Plan) -> str:
    """The plan as a table for TEACHING.md: minute, page, what is shown, what to ask."""
    rows, clock = ["| minute | page | from | ask |", "|---|---|---|---|"], 0
    for page in plan.pages:
        rows.append(f"| {clock} | {page.title} | {', '.join(map(link, page.show))} | {page.ask} |")
        clock += page.minutes
    return "\n".join(rows)


def misconceptions(plan: Plan) -> str:
    """What one often hears, with the cell that cures it, as a table for TEACHING.md."""
    rows = [f"| {p.wrong} | {link(p.cure)}, cell `{p.cure.partition('#')[2]}` |" for p in plan.pages if p.wrong]
    return "\n".join(["| often heard | what cures it |", "|---|---|", *rows])


def up_to_date(text: str) -> str:
    """TEACHING.md with the parts between its marks, <!-- lecture -->, <!-- short -->, <!-- heard -->, made anew."""
    plan = read_plan()
    made = {"lecture": to_markdown(plan), "short": to_markdown(plan.shortened()), "heard": misconceptions(plan)}
    return MADE.sub(lambda found: f"{found[1]}{made[found[2]]}\n{found[3]}", text)


if __name__ == "__main__":
    TEACHING.write_text(up_to_date(TEACHING.read_text(encoding="utf-8")), encoding="utf-8")
