"""The Chinese pages without building them: the catalogue is up to date, loses nothing, and has the article's terms."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse.publish.home import Home, page
from klcourse.publish.site import blocks, chinese, messages, po, stage, terms
from klcourse.publish.site.search import pieces
from tests.browser.lab import ROOT
from tests.test_article_map import ARTICLE

GLOSSARY = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8")
ENTRIES = po.load(chinese.CATALOGUE)
DONE = [entry for entry in ENTRIES.values() if entry.done]
KEPT = re.compile(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|\bA\d+[ab]?\b")  # code, formulas, where links lead, claims
HAN = "\u4e00-\u9fff"
# Words of the course that are terms in most places and plain English in a few: (term, part of the text).
PLAIN = {
    ("move", "pictures move here"),
    ("move", "To move the others"),
    ("move", "does not move with"),
    ("regimes", "the map of the regimes"),  # the entry names all four
    ("objective function", "定义新的 objective function"),  # a heading of the article, in this and the next
    ("objective function", "A new objective function"),
}


def terms_and_names() -> list[tuple[str, list[str]]]:
    found = [
        (name, chinese.names(row["rest"].split(" | ")[0]))
        for row in terms.rows(GLOSSARY)
        for name in terms.names_of(row["names"])
    ]
    return sorted(found, key=lambda pair: -len(pair[0]))  # "rate–distortion curve" before "rate"


# ---- the course's catalogue ---------------------------------------------------------------------------------------


def test_the_catalogue_is_up_to_date_with_the_pages(capsys):
    """Fails when the English text of a translated page has changed: python -m klcourse.publish.site.messages"""
    assert messages.main(["--check"]) == 0, capsys.readouterr().out


def test_nearly_all_is_translated():
    """A change of the English text need not wait for a translator; a page full of English does."""
    new, old = messages.waiting(ENTRIES)
    waiting = [f"{', '.join(entry.where)}: {entry.text}" for entry in (*new, *old)]
    assert len(waiting) <= 0.05 * len(ENTRIES), waiting


def test_a_translation_keeps_formulas_code_links_and_claims():
    for entry in DONE:
        before, after = (set(KEPT.findall(text)) for text in (entry.text, entry.translation))
        assert before == after, (before ^ after, entry.text)
        assert entry.text.count("|") == entry.translation.count("|") or not entry.text.startswith("|")


def test_chinese_is_set_as_chinese_is():
    """Full-width punctuation without spaces around it, and emphasis where Markdown sees it."""
    for entry in DONE:
        for cell in entry.translation.strip("|").split("|"):
            bare = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)", "x", cell).strip()
            if cell in entry.text:
                continue
            assert not re.search(rf"[{HAN}][,;:?!]|[{HAN}]\.(?!\w)", bare), bare
            assert not re.search(r"[，。；：！？、（）“”] | [，。；：！？、（）“”]", bare), bare
            # No bold ends between punctuation and a character, none begins between a character and punctuation.
            for bold in re.finditer(r"(.?)\*\*([^*]+)\*\*(.?)", bare):
                before, inner, after = bold.groups()
                assert re.match(r"\w", inner[0]) or not re.match(r"\w", before), bare
                assert re.match(r"\w", inner[-1]) or not re.match(r"\w", after), bare


@pytest.mark.parametrize("name, said", terms_and_names())
def test_a_term_of_the_glossary_is_said_by_its_chinese_everywhere(name, said):
    pattern = re.compile(rf"(?<![\w/-]){re.escape(name)}s?(?![\w-])", re.I if not name.isupper() else 0)
    kept = [name] if re.search("[A-Z].*[A-Z]|KL", name) else []  # VAE, KL vanishing: in Chinese too
    longer = [other for other, _ in terms_and_names() if name.lower() in other.lower() and other != name]
    for entry in DONE:
        text = KEPT.sub(" ", entry.text)
        for other in longer:
            text = re.sub(re.escape(other), " ", text, flags=re.I)
        if pattern.search(text) and not any(name == word and part in entry.text for word, part in PLAIN):
            assert any(word in entry.translation for word in kept + said), (said, entry.text, entry.translation)


@pytest.mark.skipif(not ARTICLE.exists(), reason="the article is not beside this checkout")
def test_what_the_glossary_says_stands_in_the_article_does():
    bare = lambda words: re.sub(r"\\text\b|[\s$\\{}]", "", words).replace("beta", "β")
    cells = [row["rest"].split(" | ")[0] for row in terms.rows(GLOSSARY)]
    starred = [bare(name) for cell in cells for name in re.findall(r"([^,，(]+)\*", cell)]
    article = bare(ARTICLE.read_text(encoding="utf-8"))
    assert len(starred) > 20 and [name for name in starred if name not in article] == []


# ---- catalogues and pages -----------------------------------------------------------------------------------------


def test_a_catalogue_is_read_as_it_was_written():
    entries = {
        'a "nat"': po.Entry('a "nat"', "一“奈特”", ["00", "14"]),
        "$\\lambda$\tis new": po.Entry("$\\lambda$\tis new", "$\\lambda$ 旧", ["14"], True, "$\\lambda$ is old"),
        "waits": po.Entry("waits"),
    }
    entries = {entry.text: entry for entry in entries.values()}
    assert po.parse(po.write(entries, messages.HEAD)) == entries
    # As Poedit wraps long texts, and with a translator's comment.
    wrapped = '#. look\n#: 00\nmsgid ""\n"a "\n"nat"\nmsgstr ""\n"一"\n"奈特"\n\n#~ msgid "gone"\n#~ msgstr "没有了"\n'
    assert po.parse(wrapped) == {"a nat": po.Entry("a nat", "一奈特", ["00"])}


def test_a_text_that_changed_keeps_its_translation_as_a_draft():
    old = po.Entry("The rate is at least three nats.", "码率至少三奈特。", ["00"])
    entries = po.update({old.text: old, "Other": po.Entry("Other", "其他")}, {"The rate is at least five nats.": ["14"]})
    (entry,) = entries.values()
    assert entry.fuzzy and not entry.done and entry.translation == old.translation and entry.previous == old.text
    again = po.update(entries, {"The rate is at least nine nats.": ["14"]})
    assert again["The rate is at least nine nats."].previous == old.text  # what was last translated, to compare with
    assert po.update({old.text: old}, {"Quite another matter": ["14"]})["Quite another matter"] == po.Entry(
        "Quite another matter", where=["14"]
    )


def test_the_command_writes_says_and_checks(tmp_path, monkeypatch, capsys):
    path = tmp_path / "zh" / "course.po"
    monkeypatch.setattr(messages, "CATALOGUE", path)
    monkeypatch.setattr(messages, "course_texts", lambda: {"Two nats of rate": ["00"], "A word": ["14"]})
    assert messages.main(["--check"]) == 1 and not path.exists()
    assert messages.main([]) == 0 and messages.main(["--check"]) == 0
    path.write_text(
        path.read_text(encoding="utf-8").replace('"A word"\nmsgstr ""', '"A word"\nmsgstr "词"'), encoding="utf-8"
    )
    assert messages.main(["--check"]) == 0
    monkeypatch.setattr(messages, "course_texts", lambda: {"Two nats of rate": ["00"], "A wort": ["14"]})
    assert messages.main(["--check"]) == 1 and "behind the pages" in capsys.readouterr().out
    assert messages.main(["--list"]) == 0
    assert (
        "2 texts: 0 translated, 1 outdated (fuzzy), 1 untranslated\n  00: Two nats of rate\n  14: A wort"
        in capsys.readouterr().out
    )


def test_a_notebook_in_chinese_keeps_code_and_numbers():
    figure = {"text/html": '<img alt="R &lt; c" src="x">', "text/plain": "R < c"}
    outputs = [
        new_output("display_data", data=data)
        for data in (figure, {"text/markdown": "*R < c*"}, {"text/html": "<td>3 nats</td>"})
    ]
    outputs.append(new_output("stream", text="rate 3"))
    code = new_code_cell("rate  # a nat", outputs=outputs)
    notebook = new_notebook(cells=[new_markdown_cell("## A *nat*\n\n```\na nat\n```\nnew"), code])
    say = chinese.Translator({text: po.Entry(text, said) for text, said in {"A *nat*": "奈特", "R < c": "R 小于 c"}.items()})
    chinese.in_chinese(notebook, say)
    text = '<a class="place" id="a-nat"></a>\n## 奈特\n\n```\na nat\n```\n<span lang="en">new</span>'
    assert notebook.cells[0].source == text
    assert say.left == ["new"] and code.source == "rate  # a nat" and code.outputs[3].text == "rate 3"
    html = [output.data.get("text/html") for output in code.outputs[:3]]
    assert html == ['<img alt="R 小于 c" src="x">', None, '<div lang="en"><td>3 nats</td></div>']
    assert code.outputs[1].data["text/markdown"] == "*R 小于 c*"


def test_a_home_is_no_change_of_the_text():
    path = ROOT / "notebooks" / "14_verdict.ipynb"
    notebook = nbformat.read(path, as_version=4)
    before = chinese.texts(notebook)
    page(notebook, path.stem, Home("ada/klcourse"))
    assert chinese.texts(notebook) == before
    chinese.in_chinese(notebook, chinese.Translator(ENTRIES))
    assert "打开本页：[Binder](https://mybinder.org" in notebook.cells[0].source


def test_terms_are_linked_by_their_chinese_names_but_not_inside_bold():
    say = chinese.Translator(ENTRIES)
    linker = chinese.linker(say.markdown(GLOSSARY))
    linked = linker.link("这是**互信息**，互信息和 KL 散度的率。VAE 也在，`占空比`不在。")
    assert linker.used == ["mutual-information", "kullback-leibler-divergence", "variational-autoencoder"]
    assert linked.startswith("这是**互信息**，<a class=")


def test_the_search_cuts_text_and_question_alike():
    assert pieces("KL 散度：β=0.2") == ["KL", "散", "度", "散度", "β", "0", "2"]


def test_the_staged_pages_are_whole(tmp_path):
    say = stage.stage_chinese(tmp_path / "pages", tmp_path / "downloads")
    assert sorted(path.stem for path in (tmp_path / "pages").glob("*.*")) == [
        "00_start_here",
        "14_verdict",
        "CHEATSHEET",
        "GLOSSARY",
        "conf",
        "index",
    ]
    assert {text for text in say.left} <= {
        entry.text for entry in (*messages.waiting(ENTRIES)[0], *messages.waiting(ENTRIES)[1])
    }
    for name in ("00_start_here", "14_verdict"):
        english = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        for folder in ("pages", "downloads"):
            page = nbformat.read(tmp_path / folder / f"{name}.ipynb", as_version=4)
            assert [(cell.cell_type, cell.id) for cell in page.cells] == [
                (cell.cell_type, cell.id) for cell in english.cells
            ]
            text, before = (
                "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown") for book in (page, english)
            )
            anchors = set(re.findall(r'id="([\w-]+)"', before)) | {
                blocks.slug(h) for h in re.findall(r"^##+ (.*)$", before, re.M)
            }
            assert anchors <= set(re.findall(r'id="([\w-]+)"', text))
            assert ".ipynb" not in text if folder == "pages" else "](01_elbo.ipynb)" in text or name != "00_start_here"
