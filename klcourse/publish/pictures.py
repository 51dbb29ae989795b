"""Give stored figures the form they have when a notebook is run today, without running it.

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

from klcourse.picture import picture

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def convert(notebook: NotebookNode) -> int:
    """Turn PNG outputs that have an alternative text into HTML images, in place; how many there were.

    ValueError names the cell of a picture that has none: only the author can say what it shows.
    """
    count = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" not in output.get("data", {}):
                continue
            about = output.metadata.pop("image/png", {})
            if not about.get("alt"):
                raise ValueError(f"cell {cell.get('id')} shows a picture without alternative text: use klcourse.plots.show")
            png = base64.b64decode(output.data.pop("image/png"))
            size = (about["width"], about["height"]) if "width" in about else None
            output.data = NotebookNode({"text/html": picture(png, about["alt"], size), "text/plain": about["alt"]})
            count += 1
    return count


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if a notebook is not known or a picture has no alternative text."""
    parser = argparse.ArgumentParser(description="Give stored figures their alternative text where pages look for it.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="for example 01_elbo; default: all")
    names = parser.parse_args(arguments).names
    for path in [NOTEBOOKS / f"{Path(name).stem}.ipynb" for name in names] or sorted(NOTEBOOKS.glob("*.ipynb")):
        try:
            notebook = nbformat.read(path, as_version=4)
            count = convert(notebook)
        except (FileNotFoundError, ValueError) as error:
            print(f"{path.stem}: {error}")
            return 1
        if count:
            nbformat.write(notebook, path)
        print(f"{path.stem}: {count} pictures changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
