"""The pages that exist in Chinese: which they are, what of them is translated, and the notebooks with Chinese text.

The catalogue (locale/zh_CN/LC_MESSAGES/course.po) is applied to the cells, before Sphinx sees them. Sphinx would also apply
one, to its parsed pages, and reads notebooks. But it does not reach alternative texts, folded titles and HTML outputs, its
texts carry the links that stage.py makes, a table is a heap of cells, and it takes Sphinx to see what is outdated. Here a
text is a paragraph as its author wrote it, a test reads the catalogue in a second, and the notebooks themselves are in
Chinese, for the download button.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from klcourse.publish.site import blocks, po, terms

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[2] / "notebooks"
CATALOGUE = HERE / "locale" / "zh_CN" / "LC_MESSAGES" / "course.po"
LANG = "zh-Hans"
TRANSLATED = ("00_start_here", "14_verdict", "CHEATSHEET", "GLOSSARY")  # and the front page, index
# Outputs whose words are written and not computed, so that a new run leaves them as they are: their texts are translated.
WORDED = ("betting_slip(", "quiz(", "predict(", "<summary>The verdicts", "ledger.to_html(", "exercise(", "capstone.look(")
EVIDENCE = re.compile(r"(?<=<summary>evidence</summary>).*?(?=</details>)", re.S)  # numbers, with few words: English
WORDS = terms.Words("术语", "英文", "（见于 {}）", "、", '<span lang="en">{}</span>')
OPEN = "Open this page in "  # what klcourse.publish.home writes, with links
ENGLISH_PAGE = "（英文）"
# Behind the table of pages: what is in Chinese, and the tables of contents at the side.
SIDE = """
以上标有（英文）的页面目前只有英文。

```{toctree}
:hidden:
:caption: 课程

00_start_here
14_verdict
```

