"""Lecture mode: the rule that gives every cell its slide type, the hand that overrules it, and what goes into a deck."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse.publish.decks import prepare
from klcourse.publish.normalise import NOTEBOOKS
from klcourse.publish.slides import SCREEN, TYPES, assign, rule, slide_type

FIGURE = new_output("display_data", data={"image/png": "AA==", "text/plain": "<Figure>"})
PRINTED = new_output("stream", text="0.3 nats\n")


def notebook(*cells):
    """Cells by their source; a pair is a code cell with its outputs."""

    def make(cell):
        if isinstance(cell, str):
            return new_markdown_cell(cell)
        return new_code_cell(cell[0], outputs=list(cell[1:]), execution_count=1)

    return new_notebook(cells=[make(cell) for cell in cells])


@pytest.mark.parametrize(
    "cells, types",
    [
        (["# Title", ('PROFILE = "quick"',), ("import numpy",)], ["slide", "skip", "skip"]),
        (["# Title", "## One", "text", ("plot()", FIGURE)], ["slide", "slide", "-", "-"]),
        (["# Title", '<a id="A3"></a>\n\n## One', "### Part"], ["slide", "slide", "subslide"]),
        (["# Title", "<details><summary>Proof</summary>long</details>"], ["slide", "notes"]),
        (["# Title", "see\n\n<details><summary>Proof</summary>long</details>"], ["slide", "-"]),
        (["# Title", ("class Mine:\n    pass",), ("print(Mine)", PRINTED)], ["slide", "-", "-"]),
        (["# Title", "**Prediction.** Which?", ("plot()", FIGURE)], ["slide", "subslide", "fragment"]),
        (["# Title", "## One\n\ntext\n\n**Prediction** Which?", ("plot()", FIGURE)], ["slide", "slide", "fragment"]),
        (["# Title", "**Prediction.** Which?\n\n## Two", ("plot()", FIGURE)], ["slide", "subslide", "-"]),
        (["# Title", "**Prediction.**", ("def f():\n    pass",), ("f()", FIGURE)], ["slide", "subslide", "-", "fragment"]),
        (["# Title", "line\n" * SCREEN, "one more"], ["slide", "subslide", "subslide"]),
    ],
)
def test_rule(cells, types):
    assert rule(notebook(*cells)) == types


def types_of(made):
    return [slide_type(cell) for cell in made.cells]


def test_assign_writes_once_and_follows_the_structure():
    made = notebook("# Title", "text", ("plot()", FIGURE))
    first = nbformat.writes(assign(made))
    assert types_of(made) == ["slide", "-", "-"]
    assert nbformat.writes(assign(made)) == first
    made.cells[1].source = "## Section"
    assert types_of(assign(made)) == ["slide", "slide", "-"]


def test_a_type_set_by_hand_stays_until_the_rule_is_chosen_again():
    made = assign(notebook("# Title", "text", ("plot()", FIGURE)))
    made.cells[1].metadata["slideshow"] = {"slide_type": "skip"}  # what JupyterLab's Property Inspector writes
    del made.cells[0].metadata.slideshow["slide_type"]  # and for "-"
    for _ in range(2):
        assert types_of(assign(made)) == ["-", "skip", "-"]
    made.cells[1].source = "## Section"
    assert types_of(assign(made))[1] == "skip"
    made.cells[1].metadata.slideshow.slide_type = "slide"
    made.cells[1].source = assign(made).cells[1].source.replace("##", "###")
    assert types_of(assign(made))[1] == "subslide"


def test_a_type_older_than_the_rule_counts_as_set_by_hand():
    made = notebook("# Title", "text", ("plot()", FIGURE))
    made.cells[1].metadata["slideshow"] = {"slide_type": "fragment"}
    assert types_of(assign(assign(made)))[1] == "fragment"


def test_what_a_reader_answers_is_not_on_a_slide_and_does_not_come_between():
    made = notebook("# Title", "**Prediction.** Which?", ("predict()", FIGURE), ("plot()", FIGURE))
    made.cells[2].metadata["tags"] = ["predict"]
    assert rule(made) == ["slide", "subslide", "skip", "fragment"]


def test_without_outputs_nothing_is_decided():
    made = assign(notebook("# Title", ("plot()",)))
    assert not any("slideshow" in cell.metadata for cell in made.cells)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_committed_slide_types_are_up_to_date(path):
    made = nbformat.read(path, as_version=4)
    before = [dict(cell.metadata.get("slideshow", {})) for cell in made.cells]
    assign(made)
    after = [cell.metadata.get("slideshow", {}) for cell in made.cells]
    assert after == before, "make slides writes the types into the notebooks"
    assert set(types_of(made)) <= set(TYPES)
    assert types_of(made).count("slide") >= 3


def test_a_deck_links_to_decks_and_hides_code():
    made = notebook(
        "# Title\n\n[next](03_kl_vanishing.ipynb#A0) and [out](https://example.org/a.ipynb)",
        ("show()", new_output("display_data", data={"text/html": '<a href="04_payoff_matrices.ipynb#A3">A3</a>'})),
        ("def f():\n    pass",),
        ("show()", FIGURE),
    )
    made.cells[3].metadata["tags"] = ["slide-code"]
    prepare(made)
    assert "[next](03_kl_vanishing.html)" in made.cells[0].source
    assert "https://example.org/a.ipynb" in made.cells[0].source
    assert made.cells[1].outputs[0].data["text/html"] == '<a href="04_payoff_matrices.html">A3</a>'
    assert [cell.metadata.transient.remove_source for cell in made.cells[1:]] == [True, False, False]
    prepare(made, code=True)
    assert not any(cell.metadata.transient.remove_source for cell in made.cells[1:])
