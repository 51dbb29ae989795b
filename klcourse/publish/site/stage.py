"""From the notebooks to a folder of pages that Sphinx can read; nothing is executed."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from klcourse.publish.assets import MATHJAX, copy_from
from klcourse.publish.explorers.page import EXPLORERS, FILES
from klcourse.publish.explorers.page import HERE as SCRIPTS
from klcourse.publish.pictures import convert
from klcourse.publish.site import chinese, po
from klcourse.publish.site.chinese import opening
from klcourse.publish.site.terms import Linker, linker, with_backlinks

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NOTEBOOKS = ROOT / "notebooks"
PAGE_LINK = re.compile(r"(\]\(|href=[\"'])(\w+)\.(?:ipynb|md)(?=[#)\"'])")
CHINESE = re.compile(r"[\u4e00-\u9fff][\u3000-\u303f\u4e00-\u9fff]*")
PICTURE = re.compile(r'(<img [^>]*?)src="data:image/png;base64,([A-Za-z0-9+/=\s]+)"')


def page_links(text: str) -> str:
    """Links to notebooks and to the glossary, in Markdown or HTML, as links to their pages.

    >>> page_links("[A10](07_the_constraint.ipynb#A10), [words](GLOSSARY.md), <a href='01_elbo.ipynb'>01</a>")
    "[A10](07_the_constraint.html#A10), [words](GLOSSARY.html), <a href='01_elbo.html'>01</a>"
    """
    return PAGE_LINK.sub(r"\1\2.html", text)


def prepare(
    notebook: NotebookNode, name: str, static: Path, links: Linker, lead: Callable[[str], str] = page_links
) -> NotebookNode:
    """A notebook as its page has it, changed in place; figures become files in `static`/figures.

    lead    what links to other pages become
    """
    convert(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = links.link(lead(cell.source))
            continue
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
        for number, output in enumerate(cell.get("outputs", [])):
            for kind in {"text/html", "text/markdown"} & set(output.get("data", {})):
                output.data[kind] = lead(output.data[kind])
            if "text/html" in output.get("data", {}):
                output.data["text/html"] += explorer_link(cell.source)
                file = f"figures/{name}-{cell.id}-{number}.png"
                output.data["text/html"] = _as_file(output.data["text/html"], static, file)
    return notebook


def explorer_link(source: str) -> str:
    """A line of HTML below a widget's still picture, if there is an explorer of it; else nothing.

    >>> explorer_link("PhaseDiagram()")
    '<p class="moves"><a href="phase.html">Move it on this site</a>, without installing anything.</p>'
    """
    for explorer in EXPLORERS:
        if f"{explorer.widget}(" in source:
            return (
                f'<p class="moves"><a href="{explorer.page}.html">Move it on this site</a>, without installing anything.</p>'
            )
    return ""


def _as_file(html: str, static: Path, file: str) -> str:
    def write(match: re.Match) -> str:
        (static / file).parent.mkdir(parents=True, exist_ok=True)
        (static / file).write_bytes(base64.b64decode(match[2]))
        return f'{match[1]}loading="lazy" src="_static/{file}"'

    return PICTURE.sub(write, html)


def front_page(pages: list[tuple[str, str, str]], text: str = "") -> str:
    """The Markdown of the front page; `pages`: file name, title and promise of each notebook, in order.

    text    a page with ROWS and NAMES to fill in; default: index.md
    """
    rows = "\n".join(f"| [{title}]({name}.html) | {promise} |" for name, title, promise in pages)
    names = "\n".join(name for name, *_ in pages)
    text = text or (HERE / "index.md").read_text(encoding="utf-8")
    return text.replace("ROWS", page_links(rows)).replace("NAMES", names)


def assets(out: Path) -> Path:
    """Write what every page needs into a folder of pages: styles, scripts, formulas, Sphinx's configuration; its _static."""
    static = out / "_static"
    copy_from("mathjax", MATHJAX, static)
    for name in ("site.css", "site.js"):
        shutil.copyfile(HERE / name, static / name)
    for name in FILES:
        (static / "explorers").mkdir(exist_ok=True)
        shutil.copyfile(SCRIPTS / name, static / "explorers" / name)
    shutil.copyfile(HERE / "conf.py", out / "conf.py")
    (out / "_templates").mkdir()
    shutil.copyfile(HERE / "language.html", out / "_templates" / "language.html")
    return static


def stage(out: Path, names: list[str] | None = None) -> list[Path]:
    """Write the pages into a fresh folder; the notebooks they come from.

    names   only these notebooks, for example ["01_elbo"], and nothing in the others is linked from the glossary
    """
    shutil.rmtree(out, ignore_errors=True)
    static = assets(out)
    for explorer in EXPLORERS:
        (out / f"{explorer.page}.md").write_text(explorer.markdown("_static/explorers"), encoding="utf-8")
    paths = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if not names or path.stem in names]
    glossary = (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8")
    uses, pages = {}, []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        pages.append((path.stem, *opening(notebook)))
        links = linker(glossary)
        nbformat.write(prepare(notebook, path.stem, static, links), out / path.name)
        uses[path.stem] = links.used
    words = CHINESE.sub(r'<span lang="zh-Hans">\g<0></span>', with_backlinks(page_links(glossary), uses))
    (out / "GLOSSARY.md").write_text(words, encoding="utf-8")
    for name in ("PREREQUISITES.md", "CHEATSHEET.md"):
        (out / name).write_text(page_links((NOTEBOOKS / name).read_text(encoding="utf-8")), encoding="utf-8")
    (out / "index.md").write_text(front_page(pages), encoding="utf-8")
    return paths


def stage_chinese(out: Path, downloads: Path) -> chinese.Translator:
    """Write the Chinese pages into a fresh folder, and the Chinese notebooks, to run, into another; who translated.

    Links lead to the Chinese page where there is one, and otherwise up, to the English one.
    """
    shutil.rmtree(out, ignore_errors=True)
    static = assets(out)
    downloads.mkdir(parents=True, exist_ok=True)
    say = chinese.Translator(po.load(chinese.CATALOGUE))
    glossary = say.markdown((NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8"))
    uses, pages = {}, []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        title, promise = opening(notebook)
        if path.stem not in chinese.TRANSLATED:
            pages.append((path.stem, say(title) + chinese.ENGLISH_PAGE, say(promise)))
            continue
        pages.append((path.stem, say(title), say(promise)))
        convert(notebook)
        nbformat.write(chinese.in_chinese(notebook, say), downloads / path.name)
        links = chinese.linker(glossary)
        page = prepare(notebook, path.stem, static, links, chinese.page_links)
        for cell in page.cells:
            cell.source = chinese.unbroken(cell.source) if cell.cell_type == "markdown" else cell.source
        nbformat.write(page, out / path.name)
        uses[path.stem] = links.used
    words = with_backlinks(chinese.unbroken(chinese.page_links(glossary)), uses, chinese.WORDS)
    (out / "GLOSSARY.md").write_text(words, encoding="utf-8")
    sheet = say.markdown((NOTEBOOKS / "CHEATSHEET.md").read_text(encoding="utf-8"))
    (out / "CHEATSHEET.md").write_text(chinese.unbroken(chinese.page_links(sheet)), encoding="utf-8")
    index = chinese.front_page(say, (HERE / "index.md").read_text(encoding="utf-8"))
    (out / "index.md").write_text(chinese.unbroken(chinese.page_links(front_page(pages, index))), encoding="utf-8")
    return say
