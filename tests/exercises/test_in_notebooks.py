"""The notebooks ask what the registry holds: stubs, folded solutions, predictions and their comparison, the quiz."""

import re

import nbformat
import pytest

from klcourse.exercises import registry
from klcourse.publish.fill import answer_cells, fill
from klcourse.publish.normalise import NOTEBOOKS

NUMBERS = [number for number in registry.files()]


def read(number: int) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{registry.files()[number][1:]}.ipynb", as_version=4)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_exercise_has_its_stub_and_its_folded_solution(number):
    notebook = read(number)
    found = answer_cells(notebook)
    assert [one.id for one, _ in found] == [one.id for one in registry.entries("EXERCISES", number)]
    for one, cell in found:
        assert cell.source == one.cell(), f"{one.id}: the cell and the registry differ"
        place = notebook.cells.index(cell)
        assert f"**{one.id}**" in notebook.cells[place - 1].source
        folded = notebook.cells[place + 1].source
        assert folded.startswith(f"<details><summary>Solution of {one.id}</summary>") and one.worked in folded


@pytest.mark.parametrize("number", NUMBERS)
def test_every_prediction_is_asked_for_once_and_compared_afterwards(number):
    ids = [guess.id for guess in registry.entries("GUESSES", number)]
    cells = [cell for cell in read(number).cells if cell.cell_type == "code"]
    asked = [cell for cell in cells if "predict" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in asked] == [f'predict("{id}")' for id in ids]
    code = "\n".join(cell.source for cell in cells)
    for id in ids:
        assert code.index(f'predict("{id}")') < code.index(f'compare("{id}"'), id
        assert code.count(f'compare("{id}"') == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_the_quiz_is_there_and_can_be_read_without_a_kernel(number):
    cell = next(cell for cell in read(number).cells if "quiz" in cell.metadata.get("tags", []))
    assert cell.source == f'quiz("{number}")'
    assert cell.outputs[0].data["text/html"].count("<details>") >= 10


@pytest.mark.parametrize("number", NUMBERS)
def test_stored_outputs_are_those_of_a_reader_who_has_done_nothing(number):
    for one, cell in answer_cells(read(number)):
        assert cell.outputs[0].data["text/plain"].startswith(f"{one.id} Not answered yet."), one.id
    text = nbformat.writes(read(number))
    assert "Yours:" not in text and "Kept:" not in text


def test_filling_in_puts_every_solution_in_place():
    notebook = fill(read(1))
    assert all(cell.source == one.cell(filled=True) for one, cell in answer_cells(notebook))


def test_a_stray_check_is_found():
    notebook = read(1)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source += '\nexercise("1.1").check(3)'
    with pytest.raises(ValueError, match="no other cell does"):
        answer_cells(notebook)


def test_no_line_of_the_readers_code_is_too_long():
    for number in NUMBERS:
        for one, cell in answer_cells(read(number)):
            assert all(len(line) <= 110 for line in cell.source.splitlines()), one.id
            assert not re.search(r"[^\x00-\x7f]", one.worked.split("#")[0]), f"{one.id}: code in plain letters"
