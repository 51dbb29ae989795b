"""Give stored figures and tables the form they have when a notebook is run today, without running it.

    python -m klcourse.publish.pictures                 every notebook
    python -m klcourse.publish.pictures 07_the_constraint

A figure used to be a PNG output with its alternative text in the metadata, which no page reads; now it is an HTML image
(klcourse/picture.py). The picture itself stays as it is, byte for byte. A second call changes nothing.
"""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from klcourse.picture import picture, without_empty_heads

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def convert(notebook: NotebookNode) -> int:
    """Turn PNG outputs that have an alternative text into HTML images, in place; how many outputs were changed.

    One that has none stays: only its author can say what it shows, and rules.py asks for it. Empty corners of tables, too,
    become what they are in a notebook that is run today.
    """
    count = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "<th></th>" in output.get("data", {}).get("text/html", ""):
                output.data["text/html"] = without_empty_heads(output.data["text/html"])
                count += 1
            about = output.get("metadata", {}).get("image/png", {})
            if "image/png" not in output.get("data", {}) or not about.get("alt"):
                continue
            del output.metadata["image/png"]
            png = base64.b64decode(output.data.pop("image/png"))
            size = (about["width"], about["height"]) if "width" in about else None
            output.data = NotebookNode({"text/html": picture(png, about["alt"], size), "text/plain": about["alt"]})
            count += 1
    return count


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if a notebook is not known."""
    parser = argparse.ArgumentParser(description="Give stored figures their alternative text where pages look for it.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="for example 01_elbo; default: all")
    names = parser.parse_args(arguments).names
    for path in [NOTEBOOKS / f"{Path(name).stem}.ipynb" for name in names] or sorted(NOTEBOOKS.glob("*.ipynb")):
        try:
            notebook = nbformat.read(path, as_version=4)
            count = convert(notebook)
        except FileNotFoundError as error:
            print(error)
            return 1
        if count:
            nbformat.write(notebook, path)
        print(f"{path.stem}: {count} outputs changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
