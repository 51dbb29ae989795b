"""The glossary's map leads from every section and every display of the article to a cell that exists.

The article lies beside the repository, in shared/; where it is missing only the links are tested.
"""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
ARTICLE = ROOT.parent / "shared" / "article.zh.md"
HEADING = r"^#+ (?P<heading>[^\n]*)$"
EQUATION = r"(?P<equation>\$\$.*?\$\$)"
MATRIX = r"(?P<matrix>^Module A \\ Module B[^\n]*(?:\n[^\n]+)+)"


def displays(text: str) -> dict[str, list[str]]:
    """Section of the article -> its equations and payoff matrices, in order."""
    found: dict[str, list[str]] = {}
    for match in re.finditer(f"{HEADING}|{EQUATION}|{MATRIX}", text, re.M | re.S):
        if match["heading"]:
            section = re.sub(r"^#+ ", "", match["heading"]).strip()
            found[section] = []
        else:
            found[section].append(match["equation"] or match["matrix"])
    return found


def rows_of_the_map() -> list[tuple[str, list[int], str, str]]:
    """(section, its displays, what they say, links) of every row; '–' in the first column repeats the section above."""
    text = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8")
    table = text.partition("## From the article to the notebooks")[2].partition("\n## ")[0]
    rows, section = [], ""
    for line in re.findall(r"^\| (.*) \|$", table, re.M)[1:]:
        first, numbers, words, links = re.split(r" \| ", line)
        section = section if first == "–" else first
        low, _, high = numbers.partition("–")
        rows.append((section, list(range(int(low), int(high or low) + 1)) if low else [], words, links))
    return rows


MAP = rows_of_the_map()


def test_the_walk_sees_sections_equations_and_matrices() -> None:
    text = "# One\n\ntext\n\n$$a\n= b$$\n\n## Two $\\beta$\n\nModule A \\ Module B\tx\ny\tz\n\ntext $c$\n\n$$ d $$\n"
    assert {name: len(found) for name, found in displays(text).items()} == {"One": 1, "Two $\\beta$": 2}


@pytest.mark.skipif(not ARTICLE.exists(), reason="the article is not beside the repository")
def test_every_section_and_display_of_the_article_is_on_the_map() -> None:
    article = displays(ARTICLE.read_text(encoding="utf-8"))
    assert list(dict.fromkeys(section for section, *_ in MAP)) == list(article)  # every section, in the article's order
    for section, found in article.items():
        treated = [number for name, numbers, *_ in MAP if name == section for number in numbers]
        assert treated == list(range(1, len(found) + 1)), section
    for section, numbers, words, _ in MAP:  # and the numbered equations stand where the map says
        for number in re.findall(r"\((\d)\)", words) if numbers else []:
            assert any(f"({number})" in article[section][k - 1] for k in numbers), (section, words)


def test_every_row_of_the_map_leads_to_a_cell() -> None:
    assert len(MAP) > 30
    cells = {
        path.name: "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
        for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    for section, _, words, links in MAP:
        targets = re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", links)
        assert any(anchor for _, anchor in targets), (section, words)
        for file, anchor in targets:
            assert file in cells and (not anchor or f'<a id="{anchor}"></a>' in cells[file]), (section, words, file, anchor)
