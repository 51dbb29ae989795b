"""The tools around the notebooks do what they say: run, measure, normalise, refuse."""

import textwrap

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from klcourse.publish import decks, normalise
from klcourse.publish.cost import MEMORY_LIMIT_MIB, over_memory
from klcourse.publish.rules import WIDGET_VIEW, problems
from tests.notebooks.test_notebook_smoke import smoke

BLOCK = "x = b'x' * (200 * 2**20)"  # 200 MiB that the measurement has to see


def write(path, *sources):
    """A notebook as someone saves it from JupyterLab: no outputs, odd counts, another kernel's name."""
    cells = [
        new_markdown_cell("# Throw-away\n\nIt shows one thing."),
        new_code_cell('PROFILE = "quick"', metadata={"tags": ["parameters"]}),
        *(new_code_cell(textwrap.dedent(source), execution_count=40) for source in sources),
    ]
    notebook = new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "other", "display_name": "Other", "language": "python"}}
    )
    nbformat.write(notebook, path)
    return path


def test_update_runs_measures_and_leaves_nothing_of_the_moment(tmp_path):
    path = write(
        tmp_path / "a.ipynb",
        """
        import sys, time
        from tqdm.auto import tqdm
        for _ in tqdm(range(3)):
            time.sleep(0.01)
        sys.stderr.write("\\r 50%|#####     | 1/2\\n")
        sys.stderr.flush()
    """,
        BLOCK + "; del x; PROFILE",
        "",
    )
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    seconds, mib = normalise.update(path)
    assert 0 < seconds < 60 and mib > 200
    assert problems(path) == []
    notebook = nbformat.read(path, as_version=4)
    assert [cell.id for cell in notebook.cells] == ids
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2, 3, None]
    assert notebook.cells[2].outputs == []
    assert notebook.cells[3].outputs[0].data["text/plain"] == "'quick'"
    first = path.read_bytes()
    normalise.update(path)
    assert path.read_bytes() == first


def test_another_profile_runs_but_is_not_written_into_the_source(tmp_path):
    path = write(tmp_path / "a.ipynb", "PROFILE")
    normalise.update(path, "full")
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[1].source == 'PROFILE = "quick"'
    assert notebook.cells[2].outputs[0].data["text/plain"] == "'full'"


@pytest.mark.parametrize(
    "source, message",
    [
        ("import os; print(os.getcwd())", "an absolute path"),
        ("import warnings; warnings.warn('old')", "text on stderr"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_bad_result_is_refused_and_the_file_left_as_it_was(tmp_path, capsys, source, message):
    path = write(tmp_path / "a.ipynb", source)
    before = path.read_bytes()
    assert normalise.main([str(path)]) == 1
    assert message in capsys.readouterr().out
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_name_lists_the_known_ones(capsys):
    assert normalise.main(["99_nothing"]) == 1
    assert "no notebook '99_nothing'; there are:" in capsys.readouterr().out


@pytest.mark.parametrize("command", [normalise.main, decks.main], ids=["normalise", "decks"])
def test_a_package_far_from_its_notebooks_says_so(tmp_path, monkeypatch, capsys, command):
    monkeypatch.setattr(normalise, "NOTEBOOKS", tmp_path / "notebooks")
    assert command([]) == 1
    assert f"no notebooks in {tmp_path / 'notebooks'}: install the package from its folder" in capsys.readouterr().out


def test_static_part_of_a_widget_survives():
    def cleaned(data):
        cell = new_code_cell("w", outputs=[new_output("display_data", data=data)])
        return normalise.normalise(new_notebook(cells=[cell])).cells[0].outputs

    view = {WIDGET_VIEW: {"model_id": "1"}, "text/plain": "HBox(children=())"}
    assert cleaned(view) == []
    assert [set(output.data) for output in cleaned({**view, "image/png": "AA=="})] == [{"text/plain", "image/png"}]


def test_smoke_measures_and_passes_the_profile(tmp_path):
    path = write(tmp_path / "a.ipynb", f'assert PROFILE == "smoke"\n{BLOCK}')
    assert 200 < smoke(path, tmp_path) < 1000


def test_smoke_sees_an_error(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        smoke(write(tmp_path / "a.ipynb", "1 / 0"), tmp_path)


def test_smoke_sees_a_file_left_behind(tmp_path):
    with pytest.raises(AssertionError, match="writes into the folder"):
        smoke(write(tmp_path / "a.ipynb", "open('left.txt', 'w').close()"), tmp_path)


def test_memory_limit_has_a_message():
    assert over_memory(MEMORY_LIMIT_MIB) is None
    assert "1501 MiB" in over_memory(MEMORY_LIMIT_MIB + 1)
