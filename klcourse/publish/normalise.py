"""Run notebooks in place and store what belongs into the repository: `make notebooks`.

    python -m klcourse.publish.normalise                     all of notebooks/, PROFILE = "quick"
    python -m klcourse.publish.normalise 01_elbo 11_mnist    these
    python -m klcourse.publish.normalise --profile full 11_mnist

Results are stored only if the run succeeded and breaks none of the rules in rules.py. A second run on the
same machine changes nothing but numbers that really changed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from klcourse.notebook import PROFILES
from klcourse.publish.cost import Cost, peak_mib, table
from klcourse.publish.rules import KERNELSPEC, WIDGET_VIEW, problems
from klcourse.publish.slides import assign
from klcourse.system import print_anything

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
QUICK = 'PROFILE = "quick"'
BAR = re.compile(r"\d+%\||\dit \[")  # tqdm with and without a known length


class MeasuredClient(NotebookClient):
    """A notebook client that asks for the kernel's peak memory after every cell."""

    peak = 0.0

    async def async_execute_cell(self, *args, **kwargs):
        """Execute one cell, then look at the kernel, whether the cell failed or not."""
        try:
            return await super().async_execute_cell(*args, **kwargs)
        finally:
            self.peak = max(self.peak, peak_mib(self.km))


def execute(notebook: NotebookNode, profile: str = "quick", timeout: int = 7200) -> Cost:
    """Run a notebook (changed in place) under a profile; seconds and the kernel's peak memory in MiB.

    The kernel works in an empty folder, so that a notebook which needs its own folder fails here.
    Raises CellExecutionError if a cell does.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    originals = [cell.source for cell in cells]
    for cell in cells:
        cell.source = cell.source.replace(QUICK, f'PROFILE = "{profile}"')
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        diary = os.path.join(other, "diary.json")  # a reader who has not answered anything yet
        client = MeasuredClient(
            notebook,
            kernel_name="python3",
            timeout=timeout,
            coalesce_streams=True,
            record_timing=False,
            store_widget_state=False,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env={**os.environ, "KLCOURSE_DIARY": diary})
        finally:
            for cell, source in zip(cells, originals, strict=True):
                cell.source = source
    return time.perf_counter() - started, client.peak


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Remove, in place, whatever depends on the moment of execution; ids are kept, missing ones numbered."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("papermill", None)
    notebook.metadata["kernelspec"] = dict(KERNELSPEC)
    notebook.metadata["language_info"] = {
        "name": "python",
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "pygments_lexer": "ipython3",
    }
    count = 0
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number:02d}")
        for key in ("execution", "papermill", "collapsed", "scrolled", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        executed = bool(cell.source.strip())
        count += executed
        cell.execution_count = count if executed else None
        cell.outputs = [kept for output in cell.outputs if (kept := _static(output)) is not None]
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
    return assign(notebook)


def _static(output: NotebookNode) -> NotebookNode | None:
    """The part of an output that means something without a kernel, None if there is none."""
    if output.output_type == "stream" and output.name == "stderr":
        # A progress bar redraws its line after a carriage return; what is not a bar, say a warning, stays.
        lines = [line for line in re.split(r"[\r\n]+", output.text) if line.strip() and not BAR.search(line)]
        output.text = "".join(line + "\n" for line in lines)
        return output if lines else None
    if "data" in output and WIDGET_VIEW in output.data:
        del output.data[WIDGET_VIEW]
        # Of a bare widget only the text "HBox(children=..." is left; a static figure beside it stays.
        return output if set(output.data) - {"text/plain"} else None
    return output


def update(path: Path, profile: str = "quick") -> Cost:
    """Run, normalise and store one notebook file. Raises ValueError if the result breaks a rule."""
    notebook = nbformat.read(path, as_version=4)
    cost = execute(notebook, profile)
    normalise(notebook)
    fresh = path.with_name(f".{path.stem}.fresh.ipynb")
    try:
        nbformat.write(notebook, fresh)
        if found := problems(fresh):
            raise ValueError("not stored, because of\n  " + "\n  ".join(found))
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return cost


def find(names: list[str]) -> list[Path]:
    """The notebook files for names like 01_elbo, 01_elbo.ipynb or a path, all for none; FileNotFoundError."""
    if not names:
        if not (paths := sorted(NOTEBOOKS.glob("*.ipynb"))):
            raise FileNotFoundError(f"no notebooks in {NOTEBOOKS}: install the package from its folder, pip install -e .")
        return paths
    paths = []
    for name in names:
        path = Path(name)
        if path.suffix != ".ipynb" or not path.exists():
            path = NOTEBOOKS / f"{path.stem}.ipynb"
        if not path.exists():
            known = ", ".join(other.stem for other in sorted(NOTEBOOKS.glob("*.ipynb")))
            raise FileNotFoundError(f"no notebook {name!r}; there are: {known}")
        paths.append(path)
    return paths


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if any notebook failed or broke a rule."""
    print_anything()
    parser = argparse.ArgumentParser(description="Run notebooks in place and store their outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="for example 01_elbo; default: all")
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    options = parser.parse_args(arguments)
    costs, failed = {}, []
    try:
        paths = find(options.names)
    except FileNotFoundError as error:
        print(error)
        return 1
    for path in paths:
        print(path.stem, end=" ... ", flush=True)
        try:
            costs[path.stem, options.profile] = update(path, options.profile)
            print("stored")
        except (CellExecutionError, ValueError) as error:
            failed.append(path.stem)
            print(f"FAILED\n{error}")
    print("\n" + "\n".join(table(costs)))
    if failed:
        print(f"failed, left as they were: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
