"""The committed notebooks obey the rules, and each rule catches what it is for."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse.publish.normalise import NOTEBOOKS, normalise
from klcourse.publish.rules import SIZE_LIMIT, WIDGET_VIEW, problems


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_committed_notebook_obeys_every_rule(path):
    assert problems(path) == []


@pytest.fixture
def good():
    """A small notebook that breaks no rule; each test below breaks one."""
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Title\n\nAfter this page you can do one thing.\n\nMinutes: 1."),
            new_code_cell('PROFILE = "quick"', metadata={"tags": ["parameters"]}),
            new_code_cell("print(1 / 3)", outputs=[new_output("stream", text="0.333 nats, 12% of it\n")]),
            new_code_cell(""),
        ]
    )
    return normalise(notebook)


def broken_rules(notebook, folder) -> str:
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    return "\n".join(problems(path))


def test_a_good_notebook_has_no_problems(good, tmp_path):
    assert broken_rules(good, tmp_path) == ""


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


def html(text):
    return new_output("display_data", data={"text/html": text})


@pytest.mark.parametrize(
    "output, complaint",
    [
        (new_output("error", ename="NameError", evalue="x", traceback=[]), "an error: NameError"),
        (stream("UserWarning: deprecated\n", "stderr"), "text on stderr"),
        (stream("saved in /home/ada/course/run\n"), "an absolute path"),
        (stream("saved in C:\\Users\\ada\n"), "an absolute path"),
        (html("<a href='file:///x'>x</a>"), "an absolute path"),
        (stream("lib/python3.11/site-packages/torch/nn.py:3: note\n"), "a folder of an environment"),
        (stream("started 2026-01-31 12:30:01\n"), "a date with a time"),
        (html("<dc:date>2026-01-31T12:30:01</dc:date>"), "a date with a time"),
        (stream("<function f at 0x7f12ab34cd56>\n"), "a memory address"),
        (stream(" 42%|####      | 42/100\n"), "a progress bar"),
        (
            new_output("display_data", data={WIDGET_VIEW: {"model_id": "a"}, "text/plain": "HBox()"}),
            "widget view",
        ),
    ],
)
def test_outputs_that_do_not_belong_into_a_repository(good, tmp_path, output, complaint):
    good.cells[2].outputs = [output]
    assert complaint in broken_rules(good, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "I/R = 0.79 at λ = 0.95; 100% of 3/4\n",
        "https://arxiv.org/abs/1511.06349\n",
        "and/or, q(z|x)/p(z)\n",
        "see https://example.org/home/page\n",
        "2026-01-31 is a date\n",
    ],
)
def test_ordinary_text_is_no_leak(good, tmp_path, text):
    good.cells[2].outputs = [stream(text)]
    assert broken_rules(good, tmp_path) == ""


def test_pictures_may_contain_anything_by_chance(good, tmp_path):
    good.cells[2].outputs = [
        new_output("display_data", data={"image/png": "iVBOR/tmp/x"}, metadata={"image/png": {"alt": "a"}}),
        html('<img alt="a" src="data:image/png;base64,iVBOR/tmp/x==">'),
    ]
    assert broken_rules(good, tmp_path) == ""


def test_metadata_opening_parameters_order_and_size(good, tmp_path):
    def complaint(change) -> str:
        notebook = nbformat.from_dict(good)
        notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
        change(notebook)
        return broken_rules(notebook, tmp_path)

    assert "the kernel is" in complaint(lambda nb: nb.metadata.kernelspec.update(name="conda-env"))
    assert "language_info" in complaint(lambda nb: nb.metadata.language_info.update(version="3.11.7"))
    assert "widget state" in complaint(lambda nb: nb.metadata.update(widgets={}))
    assert "not markdown with a title" in complaint(lambda nb: nb.cells.pop(0))
    assert "no promise" in complaint(lambda nb: nb.cells[0].update(source="# Title"))
    assert "no promise" in complaint(lambda nb: nb.cells[0].update(source="# Title\n\n## Section"))
    assert "0 cells are tagged" in complaint(lambda nb: nb.cells.pop(1))
    assert "does not say PROFILE" in complaint(lambda nb: nb.cells[1].update(source='PROFILE = "full"'))
    assert "holds times" in complaint(lambda nb: nb.cells[1].metadata.update(execution={"t": 1}))
    assert "not 2" in complaint(lambda nb: nb.cells[2].update(execution_count=7))
    assert "not executed" in complaint(lambda nb: nb.cells[2].update(execution_count=None))
    assert "limit is" in complaint(lambda nb: nb.cells[2].update(outputs=[html("x" * SIZE_LIMIT)]))
