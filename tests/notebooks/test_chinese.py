"""The Chinese pages without building them: the catalogue is up to date, loses nothing, and speaks with the article's terms."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse.publish.site import blocks, chinese, messages, po, terms
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
    ("move", "Three pictures move here"),
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


# ---- catalogues ---------------------------------------------------------------------------------------------------
