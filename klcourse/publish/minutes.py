"""How long a notebook takes to read and do, section by section, by one stated rule: `python -m klcourse.publish.minutes`.

    180 words of text a minute; what is folded is not counted
    20 seconds a formula on a line of its own, 30 a figure or table, 3 a line of code
    1 minute a prediction, 4 an exercise, 8 one that asks for code, half a minute a question of the quiz

The command prints a table and brings the line **Minutes** in the first cell of every notebook up to date; a test compares
them. How long a notebook runs is written by hand, from `make test`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from klcourse.exercises.registry import exercise, page
from klcourse.publish.fill import CALL
from klcourse.system import print_anything

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WORDS = 180.0  # a minute
FORMULA, PICTURE, LINE = 20 / 60, 30 / 60, 3 / 60  # minutes each
PREDICTION, EXERCISE, CODE, QUESTION = 1.0, 4.0, 8.0, 0.5
FOLD = re.compile(r"<details.*?</details>", re.S)
DISPLAY = re.compile(r"\$\$.*?\$\$", re.S)
LINK = re.compile(r"\]\([^)]*\)")
LETTERS = re.compile(r"[^\W\d_]")
READING = re.compile(r"(?:about )?[\d½]+(?: minutes)? to read(?: and do)?(?: \(sections 1 to \d+: [\d, ]+\))?")


@dataclass
class Section:
    """A section of a notebook: its heading, and what there is to read and to do in it."""

    heading: str
    words: int = 0
    formulas: int = 0
    pictures: int = 0
    lines: int = 0
    predictions: int = 0
    exercises: int = 0
    codes: int = 0
    questions: int = 0

    @property
    def minutes(self) -> float:
        """The minutes of the rule above.

        >>> Section("1. Two joints", words=360, formulas=3, predictions=1).minutes
        4.0
        """
        reading = self.words / WORDS + self.formulas * FORMULA + self.pictures * PICTURE + self.lines * LINE
        doing = self.predictions * PREDICTION + self.exercises * EXERCISE + self.codes * CODE
        return reading + doing + self.questions * QUESTION

    def read(self, text: str) -> None:
        """Count a piece of Markdown."""
        text = FOLD.sub("", text)
        self.formulas += len(DISPLAY.findall(text))
        words = LINK.sub("]", DISPLAY.sub(" ", text)).split()
        self.words += sum(bool(LETTERS.search(word)) or "$" in word for word in words)


def sections(notebook: NotebookNode, number: int) -> list[Section]:
    """The sections of a notebook, the opening first; a heading of the second level begins one."""
    found = [Section("opening")]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            for part in re.split(r"^(?=## )", cell.source, flags=re.M):
                if heading := re.match(r"## (.*)", part):
                    found.append(Section(heading[1]))
                found[-1].read(part)
        elif "predict" in tags:
            found[-1].predictions += 1
        elif "quiz" in tags:
            found[-1].questions += len(page(number).QUIZ.questions)
        elif "exercise" in tags:
            for id in CALL.findall(cell.source):
                found[-1].codes += exercise(id).is_code
                found[-1].exercises += not exercise(id).is_code
        else:
            _count_code(cell, found[-1])
    return found


def _count_code(cell: NotebookNode, section: Section) -> None:
    hidden = cell.metadata.get("jupyter", {}).get("source_hidden")
    imports = "import " in cell.source and "plots.use_style()" in cell.source
    if not (hidden or imports or "parameters" in cell.metadata.get("tags", [])):
        section.lines += sum(bool(line.strip()) and not line.strip().startswith("#") for line in cell.source.splitlines())
    for output in cell.outputs:
        kinds = output.get("data", {})
        if "text/html" in kinds or "image/png" in kinds:
            section.pictures += 1
        elif "text/markdown" in kinds:
            section.read(kinds["text/markdown"])


def in_words(found: list[Section]) -> str:
    """What the first cell says of the reading: the whole to five minutes, and every section to one, if they are numbered.

    >>> in_words([Section("opening"), Section("1. A", words=900), Section("2. Exercises", codes=2), Section("Quiz")])
    'about 20 to read and do (sections 1 to 2: 5, 16)'
    """
    total = max(5, 5 * round(sum(section.minutes for section in found) / 5))
    numbers = {int(match[1]): section for section in found if (match := re.match(r"(\d+)\. ", section.heading))}
    text = f"about {total} to read and do"
    if len(numbers) < 2 or sorted(numbers) != list(range(1, len(numbers) + 1)):
        return text
    times = ", ".join(str(max(1, round(numbers[i].minutes))) for i in sorted(numbers))
    return f"{text} (sections 1 to {len(numbers)}: {times})"


def table(all: dict[str, list[Section]]) -> str:
    """One line a notebook: what is counted, and the minutes. `exercises` are those that ask for no code."""
    names = ("words", "formulas", "pictures", "lines", "predictions", "exercises", "codes", "questions")
    rows = [["notebook", *names, "minutes"]]
    for name, found in all.items():
        counts = [str(sum(getattr(section, field) for section in found)) for field in names]
        rows.append([name, *counts, f"{sum(section.minutes for section in found):.0f}"])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def read(path: Path) -> list[Section]:
    """The sections of a notebook file, whose name begins with its number."""
    return sections(nbformat.read(path, as_version=4), int(path.stem[:2]))


def main() -> int:
    """Bring the notebooks' first cells up to date, and print the table."""
    print_anything()
    all = {}
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        found = all[path.stem] = sections(notebook, int(path.stem[:2]))
        first = notebook.cells[0]
        changed = READING.sub(in_words(found), first.source, count=1)
        if changed != first.source:
            first.source = changed
            nbformat.write(notebook, path)
    print(table(all))
    return 0


if __name__ == "__main__":
    sys.exit(main())
