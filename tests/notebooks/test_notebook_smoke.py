"""Every notebook runs through papermill with PROFILE = "smoke", from anywhere, leaving nothing behind.

With every stub filled in from the solutions: as committed, with the stubs left, the notebooks are run by nbval.
"""

import logging
import os

import nbformat
import papermill
import pytest
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from klcourse.publish.cost import over_memory, peak_mib
from klcourse.publish.fill import answer_cells, fill
from klcourse.publish.normalise import NOTEBOOKS
from tests.limits import CELL, limit

ROOT = NOTEBOOKS.parent
THEORY = ("06", "07", "08", "09")  # need no PyTorch: their kernels find none


class MeasuredClient(PapermillNotebookClient):
    """Looks at the kernel's peak memory just before papermill shuts it down."""

    def papermill_execute_cells(self):
        super().papermill_execute_cells()
        self.nb.metadata["peak_mib"] = peak_mib(self.km)


class MeasuredEngine(NBClientEngine):
    """papermill's own engine with the client above."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, execution_timeout=None, **_):
        MeasuredClient(
            nb_man,
            kernel_name=kernel_name,
            timeout=execution_timeout,
            startup_timeout=limit(120),
            log=logging.getLogger("papermill"),
        ).execute()


papermill_engines.register("measured", MeasuredEngine)


def tracked(folder) -> dict:
    """Size and time of every file that a notebook must leave alone."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for part in ("notebooks", "klcourse", "tests", "binder")
        for path in (folder / part).rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


def smoke(path, folder) -> float:
    """Run one notebook in an empty folder; peak memory in MiB. Asserts that the folder is still empty."""
    work, filled = folder / "work", folder / f"filled-{path.name}"
    work.mkdir()
    nbformat.write(fill(nbformat.read(path, as_version=4)), filled)
    notebook = papermill.execute_notebook(
        filled,
        folder / path.name,
        parameters={"PROFILE": "smoke"},
        engine_name="measured",
        kernel_name="python3",
        language="python",
        cwd=work,
        progress_bar=False,
        execution_timeout=limit(CELL),
    )
    assert [str(left) for left in work.iterdir()] == [], "the notebook writes into the folder it runs in"
    for one, cell in answer_cells(notebook):
        said = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        assert said.startswith(f"{one.id} Right."), f"the solution of {one.id} in its notebook: {said}"
    return notebook.metadata["peak_mib"]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_smoke(path, tmp_path, record_property, monkeypatch):
    if path.stem[:2] in THEORY:
        (tmp_path / "hidden").mkdir()
        (tmp_path / "hidden" / "torch.py").write_text("raise ModuleNotFoundError('hidden by a test', name='torch')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"), prepend=os.pathsep)
    record_property("notebook", path.stem)
    record_property("mode", "papermill smoke")
    before = tracked(ROOT)
    mib = smoke(path, tmp_path)
    record_property("peak_mib", mib)
    assert mib > 0, "the kernel's memory was not measured"
    assert over_memory(mib) is None
    assert tracked(ROOT) == before, "the notebook writes into the repository"
