"""Lecture mode: which cell starts a slide. One rule for all notebooks, and a hand that can overrule it.

The type of a cell is in its metadata, `slideshow.slide_type`, where JupyterLab, jupyterlab-slideshow and nbconvert
look for it:

    slide      a title or a section (## ...): one step to the right
    subslide   a part of a section (### ..., **Prediction**, ...), or as much as a screen takes: one step down
    fragment   shown at the next key: the result of what a **Prediction** has just asked
    -          stays on the screen with what is above it
    skip       not shown: settings, imports, whatever has no output; what a reader answers (tags exercise, predict, quiz)
    notes      for the speaker only: a cell that is nothing but a fold (a proof, a solution)

To overrule it, choose another Slide Type in JupyterLab (Property Inspector, the cogs at the top right). Beside the
type, `slideshow.rule` keeps what the rule said; where the two differ, a hand was there and the type stays. Choose
the rule's type again, and the rule is back in charge.
"""

from __future__ import annotations

import ast
import re
from math import ceil

from nbformat import NotebookNode

TYPES = ("slide", "subslide", "fragment", "-", "skip", "notes")
SCREEN = 14  # lines of text that a screen shows large enough for the back row
LINE = 85  # characters in such a line
PICTURE = 9  # lines that a figure or a table needs at least

ANCHOR = re.compile(r'^(?:<a (?:id|name)="[^"]*"></a>\s*)+')
ANSWERED = {"exercise", "predict", "quiz"}  # tags of cells that a reader, not a lecturer, fills in
FOLD = re.compile(r"<details.*?</details>", re.S)
PART = re.compile(r"###|\*\*(?:Prediction|What we see)")
ASKS = re.compile(r"^\*\*Prediction(?!.*^\*\*(?!Prediction))(?!.*^#)", re.M | re.S)  # and nothing new begins after it


def rule(notebook: NotebookNode, screen: float = SCREEN) -> list[str]:
    """The slide type of every cell, from the structure of the notebook and its outputs alone.

    screen   after how many lines a new subslide begins; decks.py, which measures instead, says never
    """
    types, lines, asked = [], 0, False  # lines on the screen so far; whether they end with a question
    for number, cell in enumerate(notebook.cells):
        kind = _kind(cell, number)
        if kind == "-" and lines:
            if asked and cell.get("outputs"):
                kind = "fragment"
            elif lines + _lines(cell) > screen:
                kind = "subslide"
        types.append(kind)
        if kind in ("skip", "notes"):
            continue
        lines = _lines(cell) + (lines if kind in ("-", "fragment") else 0)
        asked = bool(ASKS.search(cell.source)) if cell.cell_type == "markdown" else asked and not cell.outputs
    return types


def _kind(cell: NotebookNode, number: int) -> str:
    """The type a cell has by itself, `-` if that depends on what stands above it."""
    if ANSWERED & set(cell.metadata.get("tags", [])):
        return "skip"
    if cell.cell_type == "code":
        hidden = not cell.outputs and (not cell.source.strip() or cell.execution_count is not None)
        return "skip" if hidden and not defines(cell) else "-"
    text = ANCHOR.sub("", cell.source.strip())
    if number == 0 or text.startswith("## "):
        return "slide"
    if not FOLD.sub("", text).strip():
        return "notes"
    return "subslide" if PART.match(text) else "-"


def defines(cell: NotebookNode) -> bool:
    """Whether a code cell without output is there for what it defines, a class or a function: then its code is shown."""
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:  # %magic
        return False
    return any(isinstance(node, (ast.ClassDef, ast.FunctionDef)) for node in body)


def _lines(cell: NotebookNode) -> int:
    """How many lines a cell takes on a screen, roughly. Folds are closed, code is small print above its output."""
    if cell.cell_type == "markdown":
        text = FOLD.sub("fold", cell.source)
        return sum(ceil(len(line) / LINE) for line in text.splitlines())
    return sum(PICTURE if "data" in output else output.get("text", "").count("\n") for output in cell.outputs)


def assign(notebook: NotebookNode, screen: float = SCREEN) -> NotebookNode:
    """Write the types into the metadata, in place; a second call changes nothing, and a hand-set type stays.

    A notebook without any output is left alone: the rule has to see what a cell shows.
    """
    if not any(cell.get("outputs") for cell in notebook.cells):
        return notebook
    for cell, ruled in zip(notebook.cells, rule(notebook, screen), strict=True):
        slideshow = dict(cell.metadata.pop("slideshow", {}))
        kind = slideshow.pop("slide_type", "") or "-"
        if kind == slideshow.pop("rule", "-"):
            kind = ruled
        if kind != "-":  # JupyterLab, too, writes nothing for "-"
            slideshow["slide_type"] = kind
        if (kind, ruled) != ("-", "-"):
            slideshow["rule"] = ruled
        if slideshow:
            cell.metadata["slideshow"] = slideshow
    return notebook


def slide_type(cell: NotebookNode) -> str:
    """The type in a cell's metadata."""
    return cell.metadata.get("slideshow", {}).get("slide_type") or "-"
