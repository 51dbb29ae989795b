"""Does every link of the finished site lead somewhere? Pages, files and anchors inside the folder; the web is not asked.

python -m klcourse.publish.site.links build/site
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LEADS = {("a", "href"), ("link", "href"), ("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src")}
LOADS = LEADS - {("a", "href")}


class Page(HTMLParser):
    """What a page offers and asks for: `anchors`, `links`, and in `loaded` those among them that it needs to be shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element: its anchor and where it leads."""
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value or "")
            elif (tag, name) in LEADS and value:
                self.links.append(value)
                if (tag, name) in LOADS and dict(attrs).get("rel") not in ("canonical", "prev", "next", "search", "index"):
                    self.loaded.append(value)


class Report(NamedTuple):
    """Numbers of pages and of links looked at; broken ones and files from the network, each as `page: link`."""

    pages: int
    links: int
    broken: list[str]
    from_the_network: list[str]


def check(folder: Path) -> Report:
    """Look at every page of a site; NotADirectoryError if there is none."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: build the site with make site")
    paths = [path.resolve() for path in sorted(folder.rglob("*.html")) if "_static" not in path.relative_to(folder).parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    count, broken = 0, []
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            count += 1
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            anchor = unquote(target.fragment)
            if not file.is_file() or anchor and file in pages and anchor not in pages[file].anchors | {"top"}:
                broken.append(f"{path.name}: {link}")
    outside = [f"{path.name}: {link}" for path, page in pages.items() for link in page.loaded if urlsplit(link).netloc]
    return Report(len(pages), count, broken, outside)


def main(arguments: list[str]) -> int:
    """Command line; 1 if a link is broken or a page loads something from the network."""
    report = check(Path(arguments[0] if arguments else "build/site"))
    print(f"{report.pages} pages, {report.links} links inside the site, {len(report.broken)} broken")
    print("\n".join([*report.broken, *(f"from the network, {text}" for text in report.from_the_network)]))
    return int(bool(report.broken or report.from_the_network))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
