"""Answer cells of a notebook: their stubs, and the same notebook with every solution filled in."""

from __future__ import annotations

from nbformat import NotebookNode

from klcourse.exercises.exercise import Exercise
from klcourse.exercises.hand_in import CALL
from klcourse.exercises.registry import exercise


def answer_cells(notebook: NotebookNode) -> list[tuple[Exercise, NotebookNode]]:
    """The exercises of a notebook and the cells they are answered in, tagged `exercise`. ValueError for stray ones."""
    found = []
    for cell in notebook.cells:
        calls = CALL.findall(cell.source) if cell.cell_type == "code" else []
        if ("exercise" in cell.metadata.get("tags", [])) != bool(calls) or len(calls) > 1:
            raise ValueError(f"cell {cell.get('id')}: a cell tagged 'exercise' checks one exercise, and no other cell does")
        found += [(exercise(id), cell) for id in calls]
    return found


def fill(notebook: NotebookNode) -> NotebookNode:
    """Put the solution in place of every stub, in place."""
    for one, cell in answer_cells(notebook):
        cell.source = one.cell(filled=True)
    return notebook
