"""Lecture mode: decks from a file with no network, and live slides in JupyterLab with a slider that works."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from klcourse.publish.decks import build, copy_assets
from klcourse.publish.rules import KERNELSPEC
from tests.browser.lab import EVERYTHING, NOTEBOOKS
from tests.limits import limit

# Too much on a page, in pixels: what hangs out of it at the bottom or to the right. Slides lie on top of each other, hidden.
OVERFLOW = """() => [...document.querySelectorAll(".page")].map(page => {
  const parts = [page.parentElement, page.parentElement.parentElement];
  const before = parts.map(part => part.getAttribute("style"));
  parts.forEach(part => { part.hidden = false; part.style.display = "block" });
  const over = [page.scrollHeight - page.clientHeight, page.scrollWidth - page.clientWidth, page.offsetHeight];
  parts.forEach((part, i) => part.setAttribute("style", before[i] ?? ""));
  return over;
})"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """A folder with the decks of all notebooks."""
    folder = tmp_path_factory.mktemp("decks")
    copy_assets(folder / "assets")
    for path in NOTEBOOKS:
        build(path, folder)
    return folder


@pytest.fixture
def projector(chrome):
    """A page of a projector's size that reaches no network; `failures` lists what it asked for in vain."""
    context = chrome.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    page.failures = []
    page.route("http*://**", lambda route: route.abort())
    page.on("requestfailed", lambda request: page.failures.append(request.url))
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.failures.append(message.text))
    yield page
    context.close()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_deck_works_offline_and_every_page_fits(decks, projector, path):
    projector.goto((decks / f"{path.stem}.html").as_uri())
    projector.wait_for_selector("body.ready", timeout=limit(60_000))
    assert projector.failures == []

    sizes = projector.evaluate(OVERFLOW)
    assert len(sizes) >= 5
    assert [number for number, (down, right, height) in enumerate(sizes, 1) if down > 1 or right > 1 or height > 620] == []
    assert projector.locator(".page", has_text="$").filter(has_text="\\").count() == 0, "mathematics left as typed"
    if "$" in nbformat.read(path, as_version=4).cells[0].source:
        assert projector.locator(".page mjx-container svg").first.evaluate("svg => svg.getBoundingClientRect().width > 5")
    assert projector.locator("mjx-merror, [data-mjx-error]").count() == 0


@pytest.mark.parametrize("path", NOTEBOOKS if EVERYTHING else NOTEBOOKS[:1], ids=lambda path: path.stem)
def test_the_space_key_leads_through_every_page(decks, projector, path):
    projector.goto((decks / f"{path.stem}.html").as_uri())
    projector.wait_for_selector("body.ready", timeout=limit(60_000))
    pages = projector.locator(".page").count()
    seen = set()
    for _ in range(4 * pages):  # fragments take a key of their own
        seen.add(projector.evaluate("() => document.querySelector('section.present > .page').innerText"))
        if projector.evaluate("() => Reveal.isLastSlide()"):
            break
        projector.keyboard.press("Space")
    assert projector.evaluate("() => Reveal.isLastSlide()") and len(seen) >= 0.9 * pages
    projector.keyboard.press("ArrowLeft")
    assert not projector.evaluate("() => Reveal.isLastSlide()")


LIVE = [
    (new_markdown_cell, "# Live slides", "slide"),
    (new_code_cell, 'from klcourse.widgets import ElboGap\nPROFILE = "quick"', "skip"),
    (new_markdown_cell, "## A widget", "slide"),
    (new_code_cell, "ElboGap()", None),
    (new_markdown_cell, "## The end", "slide"),
]


@pytest.fixture
def live(browser, lab):
    """A small notebook with slides, run, and presented by jupyterlab-slideshow."""
    cells = [make(source, metadata={"slideshow": {"slide_type": kind}} if kind else {}) for make, source, kind in LIVE]
    made = new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)})
    nbformat.write(made, lab.notebooks / "live.ipynb")
    notebook = browser.open("live")
    notebook.run_all()
    notebook.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0 }")
    yield notebook
    notebook.page.evaluate("() => jupyterapp.commands.execute('deck:stop')")
    notebook.close()


def test_live_slides_in_jupyterlab_have_a_slider_that_works(live):
    page = live.page
    assert live.problems == []
    page.locator(
        ".jp-NotebookPanel-toolbar [data-jp-item-name='deck'] jp-button, "
        ".jp-NotebookPanel-toolbar [data-jp-item-name='deck'] button"
    ).first.click()
    page.get_by_role("heading", name="Live slides").wait_for()
    heading = page.get_by_role("heading", name="A widget")
    assert not heading.is_visible()
    page.keyboard.press("ArrowRight")
    heading.wait_for()
    assert not page.get_by_role("heading", name="Live slides").is_visible()

    widget = live.widget("elbo-gap")
    for control in widget.controls:
        if control.kind == "slider" and control.enabled:
            assert control.move(), control
    assert heading.is_visible(), "the arrow keys of a slider do not turn the page"
