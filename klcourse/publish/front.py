"""The pictures of README.md, taken out of the stored outputs of the notebooks: `python -m klcourse.publish.front`.

GitHub shows no picture that is written into a page, so these are files; a test compares them with the notebooks.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
IMAGES = NOTEBOOKS / "images"
# name of the picture -> notebook and cell it is in
FROM = {
    "collapse": ("00_start_here", "cell-06"),
    "converged": ("12_text", "converged-figure"),
    "cockpit": ("12_text", "beee5576"),
}
PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')


def stored_picture(notebook: str, cell: str) -> bytes:
    """The PNG file in a cell's stored output. Raises LookupError if there is no such cell, or no picture in it."""
    cells = nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    for each in cells:
        for output in each.get("outputs", []) if each.id == cell else []:
            if found := PICTURE.search(output.get("data", {}).get("text/html", "")):
                return base64.b64decode(found[1])
    raise LookupError(f"no picture in cell {cell} of {notebook}: run the notebook, or name another cell")


def main() -> None:
    """Write all pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name, (notebook, cell) in FROM.items():
        path = IMAGES / f"{name}.png"
        path.write_bytes(stored_picture(notebook, cell))
        print(f"{path.relative_to(NOTEBOOKS.parent)}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
