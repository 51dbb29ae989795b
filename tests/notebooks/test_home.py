"""One command tells every file where the repository is; run again it replaces, and nothing is left of before."""

import re
import shutil
import tomllib

import nbformat
import pytest

from klcourse.publish import home
from klcourse.publish.rules import problems

NAMES = ("00_start_here", "06_rate_is_not_information")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    (folder / "notebooks").mkdir()
    for name in ("README.md", "CITATION.cff", "pyproject.toml", *(f"notebooks/{name}.ipynb" for name in NAMES)):
        shutil.copyfile(home.ROOT / name, folder / name)
    home.write(home.Home("someone/else", "v9"), folder)
    assert len(home.write(home.Home("ada/kl-course"), folder)) == 5
    return folder


def test_every_file_says_the_home_and_only_that_one(copy):
    for path in [copy / "README.md", copy / "CITATION.cff", copy / "pyproject.toml", *(copy / "notebooks").iterdir()]:
        text = path.read_text(encoding="utf-8")
        assert "ada/kl-course" in text and "someone" not in text and "OWNER" not in text, path.name
        assert text.count("\n<!-- home -->") <= 1
    assert tomllib.loads((copy / "pyproject.toml").read_text())["project"]["urls"]["Repository"].endswith("ada/kl-course")


def test_twice_is_once(copy):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    home.write(home.Home("ada/kl-course"), copy)
    assert {path: path.read_bytes() for path in before} == before


def test_links_lead_to_files_that_are_there(copy):
    for path in (copy / "notebooks").iterdir():
        links = re.findall(r"\]\((https://(?:mybinder|colab|raw)[^)]+)\)", nbformat.read(path, 4).cells[0].source)
        assert len(links) == 3 and all(path.name in link and "main" in link for link in links)


def test_notebooks_still_obey_the_rules(copy):
    for path in (copy / "notebooks").iterdir():
        assert problems(path) == []
        cells = nbformat.read(path, as_version=4).cells
        place = [cell.id for cell in cells].index("colab")
        assert "parameters" in cells[place - 1].metadata.tags and cells[place].metadata.slideshow.slide_type == "skip"


@pytest.mark.parametrize("wrong", ["klcourse", "https://github.com/a/b", "a/b/c", "-a/b", ""])
def test_what_is_no_repository_is_refused(wrong, capsys):
    assert home.main([wrong] if not wrong.startswith("-") else ["--", wrong]) == 2
    assert "OWNER/NAME" in capsys.readouterr().err


def test_this_copy_has_a_home_everywhere_or_nowhere():
    urls = tomllib.loads((home.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    texts = [path.read_text(encoding="utf-8") for path in (home.ROOT / "notebooks").glob("*.ipynb")]
    texts += [(home.ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CITATION.cff")]
    assert {urls["Repository"] in text if urls else "mybinder.org/v2" in text for text in texts} == {bool(urls)}
