"""Pictures to look at: every widget in JupyterLab, and slides, at two sizes of screen.

    python -m tests.browser.screenshots FOLDER [NOTEBOOK ...]

writes FOLDER/1440x900/NOTEBOOK_widget.png and FOLDER/1280x720/..., each of what a reader sees: the whole window, with the
widget's first line at the top; live_*.png, the first widget of each notebook on a live slide; and slide_*.png, pages of
a deck with a title, mathematics, a table and a figure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from klcourse.publish.chromium import launch
from tests.browser import walk
from tests.browser.notebook import Notebook

sys.path.append(str(Path(__file__).parents[1] / "notebooks"))  # decks

SLIDES = "01_elbo"


def widgets(folder: Path, names: list[str]) -> None:
    """Photograph every widget of the notebooks, one run of each for both sizes."""
    with walk.jupyterlab() as browser:
        for name, notebook in walk.visit(browser, walk.with_widgets(names)):
            for size, (width, height) in walk.SIZES.items():
                browser.page.set_viewport_size({"width": width, "height": height})
                for number, widget in enumerate(notebook.widgets):
                    widget.show()
                    path = folder / size / f"{name}_{number}_{widget.name}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    browser.page.screenshot(path=path)
                    box, figure = widget.box.bounding_box(), widget.figure.bounding_box()
                    print(
                        f"{path}  widget {box['width']:.0f} x {box['height']:.0f}, figure {figure['width']:.0f} x "
                        f"{figure['height']:.0f}"
                    )
                live(notebook, folder / size / f"live_{name}.png")


def live(notebook: Notebook, path: Path) -> None:
    """Photograph the live slide that the notebook's first widget is on."""
    widget = notebook.widgets[0]
    widget.box.evaluate(
        "box => { const notebook = jupyterapp.shell.currentWidget.content;"
        " notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.node.contains(box));"
        " return jupyterapp.commands.execute('deck:start') }"
    )
    widget.figure.wait_for()
    # attached, not visible: the body itself has no height on a live slide
    notebook.page.locator("body[data-jp-deck-mode='presenting']").wait_for(state="attached")
    notebook.page.screenshot(path=path)
    notebook.page.evaluate("() => jupyterapp.commands.execute('deck:stop')")
    print(path)


def slides(folder: Path) -> None:
    """Photograph the first slides of a deck that have mathematics, a table and a figure."""
    from playwright.sync_api import sync_playwright

    from klcourse.publish.decks import build, copy_assets
    from klcourse.publish.normalise import find

    with tempfile.TemporaryDirectory() as out, sync_playwright() as driver:
        copy_assets(Path(out) / "assets")
        deck = build(find([SLIDES])[0], Path(out))
        chrome = launch(driver)
        for size, (width, height) in walk.SIZES.items():
            page = chrome.new_page(viewport={"width": width, "height": height})
            page.goto(deck.as_uri())
            page.wait_for_selector("body.ready")
            for selector in ("h1", "mjx-container[display]", "table", "img"):
                page.evaluate(
                    "selector => { const slide = document.querySelector(`.page ${selector}`).closest('section');"
                    " const at = Reveal.getIndices(slide); Reveal.slide(at.h, at.v, 99) }",
                    selector,
                )
                path = folder / size / f"slide_{selector.partition('-')[0]}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=path, animations="disabled")
                print(path)
        chrome.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Photograph every widget and some slides at two sizes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="default: all that have widgets")
    options = parser.parse_args()
    slides(options.folder)
    widgets(options.folder, options.names)


if __name__ == "__main__":
    main()
