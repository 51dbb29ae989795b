"""The static site without building it: links, terms, figures as files, and the checker of the finished pages."""

import base64
import io
import re
import tomllib

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse import picture, plots
from klcourse.publish import pictures
from klcourse.publish.rules import _output
from klcourse.publish.site import links, stage, terms
from tests.browser.lab import NOTEBOOKS, ROOT
from tests.test_package import pins

GLOSSARY = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8")


def png(width: int = 3, height: int = 2) -> bytes:
    file = io.BytesIO()
    plt.imsave(file, [[0.0] * width] * height, format="png")
    return file.getvalue()


def old_figure(alt: str = "R < c", **size: int):
    data = {"image/png": base64.b64encode(png()).decode() + "\n", "text/plain": "<Image>"}
    return new_output("display_data", data=data, metadata={"image/png": {"alt": alt, **size}} if alt else {})


# ---- figures ---------------------------------------------------------------------------------------------------


def test_a_stored_figure_becomes_what_show_displays_today(monkeypatch):
    shown = []
    monkeypatch.setattr("klcourse.plots.page.display", lambda *data, **how: shown.append(data[0]))
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.set_title("λ")
    file = io.BytesIO()
    fig.savefig(file, format="png", bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    plots.show(fig, 'the rate "R" < c')
    data = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<IPython.core.display.Image object>"}
    stored = new_output("display_data", data=data, metadata={"image/png": {"alt": 'the rate "R" < c'}})
    notebook = new_notebook(cells=[new_markdown_cell("# 1"), new_code_cell("show()", outputs=[stored])])
    assert pictures.convert(notebook) == 1 and pictures.convert(notebook) == 0
    pixels = re.compile(r'width="\d+" height="\d+"|base64,[^"]+')  # today's picture is sharper, and has a palette
    there, today = (
        {kind: pixels.sub("", text) for kind, text in data.items()} for data in (notebook.cells[1].outputs[0].data, shown[0])
    )
    assert there == today and notebook.cells[1].outputs[0].metadata == {}
    assert 'alt="the rate &quot;R&quot; &lt; c"' in shown[0]["text/html"]


def test_an_empty_corner_of_a_table_is_no_heading_stored_or_shown(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr("klcourse.plots.page.get_ipython", lambda: shell)
    plots.use_style()
    frame = pd.DataFrame({"R": [1.0]}, index=["a"])
    for shown in (frame, HTML(frame.to_html())):
        html = shell.display_formatter.format(shown)[0]["text/html"]
        stored = new_output("display_data", data={"text/html": shown._repr_html_()})
        notebook = new_notebook(cells=[new_code_cell("frame", outputs=[stored])])
        assert (
            "<th></th>" in stored.data["text/html"] and pictures.convert(notebook) == 1 and pictures.convert(notebook) == 0
        )
        assert notebook.cells[0].outputs[0].data["text/html"] == html and "<td></td>" in html


def test_a_widgets_still_picture_keeps_its_size_on_the_page():
    notebook = new_notebook(cells=[new_code_cell("w", outputs=[old_figure(width=384, height=240)])])
    pictures.convert(notebook)
    assert 'width="384" height="240"' in notebook.cells[0].outputs[0].data["text/html"]


def test_a_picture_that_nobody_describes_stays_and_is_named():
    for mute in (old_figure(""), new_output("display_data", data={"text/html": '<img alt="" src="data:x">'})):
        notebook = new_notebook(cells=[new_code_cell("w", outputs=[mute])])
        assert pictures.convert(notebook) == 0
        assert _output(mute) == ["a picture without alternative text: show it with klcourse.plots.show"]
    assert _output(old_figure("R < c")) == []


def test_the_size_of_a_picture_is_read_from_its_head():
    assert picture.png_size(png(5, 7)) == (5, 7)
    with pytest.raises(ValueError, match="not the beginning of a PNG file"):
        picture.png_size(b"GIF89a")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_stored_picture_can_be_described(path):
    notebook = nbformat.read(path, as_version=4)
    pictures.convert(notebook)
    html = [
        output.data.get("text/html", "") for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output
    ]
    for text in html:
        assert text.count("<img ") == text.count('<img alt="') - text.count('<img alt=""')


# ---- terms -----------------------------------------------------------------------------------------------------


def test_the_first_use_of_a_term_leads_to_the_glossary_and_nothing_else_does():
    linker = terms.Linker({"nat": "nat", "mutual information": "mutual-information", "KL": "kl"})
    linked = linker.link("## A nat\n\n`nat` $nat$ [nat](a.html) <a id='nat'>nat</a> alternating, a nat-like, kl; Nats, nat.")
    assert linked.count("<a class=") == 1 and ">Nats</a>, nat." in linked and linked.startswith("## A nat\n")
    assert linker.used == ["nat"]
    assert 'id="use-mutual-information"' in linker.link("the mutual information, KL") and linker.used[1:] == [
        "mutual-information",
        "kl",
    ]


def test_the_glossary_leads_back():
    key = "posterior-collapse"
    found = terms.with_backlinks(GLOSSARY, {"03_kl_vanishing": [key], "01_elbo": [key, "nat"]})
    row = next(line for line in found.splitlines() if line.startswith(f'| <a id="term-{key}"></a>posterior collapse |'))
    uses = f'<a href="01_elbo.html#use-{key}">01</a>, <a href="03_kl_vanishing.html#use-{key}">03</a>'
    assert row.endswith(f' <span class="uses">Used in {uses}.</span> |')
    assert found.count("Used in") == 2 and found.count("\n") == GLOSSARY.count("\n")


def test_every_entry_of_the_glossary_has_a_key_of_its_own():
    entries = terms.entries(GLOSSARY)
    assert len(entries) > 60 and len({terms.key_of(entry) for entry in entries}) == len(entries)


# ---- pages -----------------------------------------------------------------------------------------------------


def test_a_page_has_links_files_and_folds(tmp_path):
    cells = [
        new_markdown_cell("# 01 A\n\nA promise\nin two lines.\n\nSee [03](03_b.ipynb#A1), [words](GLOSSARY.md#terms)."),
        new_code_cell("show()", id="cell-1", metadata={"jupyter": {"source_hidden": True}}, outputs=[old_figure()]),
        new_code_cell(
            "table", id="cell-2", outputs=[new_output("display_data", data={"text/html": "<th></th><a href='03_b.ipynb'>"})]
        ),
    ]
    notebook = new_notebook(cells=cells)
    assert stage.opening(notebook) == ("01 A", "A promise in two lines.")
    page = stage.prepare(notebook, "01_a", tmp_path, terms.Linker({}))
    assert page.cells[0].source.endswith("See [03](03_b.html#A1), [words](GLOSSARY.html#terms).")
    assert page.cells[1].metadata["tags"] == ["hide-input"]
    assert 'src="_static/figures/01_a-cell-1-0.png"' in page.cells[1].outputs[0].data["text/html"]
    assert (tmp_path / "figures" / "01_a-cell-1-0.png").read_bytes() == png()
    assert page.cells[2].outputs[0].data["text/html"] == "<td></td><a href='03_b.html'>"


def test_the_site_is_built_with_the_pins_of_the_course(root):
    """What both environments have is the same release in both."""
    site, course = pins(stage.HERE / "requirements.txt"), pins(root / "requirements.txt")
    assert len(site) >= 5 and all(course[name] == version for name, version in site.items() if name in course)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = [text for texts in project["optional-dependencies"].values() for text in texts]
    assert all("sphinx" not in text for text in ranges)  # not for those who only run the course


def test_the_checker_finds_what_is_broken(tmp_path, capsys):
    (tmp_path / "a.html").write_text(
        '<a id="A1"></a><a href="b.html#here">b</a> <a href="#A1">1</a> <a href="#">top</a> <a href="https://example.org">x</a>'
        '<a href="b.html#gone">b</a> <a href="c.html">c</a> <img src="d.png"> <a href="#A2">2</a>'
        '<script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "b.html").write_text('<h2 id="here">b</h2>')
    report = links.check(tmp_path)
    assert report.pages == 2 and report.links == 7
    assert report.broken == ["a.html: b.html#gone", "a.html: c.html", "a.html: d.png", "a.html: #A2"]
    assert report.from_the_network == ["a.html: https://example.org/x.js"]
    assert links.main([str(tmp_path)]) == 1 and "4 broken" in capsys.readouterr().out
    with pytest.raises(NotADirectoryError, match="build the site with make site"):
        links.check(tmp_path / "none")
