"""The course hangs together: links lead somewhere, every claim has its place, verdicts are computed and not typed."""

import re
from pathlib import Path

import nbformat
import pytest

import klcourse
from klcourse import ledger, studies
from klcourse.publish import front

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [
    *NOTEBOOKS,
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "TEACHING.md", "CHANGELOG.md")),
    ROOT / "notebooks" / "GLOSSARY.md",
    ROOT / "notebooks" / "CHEATSHEET.md",
]
LINK = re.compile(r"\]\(([^)\s]+)\)|href=[\"']([^\"']+)[\"']")
ANCHOR = re.compile(r"<a (?:id|name)=[\"']([^\"']+)[\"']")


def text_of(page: Path) -> str:
    """The words of a page: a Markdown file, or the Markdown cells and Markdown and HTML outputs of a notebook."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    parts = []
    for cell in nbformat.read(page, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            parts += [data[kind] for kind in ("text/markdown", "text/html") if kind in data]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return {page.resolve(): text_of(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page, texts):
    broken = []
    for target in (a or b for a, b in LINK.findall(texts[page.resolve()])):
        if re.match(r"https?:|mailto:|attachment:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page.resolve()
        if not file.exists():
            broken.append(target)
        elif anchor and file in texts and anchor not in anchors(texts[file]):
            broken.append(target)
    assert not broken, f"{page.name}: {', '.join(broken)}"


def anchors(text: str) -> set[str]:
    """Where a link may jump to: named anchors, and headings as JupyterLab (A-B) and GitHub (a-b) name them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", text, re.M)
    github = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    return set(ANCHOR.findall(text)) | {h.replace(" ", "-") for h in headings} | github


@pytest.mark.parametrize("claim", ledger.CLAIMS, ids=lambda c: c.id)
def test_every_claim_has_its_place(claim, texts):
    """The notebook and anchor a ledger record names exist."""
    name, _, anchor = claim.notebook.partition("#")
    file = (ROOT / "notebooks" / name).resolve()
    assert file in texts, f"{claim.id}: no notebook {name}"
    assert anchor in anchors(texts[file]), f"{claim.id}: {name} has no anchor {anchor}"


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda p: p.name)
def test_numbers_are_those_of_the_files(page):
    """A notebook's title, its exercises and what it calls other notebooks follow the file names."""
    own, numbers = page.name[:2], {other.name[:2] for other in NOTEBOOKS}
    sources = [cell.source for cell in nbformat.read(page, as_version=4).cells]
    assert re.match(rf"# {own} ", sources[0])
    text = "\n".join(sources)
    exercises = re.findall(r"^\*\*(\d+)\.(\d+)\*\*", text, re.M)
    assert exercises == [(str(int(own)), str(k + 1)) for k in range(len(exercises))]
    for number, file in re.findall(r"\[(\d\d)\b[^\]]*\]\((\d\d)_\w+\.ipynb", text):
        assert number == file, f"{page.name}: [{number}] leads to {file}"
    for named in re.findall(r"\b[Nn]otebooks? ((?:\d\d(?:, | and | to | or )?)+)", text):
        assert set(re.findall(r"\d\d", named)) <= numbers, f"{page.name}: notebook {named}"


def test_sections_that_other_notebooks_name_exist(texts):
    """Where a page says "07, section 5" or "notebook 07, section 5", that heading is there."""
    headings = {page.name[:2]: re.findall(r"^## (\d+)\. ", texts[page.resolve()], re.M) for page in NOTEBOOKS}
    for page, text in texts.items():
        for number, sections in re.findall(r"\b(\d\d), sections? (\d+(?: and \d+)?)", text):
            assert set(sections.split(" and ")) <= set(headings[number]), f"{page.name}: {number}, section {sections}"


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda p: p.name)
def test_verdicts_are_computed(page):
    """No cell's source pairs a claim with a verdict: verdicts reach a page only as the output of klcourse.ledger."""
    typed = re.compile(r"\bA\d+\b[^.\n]{0,60}\b(holds if|fails as written|holds\b)", re.I)
    for cell in nbformat.read(page, as_version=4).cells:
        for match in typed.finditer(cell.source):
            pytest.fail(f"{page.name}: typed verdict {match.group(0)!r}")


def test_both_records_of_the_fingerprints_agree():
    """The doctor tells readers, the data tests tell developers, what the pinned versions give."""
    import json

    from klcourse.doctor import TESTED_DATA

    recorded = json.loads((ROOT / "tests" / "data_fingerprints.json").read_text())
    flat = json.dumps(recorded)
    assert all(fingerprint in flat for _, fingerprint in TESTED_DATA.values())


def test_version_citation_and_changelog_agree(root):
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {klcourse.__version__}\n" in citation
    assert f"\n## {klcourse.__version__}\n" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "TEACHING.md"])
def test_make_targets_that_are_named_are_there(root, name):
    text, makefile = ((root / part).read_text(encoding="utf-8") for part in (name, "Makefile"))
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", "\n".join(re.findall(r"`[^`\n]+`|^    .*|^make .*", text, re.M))))
    assert named and named <= set(re.findall(r"^([a-z-]+):", makefile, re.M))


def test_the_readme_says_what_the_converged_study_found(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    text = " ".join(readme.partition("## What the constraint is worth")[2].partition("\n## ")[0].split())
    judged = studies.settings("converged_text")
    mean = judged.groupby("method")[["iw_ppl", "rate", "mi", "mi_upper"]].mean()
    lm, held = "language model", "hinge on R"
    found = studies.compare_methods(judged, against=lm)[held, lm]
    assert found.clear and found.interval in text
    others = (lm, "ELBO", "dual ascent", "linear annealing", "autoencoder first, free bits", "hinge on I")
    said = [f"**{mean.iw_ppl[held]:.1f}**", *(f"{mean.iw_ppl[name]:.1f}" for name in others)]
    said.append(f"{mean.rate[held]:.2f} nats of rate {mean.mi[held]:.2f} to {mean.mi_upper[held]:.2f} are information")
    assert [each for each in said if each not in text] == []
    assert f"{judged['seed'].nunique():d}" == "5" and "five seeds" in text


def test_the_readmes_pictures_are_those_of_the_notebooks(root):
    shown = set(
        re.findall(r"!\[[^\]]{20,}\]\(notebooks/images/(\w+)\.png\)", (root / "README.md").read_text(encoding="utf-8"))
    )
    assert shown == front.FROM.keys() == {path.stem for path in front.IMAGES.iterdir()}
    for name, place in front.FROM.items():
        assert (front.IMAGES / f"{name}.png").read_bytes() == front.stored_picture(*place), (
            "python -m klcourse.publish.front"
        )
    with pytest.raises(LookupError, match="no picture in cell nowhere of 01_elbo"):
        front.stored_picture("01_elbo", "nowhere")
