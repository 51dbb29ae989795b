"""How long a section takes: the rule counts what it says, and every notebook says what the rule gives."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse.publish import minutes
from klcourse.publish.normalise import NOTEBOOKS

LABELS = ("You need", "Minutes", "You will be able to", "Ledger")  # the last if it fits


def test_what_is_counted():
    picture = new_output("display_data", {"text/html": "<img>"})
    cells = [
        new_markdown_cell("# A page\n\nsix words stand above, $x$ one"),
        new_markdown_cell("## 1. A\n\ntwo words\n\n$$a=b$$\n\n<details><summary>Proof</summary>no</details>\n\n## 2. B"),
        new_code_cell('predict("1.1")', metadata={"tags": ["predict"]}),
        new_code_cell("# a comment\na = 1\n\nb = 2", outputs=[picture]),
        new_code_cell('exercise("1.2").check(answer)', metadata={"tags": ["exercise"]}),
        new_code_cell('quiz("1")', metadata={"tags": ["quiz"]}),
    ]
    opening, one, two = minutes.sections(new_notebook(cells=cells), 1)
    assert (opening.heading, opening.words) == ("opening", 8)
    assert (one.heading, one.words, one.formulas) == ("1. A", 3, 1)
    assert (two.predictions, two.lines, two.pictures, two.codes + two.exercises, two.questions) == (1, 2, 1, 1, 5)
    assert two.minutes == pytest.approx(1 / 180 + 1 + 2 / 20 + 0.5 + (8 if two.codes else 4) + 2.5)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_says_its_minutes(path):

    notebook = nbformat.read(path, as_version=4)
    says = minutes.in_words(minutes.sections(notebook, int(path.stem[:2])))
    paragraphs = notebook.cells[0].source.split("\n\n")[2:]
    labels = [match[1] for part in paragraphs if (match := re.match(r"\*\*([^*]+)\*\*", part))]
    assert labels in (list(LABELS), list(LABELS[:-1]))
    assert f", {says}" in notebook.cells[0].source, f"python -m klcourse.publish.minutes: {says}"
