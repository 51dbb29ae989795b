"""What axe-core finds wrong with a page for those who hear it, use no mouse, or see little.

    python -m tests.browser.axe site                  every page of build/site, zh/ too (make site first)
    python -m tests.browser.axe decks 01_elbo         decks of build/slides (make slides first)
    python -m tests.browser.axe lab 07_the_constraint in JupyterLab, after Run All; only what the course puts there counts

Critical and serious findings count; moderate and minor ones are listed with --all. axe-core comes with the package
axe-playwright-python, one file, and is put into the page from this machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
COUNTED = ("critical", "serious")
# In JupyterLab: outputs and text of the notebook. The frame around them, its menus and editors, is JupyterLab's own.
OWN = [".jp-OutputArea-output", ".jp-MarkdownOutput"]
# And so is the box around an output, which scrolls where a table or formula is wide, and takes no focus.
FRAME = ("scrollable-region-focusable",)

RUN = """
async (own) => {
  const context = own.length ? {include: own.filter(s => document.querySelector(s)).map(s => [s])} : document;
  const found = (await axe.run(context, {resultTypes: ['violations']})).violations;
  return found.flatMap(rule => rule.nodes.map(node => [rule.id, node.impact || rule.impact, node.html.slice(0, 160)]));
}
"""


class Finding(NamedTuple):
    """One rule broken by one element: the rule's name, its impact, the beginning of the element."""

    rule: str
    impact: str
    element: str


def audit(page: Any, lab: bool = False, impacts: tuple[str, ...] = COUNTED) -> list[Finding]:
    """What axe-core finds on a page of Playwright's, of the given impacts; of JupyterLab only what is the course's own."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        raise ImportError("the Python package axe-playwright-python is missing: pip install -r requirements.txt")
    page.evaluate((Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    keep = lambda rule, impact: impact in impacts and not (lab and rule in FRAME)
    return [Finding(*row) for row in page.evaluate(RUN, OWN if lab else []) if keep(*row[:2])]


def cut_off(page: Any) -> None:
    """Let a page load files and nothing else."""
    page.route(
        "**/*", lambda route: route.continue_() if route.request.url.startswith(("file:", "data:")) else route.abort()
    )


def open_file(page: Any, path: Path, ready: str = "!window.MathJax || !!MathJax.startup?.promise") -> None:
    """Open a page of the site or a deck from its folder and wait until its formulas are set."""
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    page.wait_for_function(ready)
    page.evaluate("window.MathJax && MathJax.startup.promise")


def pages(kind: str, names: list[str]) -> Iterator[tuple[str, list[Finding]]]:
    """Name and findings, of all impacts, of every page of one kind."""
    from playwright.sync_api import sync_playwright

    from klcourse.publish import chromium
    from tests.browser.lab import Lab
    from tests.browser.notebook import Browser

    every = (*COUNTED, "moderate", "minor")
    with sync_playwright() as driver:
        chrome = chromium.launch(driver)
        if kind == "lab":
            with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
                browser = Browser(chrome.new_page(viewport={"width": 1440, "height": 900}), lab)
                for name in names:
                    notebook = browser.open(name)
                    notebook.run_all()
                    yield name, audit(notebook.page, True, every)
                    notebook.close()
            return
        folder = ROOT / "build" / {"site": "site", "decks": "slides"}[kind]
        for path in [folder / f"{name}.html" for name in names] or sorted(
            [*folder.glob("*.html"), *folder.glob("zh/*.html")]
        ):
            for scheme in ("light", "dark") if kind == "site" else ("light",):
                page = chrome.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
                page.set_default_timeout(180_000)
                cut_off(page)
                if kind == "decks":
                    open_file(page, path, "document.body.matches('.ready')")
                else:
                    open_file(page, path)
                yield f"{path.relative_to(folder).with_suffix('')}, {scheme}", audit(page, False, every)
                page.close()


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if there is a critical or serious finding."""
    parser = argparse.ArgumentParser(description="Accessibility of the course's pages, measured by axe-core.")
    parser.add_argument("kind", choices=("site", "decks", "lab"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="for example 01_elbo; needed for lab, default: all")
    parser.add_argument("--all", action="store_true", help="list moderate and minor findings too")
    options = parser.parse_intermixed_args(arguments)
    if options.kind == "lab" and not options.names:
        parser.error("which notebooks? python -m tests.browser.axe lab 07_the_constraint")
    bad = 0
    print(f"{'page':<36}" + "".join(f"{impact:>10}" for impact in (*COUNTED, "moderate", "minor")))
    for name, findings in pages(options.kind, options.names):
        counts = [sum(finding.impact == impact for finding in findings) for impact in (*COUNTED, "moderate", "minor")]
        bad += sum(counts[:2])
        print(f"{name:<36}" + "".join(f"{count:>10}" for count in counts), flush=True)
        for rule in dict.fromkeys(finding.rule for finding in findings if options.all or finding.impact in COUNTED):
            same = [finding for finding in findings if finding.rule == rule]
            print(f"    {rule} ({same[0].impact}), {len(same)} times: {same[0].element}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
