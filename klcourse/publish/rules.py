"""The rules every committed notebook obeys; `problems` lists the broken ones in words.

A committed notebook is read on GitHub, run on Binder and compared in reviews. So it carries its outputs, and
nothing in them that belongs to one machine or one moment.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

SIZE_LIMIT = 1_200_000  # bytes; GitHub stops rendering not far above
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

# What may not be seen in an output, and what to call it.
LEAKS = {
    "an absolute path": re.compile(
        r"(?<![\w.:/])/(?:home|Users|root|tmp|var|opt|mnt|work|private|usr|srv|workspaces?)/[\w.]"
        r"|\b[A-Z]:\\+\w|file:///"
    ),
    "a folder of an environment": re.compile(r"site-packages|dist-packages|\.venv\b"),
    "a date with a time": re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d"),
    "a memory address": re.compile(r"\bat 0x[0-9a-fA-F]{6,}"),
    "a progress bar": re.compile(r"\d+%\|"),
}
MUTE = re.compile(r"<img (?![^>]*\balt=[\"'][^\"'])")  # no alternative text, or an empty one
DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")


def problems(path: Path) -> list[str]:
    """Every rule the notebook file breaks, each with the number of the cell; empty when it is fine."""
    found = []
    if (size := path.stat().st_size) > SIZE_LIMIT:
        found.append(f"the file has {size} bytes; the limit is {SIZE_LIMIT}: use smaller or fewer figures")
    notebook = nbformat.read(path, as_version=4)
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        found.append(f"not a valid notebook: {error.message}")
    return found + _metadata(notebook) + _opening(notebook) + _parameters(notebook) + _cells(notebook)


def _metadata(notebook: NotebookNode) -> list[str]:
    found = []
    if dict(notebook.metadata.get("kernelspec", {})) != KERNELSPEC:
        found.append(f"the kernel is {dict(notebook.metadata.get('kernelspec', {}))}, not {KERNELSPEC}")
    if "version" in notebook.metadata.get("language_info", {}):
        found.append("language_info has a Python version: it changes with every machine")
    if "widgets" in notebook.metadata:
        found.append("stored widget state")
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        found.append("older than format 4.5: its cells have no ids")
    return found


def _opening(notebook: NotebookNode) -> list[str]:
    """The first cell: a title, then one sentence that says what the reader will be able to do."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        return ["the first cell is not markdown with a title (# ...)"]
    paragraphs = [part.strip() for part in first.source.split("\n\n")[1:] if part.strip()]
    if not paragraphs or paragraphs[0].startswith("#") or len(paragraphs[0]) > 400:
        return ["after the title there is no promise: one short paragraph of plain text"]
    return []


def _parameters(notebook: NotebookNode) -> list[str]:
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        return [f"{len(cells)} cells are tagged 'parameters'; there must be one"]
    if cells[0].cell_type != "code" or not re.search(r'^PROFILE = "quick"', cells[0].source, re.M):
        return ['the parameters cell does not say PROFILE = "quick"']
    return []


def _cells(notebook: NotebookNode) -> list[str]:
    found = []
    count = 0
    for number, cell in enumerate(notebook.cells):
        if "execution" in cell.metadata:
            found.append(f"cell {number}: metadata 'execution' holds times")
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            count += 1
            if cell.execution_count != count:
                found.append(
                    f"cell {number}: execution_count is {cell.execution_count}, not {count} (not executed, or not in order)"
                )
        for output in cell.outputs:
            found += [f"cell {number}: {text}" for text in _output(output)]
    return found


def _output(output: NotebookNode) -> list[str]:
    if output.output_type == "error":
        return [f"an error: {output.ename}: {output.evalue}"]
    if output.output_type == "stream":
        if output.name == "stderr":
            return [f"text on stderr: {output.text.strip()[:120]!r}"]
        return _leaks(output.text)
    found = ["a live widget view: nobody can see it without a kernel"] if WIDGET_VIEW in output.data else []
    described = "image/png" not in output.data or output.metadata.get("image/png", {}).get("alt")
    if not described or MUTE.search(output.data.get("text/html", "")):
        found.append("a picture without alternative text: show it with klcourse.plots.show")
    for mime, content in output.data.items():
        if mime.startswith("text/") or mime == "image/svg+xml":  # base64 pictures contain anything by chance
            found += _leaks(content)
    return found


def _leaks(text: str) -> list[str]:
    text = DATA_URI.sub("", text)
    return [f"{name} in an output: {match.group()!r}" for name, pattern in LEAKS.items() if (match := pattern.search(text))]
