"""What all tests share: hypothesis settings, figures without windows, the table of notebook costs."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import defaultdict
from pathlib import Path

import hypothesis
import matplotlib
import pytest

from klcourse.publish.cost import over_memory, peak_mib, table
from tests.limits import CELL, LONG, limit, too_slow

# No deadline: a shared machine may stall any example. In CI the same examples every time.
hypothesis.settings.register_profile("klcourse", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "klcourse")

# Started in the background, a shell leaves Ctrl-C ignored, and nohup the hang-up, here and in every kernel; tests need both.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# By a call, not by MPLBACKEND: the notebook kernels inherit the environment and need their inline backend.
matplotlib.use("Agg")

# The diary of exercises: the tests, and the kernels they start, leave the reader's own alone.
os.environ["KLCOURSE_DIARY"] = str(Path(tempfile.mkdtemp(prefix="klcourse-diary-")) / "diary.json")

BRUTE_FORCE = Path(__file__).parent / "exact"

# What takes longest comes first, so that no worker is left alone with it at the end.
LONGEST = (
    "tests/browser/test_notebooks.py",
    "notebooks/12_text.ipynb",
    "notebooks/11_mnist.ipynb",
    "notebooks/13_beyond.ipynb",
    "tests/test_sweep.py",
    "tests/test_runs.py",
    "tests/widgets/test_cockpit.py",
    "notebooks/14_verdict.ipynb",
    "notebooks/03_kl_vanishing.ipynb",
    "notebooks/04_payoff_matrices.ipynb",
    "tests/browser/test_decks.py",
    "tests/browser/test_cockpit.py",
)
# The longest live runs, a minute and a half each as a reader has them: every day small, in the long run as they are.
LIVE = ("11_mnist", "12_text", "13_beyond")
APART = ("tests/notebooks/test_notebook_smoke.py",)  # tests that share nothing: each can go to another worker


def mode(item) -> str:
    """How nbval runs a notebook, as the table of costs calls it."""
    return "nbval smoke" if item.path.stem in LIVE and not LONG else "nbval quick"


class NotebookCosts:
    """Measures the kernels that nbval starts and prints seconds and peak memory of every notebook at the end.

    The numbers travel as `user_properties` of the test reports, so the table is the same under xdist.
    Any test that sets "notebook", "mode" and "peak_mib" gets its row (see test_notebook_smoke.py).
    """

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.mib: dict[tuple[str, str], float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """After every nbval cell: the kernel's peak memory, and a failure if it is above the limit."""
        kernel = getattr(item.parent, "kernel", None) if type(item).__name__ == "IPyNbCell" else None
        try:
            outcome = yield
        except Exception:
            if kernel is not None and item.parent.timed_out:
                what = f"cell {item.cell_num} of {item.path.name}"
                pytest.fail(too_slow(what, item.config.option.nbval_cell_timeout), pytrace=False)
            raise
        finally:
            if hasattr(kernel, "km"):  # nbval takes it away when it gives up on a cell, and says why itself
                mib = peak_mib(kernel.km)
                item.user_properties += [("notebook", item.path.stem), ("mode", mode(item)), ("peak_mib", mib)]
        if hasattr(kernel, "km") and (message := over_memory(mib)):
            pytest.fail(message, pytrace=False)
        return outcome

    def pytest_runtest_setup(self, item):
        """So that the start of the kernel, which is part of the first cell's set-up, is counted too."""
        if type(item).__name__ == "IPyNbCell":
            if item.parent.timed_out:  # nbval would run them all, and call each that passes a failure
                pytest.skip("an earlier cell of this notebook was stopped: see there")
            item.config.option.nbval_cell_timeout = limit(CELL)
            item.config.option.cov_source = None  # to count lines takes a kernel a fifth of its time
            item.output_timeout = limit(60)  # nbval's 5 s for a kernel's last message are too few on a machine that stalls
            item.user_properties += [("notebook", item.path.stem), ("mode", mode(item))]

    def pytest_runtest_logreport(self, report):
        """Add up the seconds of a notebook's reports, keep the largest memory."""
        properties = dict(report.user_properties)
        if "notebook" in properties:
            key = properties["notebook"], properties["mode"]
            self.seconds[key] += report.duration
            self.mib[key] = max(self.mib[key], properties.get("peak_mib", 0.0))

    def pytest_terminal_summary(self, terminalreporter):
        """The table, once, in the process that talks to the terminal."""
        if self.seconds:
            terminalreporter.section("notebooks: seconds and peak memory of the kernel")
            for line in table({key: (self.seconds[key], self.mib[key]) for key in self.seconds}):
                terminalreporter.write_line(line)


def pytest_collection_modifyitems(items):
    """Comparisons with brute force run the same few lines a million times: to count them costs minutes and finds nothing."""
    for item in items:
        if BRUTE_FORCE in item.path.parents:
            item.add_marker("no_cover")
        if (
            type(item).__name__ == "IPyNbCell"
            and mode(item) == "nbval smoke"
            and "parameters" in item.cell.metadata.get("tags", [])
        ):
            item.cell.source = item.cell.source.replace('PROFILE = "quick"', 'PROFILE = "smoke"')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadfile`: the longest files, then the tests of APART one by one, then the files with most tests."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    def place(name):
        return LONGEST.index(name) if name in LONGEST else len(LONGEST) + (not name.startswith(APART))

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if nodeid.startswith(APART) else super()._split_scope(nodeid)

        def _assign_work_unit(self, node):
            if not any(self.assigned_work.values()):  # at the start: xdist has put the files with most tests first
                for name in sorted(self.workqueue, key=place):
                    self.workqueue.move_to_end(name)
            super()._assign_work_unit(node)

    return LongestFirst(config, log)


def pytest_configure(config):
    """As a plugin object, because hooks of a conftest are not called for files outside its folder."""
    config.pluginmanager.register(NotebookCosts(), "klcourse-notebook-costs")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the course: where README.md and pyproject.toml are."""
    return Path(__file__).parents[1]
