"""Through the course's notebooks in a browser, for the scripts that measure and photograph its widgets.

Not for pytest: `visit` starts a server and a browser, runs every notebook that has widgets, and yields it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from klcourse.publish import chromium
from tests.browser.lab import NOTEBOOKS, Lab
from tests.browser.notebook import Browser, Notebook

SIZES = {"1440x900": (1440, 900), "1280x720": (1280, 720)}


def with_widgets(names: Sequence[str] = ()) -> list[str]:
    """The notebooks that use klcourse.widgets, or those of them that are named."""
    using = [path.stem for path in NOTEBOOKS if "klcourse.widgets" in path.read_text(encoding="utf-8")]
    if unknown := sorted(set(names) - set(using)):
        raise SystemExit(f"no widgets in {', '.join(unknown)}; there are some in: {', '.join(using)}")
    return list(names) or using


@contextmanager
def jupyterlab(size: tuple[int, int] = SIZES["1440x900"]) -> Iterator[Browser]:
    """JupyterLab in a browser window of a size; SystemExit says what is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("the Python package playwright is missing: pip install -r requirements.txt") from None
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as driver:
        try:
            chrome = chromium.launch(driver)
        except FileNotFoundError as error:
            raise SystemExit(str(error)) from None
        try:
            yield Browser(chrome.new_page(viewport={"width": size[0], "height": size[1]}), lab)
        finally:
            chrome.close()


def visit(browser: Browser, names: Sequence[str]) -> Iterator[tuple[str, Notebook]]:
    """Each notebook after Run All; it is closed when the next one is asked for."""
    for name in names:
        notebook = browser.open(name)
        notebook.run_all()
        if problems := notebook.problems:
            print(f"{name}: " + "; ".join(problems))
        yield name, notebook
        notebook.close()
