"""What pages need to work without a network: files of installed packages, copied beside them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

REVEAL = {
    "revealjs/dist/reveal.js": "reveal/reveal.js",
    "revealjs/dist/reveal.css": "reveal/reveal.css",
    "revealjs/dist/plugin/notes.js": "reveal/notes.js",
    "revealjs/LICENSE": "reveal/LICENSE",
}
MATHJAX = {
    "static/mathjax/es5/tex-svg-full.js": "mathjax/tex-svg-full.js",
    "static/mathjax/LICENSE": "mathjax/LICENSE",
}


def copy_from(module: str, files: Mapping[str, str], folder: Path) -> None:
    """Copy files of an installed module into a folder, under new names; ImportError if the module is missing.

    files   place below the module's folder -> place below `folder`
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(f"the Python module {module} is missing: pip install -r requirements.txt")
    for source, target in files.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(spec.origin).parent / source, folder / target)