```{toctree}
:hidden:
:caption: 查阅

CHEATSHEET
GLOSSARY
```
"""
# Nor in bold: between a character and a tag Markdown sees no beginning of it.
CLOSED = re.compile(rf"(\*\*[^*\n]+\*\*|{terms.CLOSED.pattern[1:]}", terms.CLOSED.flags)
LINK = re.compile(r"(\]\(|href=[\"'])(\w+)\.(?:ipynb|md|html)(?=[#)\"'])")
FORMULA_END = re.compile(r"(?<![*$])\$[^$\n]+\$[，。；：、）？！]")
ALT = re.compile(r'(<img [^>]*?alt=")([^"]*)(")')
TAG = re.compile(r"(</?[a-zA-Z][^<>]*>)")  # what splits HTML into words and tags; a bare "<=" is words
TOCTREE = re.compile(r"^```\{toctree\}.*?^```\n?", re.S | re.M)


def page_links(text: str) -> str:
    """Links to other pages, in Markdown or HTML: beside the page if they are in Chinese, else one folder up.

    >>> page_links("[14](14_verdict.ipynb#general), [01](01_elbo.ipynb), [x](https://a.org/b.html), <a href='phase.html'>")
    "[14](14_verdict.html#general), [01](../01_elbo.html), [x](https://a.org/b.html), <a href='../phase.html'>"
    """
    return LINK.sub(lambda m: f"{m[1]}{'' if m[2] in (*TRANSLATED, 'index') else '../'}{m[2]}.html", text)


def unbroken(markdown: str) -> str:
    """A formula and the punctuation behind it stay in one line, as a character and its punctuation do.

    >>> unbroken("当 $R<c$，取 $c$ 时")
    '当 <span class="nowrap">$R<c$，</span>取 $c$ 时'
    """
    return FORMULA_END.sub(r'<span class="nowrap">\g<0></span>', markdown)


def names(cell: str) -> list[str]:
    """How a term is said: all that the glossary's Chinese column lists, a star (it stands in the article) taken off.

    >>> names("詹森不等式 (Jensen's inequality*)"), names("失效、保持、部分、坍塌")
    (['詹森不等式', "Jensen's inequality"], ['失效、保持、部分、坍塌'])
    """
    return [name.strip().rstrip("*") for name in re.split(r"[,，()]", cell) if name.strip()]


def linker(glossary: str) -> terms.Linker:
    """A linker for one page that knows the terms by their Chinese names, and by names with capitals, as VAE.

    One character alone, 率 or 熵, is a part of too many words to be linked.
    """
    keys: dict[str, str] = {}
    for row in terms.rows(glossary, WORDS):
        said = names(row["rest"].split(" | ")[0]) + [
            name for name in terms.names_of(row["names"]) if re.search("[A-Z].*[A-Z]", name)
        ]
        keys |= {name: terms.key_of(row["names"]) for name in said if len(name) > 1 and "$" not in name}
    return terms.Linker(keys, CLOSED)


def front_page(say: Translator, text: str) -> str:
    """The front page in Chinese: without the English tables of contents, with its own."""
    return say.markdown(TOCTREE.sub("", text).rstrip()) + "\n" + SIDE


def opening(notebook: NotebookNode) -> tuple[str, str]:
    """Title and promise of a notebook, from its first cell."""
    title, promise, *_ = (part.strip() for part in notebook.cells[0].source.split("\n\n"))
    return title.removeprefix("# "), " ".join(promise.split())


def caption(output: NotebookNode) -> str:
    """The text below a figure, without its asterisks; "" if this output is no such text."""
    text = output.get("data", {}).get("text/markdown", "")
    return text[1:-1] if re.fullmatch(r"\*[^*].*\*", text, re.S) else ""


def texts(notebook: NotebookNode) -> list[str]:
    """All that is translated of a notebook: its Markdown, its captions, and outputs that are words."""
    found: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found += blocks.texts(cell.source)
        for output in cell.get("outputs", []):
            found += [caption(output)] if caption(output) else []
            if any(name in cell.source for name in WORDED):
                nodes = TAG.split(EVIDENCE.sub("", output.get("data", {}).get("text/html", "")))[::2]
                found += [text for text in (html.unescape(node).strip() for node in nodes) if blocks.has_words(text)]
    return found


def course_texts() -> dict[str, list[str]]:
    """Every text of the pages in Chinese -> the pages it stands on, in the order of the course."""
    found: dict[str, list[str]] = {}

    def add(page: str, new: list[str]) -> None:
        for text in new:
            pages = found.setdefault(text, [])
            pages += [page] if page not in pages else []

    add("index", blocks.texts(TOCTREE.sub("", (HERE / "index.md").read_text(encoding="utf-8"))))
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    for notebook in notebooks.values():
        add("index", list(opening(notebook)))
    for name in TRANSLATED:
        page = NOTEBOOKS / f"{name}.md"
        add(name, texts(notebooks[name]) if name in notebooks else blocks.texts(page.read_text(encoding="utf-8")))
    return found


class Translator:
    """Says a text of the course in Chinese; `left`: those that it could not, which stay English and say so.

    >>> translator = Translator({"a nat": po.Entry("a nat", "一奈特"), "new": po.Entry("new", "旧", fuzzy=True)})
    >>> translator("a nat"), translator("new"), translator.left
    ('一奈特', '<span lang="en">new</span>', ['new'])
    """

    def __init__(self, entries: Mapping[str, po.Entry]) -> None:
        self.entries = entries
        self.left: list[str] = []

    def find(self, text: str) -> str | None:
        """The translation, if there is one of the text as it is today."""
        entry = self.entries.get(text)
        return entry.translation if entry and entry.done else None

    def __call__(self, text: str) -> str:
        found = self.find(text)
        if found is None:
            self.left.append(text)
            return text if text.startswith("|") else f'<span lang="en">{text}</span>'
        return found

    def markdown(self, text: str) -> str:
        """A page or a cell in Chinese, with the anchors of the English one."""
        return blocks.translate(text, self, anchors=True)


def in_chinese(notebook: NotebookNode, say: Translator) -> NotebookNode:
    """A notebook with Chinese text, captions and alternative texts, changed in place; code and numbers stay."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = say.markdown(cell.source).replace(OPEN, "打开本页：")
        for output in cell.get("outputs", []):
            if text := caption(output):
                output.data["text/markdown"] = f"*{say(text)}*"
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = output_in_chinese(output.data["text/html"], say.find)
    return notebook


def output_in_chinese(text: str, find: Callable[[str], str | None]) -> str:
    """HTML of an output: a picture is described in Chinese; of other outputs the words that have a translation are.

    Those others are marked as English, and the Chinese in them as Chinese, for who listens to the page.

    >>> output_in_chinese("<p>a nat</p><p>more</p>", {"a nat": "一奈特"}.get)
    '<div lang="en"><p><span lang="zh-Hans">一奈特</span></p><p>more</p></div>'
    >>> output_in_chinese('<img alt="a nat">', {"a nat": "一奈特"}.get)
    '<img alt="一奈特">'
    """

    def say(node: str) -> str:
        said = find(html.unescape(node).strip())
        if not said:
            return node
        before, _, after = node.partition(node.strip())
        return f'{before}<span lang="{LANG}">{html.escape(said, quote=False)}</span>{after}'

    if text.lstrip().startswith("<img"):
        return ALT.sub(lambda m: m[1] + html.escape(find(html.unescape(m[2])) or html.unescape(m[2])) + m[3], text)
    parts = TAG.split(text)
    return f'<div lang="en">{"".join(part if at % 2 else say(part) for at, part in enumerate(parts))}</div>'
