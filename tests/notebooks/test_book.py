"""The pages of a site joined to one: names stay apart, links lead to them, nothing is folded that has to be read."""

import re

import pytest

from klcourse.publish import book

PAGE = """<!DOCTYPE html><html><head><title>{name}</title></head><body><nav><a href="index.html">menu</a></nav>
<article class="bd-article"><h1 id="exercises">{name}<a class="headerlink" href="#exercises">#</a></h1>
<details><summary>Solution of 1.1</summary>784</details><details class="hide above-input"><summary>code</summary></details>
<a href="#exercises">here</a> <a href="06_b.html#exercises">there</a> <a href="06_b.html">the page</a>
<a href="phase.html">moves</a> <a href="https://example.org/x.html#y">away</a><img loading="lazy" src="a.png">
</article></body></html>
"""


@pytest.fixture
def site(tmp_path):
    for name in ("index", "01_a", "06_b", "GLOSSARY", "phase"):
        (tmp_path / f"{name}.html").write_text(PAGE.format(name=name))
    return tmp_path


def test_the_pages_come_in_the_order_of_the_course_without_what_moves(site):
    assert book.order(site) == ["index", "01_a", "06_b", "GLOSSARY"]


def test_names_are_unique_and_every_link_within_leads_somewhere(site):
    html = book.join(site, book.order(site))
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) == 8
    targets = re.findall(r'href="#([^"]*)"', html)
    assert len(targets) == 12 and set(targets) <= set(ids)
    assert html.count('href="https://example.org/x.html#y"') == 4 and html.count('href="phase.html"') == 4
    assert "menu" not in html and "headerlink" not in html and "lazy" not in html


def test_solutions_are_open_and_hidden_code_is_not(site):
    html = book.join(site, ["01_a"])
    assert html.count("<details open>") == 1 and '<details class="hide above-input">' in html


def test_what_is_missing_is_said(tmp_path, capsys):
    assert book.main(["--site", str(tmp_path)]) == 2
    assert "make site" in capsys.readouterr().err
    (tmp_path / "index.html").write_text("<p>no page of ours</p>")
    with pytest.raises(ValueError, match="no article"):
        book.join(tmp_path, ["index"])
