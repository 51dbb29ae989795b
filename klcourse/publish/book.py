"""The whole course as one PDF: `make pdf` builds the site, joins its pages, and prints them to build/klcourse.pdf.

Proofs, answers and solutions are unfolded, for nobody can unfold paper; the code of cells that the site hides stays hidden.
Links between pages become links within the file. Needs Chromium, and a few minutes.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from klcourse.system import print_anything

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
OUT = ROOT / "build" / "klcourse.pdf"
ARTICLE = re.compile(r"<article\b[^>]*>(.*?)</article>", re.S)
HEAD = re.compile(r"<head>(.*?)</head>", re.S)
PERMALINK = re.compile(r'<a class="headerlink"[^>]*>.*?</a>', re.S)
STYLE = """
<style>
@page { size: A4; margin: 18mm 16mm 20mm; }
html { font-size: 12.5px; }
body { background: white; }
article { break-before: page; }
article:first-of-type { break-before: auto; }
h1, h2, h3 { break-after: avoid; }
img, svg, pre, tr { break-inside: avoid; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; }
.copybtn, .moves, .toggle-hint { display: none; }
</style>
"""
FOOTER = (
    '<div style="width: 100%; text-align: center; font-size: 8px"><span class="pageNumber"></span> / '
    '<span class="totalPages"></span></div>'
)


def within(html: str, page: str, pages: set[str]) -> str:
    """The inside of one page with names that are its own, and links to other pages as links to their names.

    >>> within('<p id="A7"></p><a href="#A7">x</a> <a href="06_b.html#A9">y</a> <a href="06_b.html">z</a>', "05_a", {"06_b"})
    '<p id="05_a--A7"></p><a href="#05_a--A7">x</a> <a href="#06_b--A9">y</a> <a href="#06_b--">z</a>'
    """

    def link(match: re.Match) -> str:
        target, anchor = match[1] or page, match[2] or ""
        return f'href="#{target}--{anchor}"' if target in pages | {page} else match[0]

    html = re.sub(r'\bid="([^"]+)"', lambda match: f'id="{page}--{match[1]}"', html)
    html = re.sub(r'href="(?:(\w+)\.html)?(?:#([^"]*))?"', link, html)
    return html.replace('loading="lazy"', "")


def unfolded(html: str) -> str:
    """What is folded, opened; but for the code that the site hides.

    >>> unfolded('<details><summary>Proof</summary></details><details class="hide above-input"></details>')
    '<details open><summary>Proof</summary></details><details class="hide above-input"></details>'
    """
    return re.sub(r"<details>", "<details open>", html)


def join(site: Path, names: list[str]) -> str:
    """One HTML page of these pages of the site, in this order. Raises FileNotFoundError for a page that is not there."""
    pages = {name: (site / f"{name}.html").read_text(encoding="utf-8") for name in names}
    known = set(pages)
    parts = []
    for name, text in pages.items():
        found = ARTICLE.search(text)
        if found is None:
            raise ValueError(f"{name}.html has no article: is it a page of the site?")
        inside = unfolded(within(PERMALINK.sub("", found[1]), name, known))
        parts.append(f'<article id="{name}--">{inside}</article>')
    head = HEAD.search(next(iter(pages.values())))
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>{head[1] if head else ""}{STYLE}</head>'
        f"<body>{''.join(parts)}</body></html>"
    )


def order(site: Path) -> list[str]:
    """The pages of a site as the book has them: front page, self-test, notebooks, cheat sheet, glossary.

    The explorers, which move, are left out.
    """
    notebooks = sorted(path.stem for path in site.glob("[0-9][0-9]_*.html"))
    names = ["index", "PREREQUISITES", *notebooks, "CHEATSHEET", "GLOSSARY"]
    return [name for name in names if (site / f"{name}.html").exists()]


def print_pdf(browser: Any, page: Path, out: Path) -> None:
    """Let a browser of Playwright's print a page, once its formulas are set."""
    tab = browser.new_page()
    tab.set_default_timeout(600_000)
    tab.goto(page.as_uri(), wait_until="load")
    tab.evaluate("MathJax.startup ? MathJax.startup.promise.then(() => true) : true")
    tab.evaluate("Promise.all([...document.images].map(image => image.decode().catch(() => null)))")
    tab.pdf(
        path=str(out), prefer_css_page_size=True, print_background=True, outline=True, tagged=True,
        display_header_footer=True, header_template="<span></span>", footer_template=FOOTER,
    )  # fmt: skip
    tab.close()


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 where there is no site, or no browser."""
    print_anything()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=SITE, help="folder of the site")
    parser.add_argument("--out", type=Path, default=OUT, help="the PDF file")
    options = parser.parse_args(arguments)
    if not (options.site / "index.html").exists():
        print(f"there is no site in {options.site}: make site", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    from klcourse.publish import chromium

    joined = options.site / "_book.html"
    try:
        joined.write_text(join(options.site, order(options.site)), encoding="utf-8")
        with sync_playwright() as driver:
            browser = chromium.launch(driver)
            print_pdf(browser, joined, options.out)
            browser.close()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        joined.unlink(missing_ok=True)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
