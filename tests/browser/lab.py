"""A JupyterLab of our own for the browser: free port, token, folders that vanish, killed by its id.

Nothing of the user's Jupyter takes part and nothing is left behind: settings, data and run-time files live in one
temporary folder, and so do the copies of the notebooks.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil

from tests.limits import LONG, limit

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EVERYTHING = LONG or os.environ.get("KLCOURSE_BROWSER") == "all"  # make test-long, make test-browser
QUICK = 'PROFILE = "quick"'
START_SECONDS = limit(120)


def smoke_copy(source: Path, target: Path) -> None:
    """A copy of a notebook as a reader has it before the first run: PROFILE = "smoke", no outputs."""
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace(QUICK, 'PROFILE = "smoke"')
    nbformat.write(notebook, target)


class Lab:
    """A running JupyterLab server; a context manager.

    url        its address without the token
    token      what a browser must show
    notebooks  a folder with copies of the course's notebooks, PROFILE = "smoke"
    """

    def __init__(self, folder: Path) -> None:
        self.own, self.notebooks = folder / "server", folder / "course" / "notebooks"
        self.token = secrets.token_hex(16)
        self.log = folder / "server.log"
        shutil.copytree(ROOT / "notebooks" / "results", self.notebooks / "results")
        for path in NOTEBOOKS:
            smoke_copy(path, self.notebooks / path.name)

    def __enter__(self) -> Lab:
        jupyter = {f"JUPYTER_{part.upper()}_DIR": part for part in ("config", "data", "runtime")}
        places = {name: self.own / part for name, part in {**jupyter, "IPYTHONDIR": "ipython"}.items()}
        for place in places.values():
            place.mkdir(parents=True)
        # Else it asks whether it may fetch news, on top of the page.
        settings = self.own / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
        threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
                *(f"--ServerApp.root_dir={self.notebooks.parent}", f"--IdentityProvider.token={self.token}"),
                "--expose-app-in-browser",  # so that the page can be asked what no pixel tells
            ],
            cwd=self.notebooks.parent,
            env={**os.environ, **threads, **{name: str(place) for name, place in places.items()}},
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            self.url = f"http://127.0.0.1:{self._port(self.own / 'runtime')}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def _port(self, runtime: Path) -> int:
        """The port the server chose, from the file it writes when it listens: no port is guessed, so none is lost."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            for file in runtime.glob("jpserver-*.json"):
                try:
                    return json.loads(file.read_text())["port"]
                except json.JSONDecodeError:  # half written
                    pass
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def __exit__(self, *_: object) -> None:
        """End the server and the kernels it started, by their ids."""
        try:
            family = [*psutil.Process(self.process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            family = []
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
