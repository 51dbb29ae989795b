"""Slide decks that work with no network: `make slides` writes build/slides/NAME.html and a folder assets/ beside them.

    python -m klcourse.publish.decks                     every notebook
    python -m klcourse.publish.decks 01_elbo --code      this one, with the code of its cells
    python -m klcourse.publish.decks --plan 90           a lecture of 90 minutes across the notebooks; 45 for the short one

A deck shows what the notebook shows: its text, stored figures and tables, with the slide types of slides.py, which are
brought up to date in the notebooks. Code is left out, except with --code, under a tag `slide-code` on its cell, and where
there is no output to show instead. Everything a deck loads is copied out of two installed packages: reveal.js (MIT
licence) and MathJax (Apache licence).
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from math import inf
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode

from klcourse.publish import plans
from klcourse.publish.assets import MATHJAX, REVEAL, copy_from
from klcourse.publish.normalise import find
from klcourse.publish.pictures import convert
from klcourse.publish.slides import assign
from klcourse.system import print_anything

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "build" / "slides"
NOTEBOOK_LINK = re.compile(r"\]\((\w+)\.ipynb(?:#[^)\s]*)?\)|href=(['\"])(\w+)\.ipynb(?:#[^'\"]*)?\2")


def copy_assets(folder: Path) -> None:
    """Put reveal.js, MathJax and the two files of our own into a folder; ImportError names a missing package."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_from("pyreveal", REVEAL, folder)
    copy_from("mathjax", MATHJAX, folder)
    for name in ("deck.css", "deck.js"):
        shutil.copyfile(HERE / "deck" / name, folder / name)


def prepare(notebook: NotebookNode, code: bool = False) -> NotebookNode:
    """A notebook as it goes into a deck, changed in place: types, hidden code, figures with their text, links to decks."""
    convert(notebook)
    assign(notebook, screen=inf)  # deck.js turns the page when it is full
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = NOTEBOOK_LINK.sub(_deck_link, cell.source)
        else:
            shown = code or "slide-code" in cell.metadata.get("tags", []) or not cell.outputs
            cell.metadata["transient"] = {"remove_source": not shown}
            for output in cell.outputs:
                for kind in {"text/html", "text/markdown"} & set(output.get("data", {})):
                    output.data[kind] = NOTEBOOK_LINK.sub(_deck_link, output.data[kind])
    return notebook


def _deck_link(match: re.Match) -> str:
    markdown, quote, html = match.groups()
    return f"]({markdown}.html)" if markdown else f"href={quote}{html}.html{quote}"


def write_types(path: Path) -> None:
    """Bring the slide types in a notebook file up to date; a file that has them already is not touched."""
    notebook = nbformat.read(path, as_version=4)
    before = nbformat.writes(notebook)
    if nbformat.writes(assign(notebook)) != before:
        nbformat.write(notebook, path)


def build(path: Path, out: Path = OUT, code: bool = False) -> Path:
    """Write the deck of one notebook into a folder that has its assets/; the deck's path."""
    return write(nbformat.read(path, as_version=4), path.stem, out, code)


def write(notebook: NotebookNode, name: str, out: Path = OUT, code: bool = False) -> Path:
    """The same for a notebook in memory, as NAME.html."""
    exporter = SlidesExporter(
        template_name="deck",
        extra_template_basedirs=[str(HERE)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    body, _ = exporter.from_notebook_node(prepare(notebook, code), {"metadata": {"name": name}})
    deck = out / f"{name}.html"
    out.mkdir(parents=True, exist_ok=True)
    deck.write_text(body, encoding="utf-8")
    return deck


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if a notebook is not known or a package is missing."""
    print_anything()
    parser = argparse.ArgumentParser(description="Build reveal.js decks that need no network.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="for example 01_elbo; default: all")
    parser.add_argument("--code", action="store_true", help="show the code of every cell")
    parser.add_argument("--plan", type=int, choices=(45, 90), help="a lecture of so many minutes, from all notebooks")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the decks")
    options = parser.parse_args(arguments)
    try:
        paths = find(options.names)
        copy_assets(options.out / "assets")
    except (FileNotFoundError, ImportError) as error:
        print(error)
        return 1
    if options.plan:
        lecture = plans.read_plan() if options.plan == 90 else plans.read_plan().shortened()
        print(write(plans.deck(lecture), f"lecture_{options.plan}", options.out))
        paths = []
    for path in paths:
        write_types(path)
        print(build(path, options.out, options.code))
    print("Open one in a browser. Arrow keys turn pages, Esc shows all of them, S opens the speaker's view.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
