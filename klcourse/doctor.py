"""Set-up checks behind `klcourse doctor`: what works, what does not, and what to do about it.

Versions are read from package metadata; of the heavy packages only torch is imported, because its threads and
GPU cannot be known otherwise.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 11)
GIB = 2**30
DISK_NEEDED = 0.2 * GIB  # caches and a few runs
MEMORY_NEEDED = 1.5 * GIB  # what a quick notebook may use
# What the pinned versions give, by name: what the examples are, and their fingerprint.
TESTED_DATA = {"mnist": ("digits", "7736f35f019b3a87"), "text": ("sentences", "b935e5af89b73112")}
REINSTALL = "run `make lab` again, or: pip install -r requirements.txt"
TRAIN = 'extra == "train"'  # the marker of what only training needs
ROOT = Path(__file__).parents[1]

# Module names that are not the distribution's name.
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn", "ipython": "IPython", "pytest-xdist": "xdist"}


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report. A remedy on a passed check makes it a warning.

    >>> print(Check("Python", True, "3.11.7"))
    [ok]   Python: 3.11.7
    >>> print(Check("disk", False, "0.1 GiB free", "delete something"))
    [fail] disk: 0.1 GiB free
           -> delete something
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    @property
    def status(self) -> str:
        """One of "ok", "warn" (works, but read the remedy) and "fail"."""
        return "fail" if not self.ok else "warn" if self.remedy else "ok"

    def __str__(self) -> str:
        line = f"{'[' + self.status + ']':<6} {self.name}: {self.detail}"
        return line + (f"\n       -> {self.remedy}" if self.remedy else "")


def run_checks() -> list[Check]:
    """Every check, in the order in which to solve problems. Never raises: a crash is a failed check."""
    groups: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("Python", check_python),
        ("packages", check_packages),
        ("torch", check_torch),
        ("data cache", check_cache),
        ("data", check_data),
        ("disk and memory", check_resources),
        ("Jupyter kernel", check_kernel),
        ("notebooks", check_notebooks),
    ]
    checks: list[Check] = []
    for name, group in groups:
        try:
            checks += group()
        except Exception as error:  # the doctor has to survive the illness it reports
            checks.append(Check(name, False, f"{type(error).__name__}: {error}", REINSTALL))
    return checks


def main() -> int:
    """Print the report; the exit code: 0 if nothing failed, else 1."""
    checks = run_checks()
    for check in checks:
        print(check)
    failed = [check.name for check in checks if check.status == "fail"]
    warned = [check.name for check in checks if check.status == "warn"]
    print()
    if failed:
        print(f"Not ready: {', '.join(failed)}. Follow the arrows above, then run `klcourse doctor` again.")
        return 1
    print("Ready." + (f" Worth a look: {', '.join(warned)}." if warned else ""))
    return 0


def check_python() -> Iterator[Check]:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    new_enough = sys.version_info[:2] >= OLDEST_PYTHON
    yield Check(
        "Python",
        new_enough,
        version if new_enough else f"{version} is too old",
        "" if new_enough else "install Python 3.11 or newer, delete .venv, run `make lab` again",
    )


def pins(path: Path = ROOT / "requirements.txt") -> dict[str, str]:
    """The tested version of every package by its name; empty where there is no requirements.txt."""
    if not path.exists():
        return {}
    return dict(re.findall(r"^([\w.-]+)==([\w.+]+)", path.read_text(encoding="utf-8"), re.M))


def check_packages() -> Iterator[Check]:
    """Each package the course needs: there, in its range, at the version the course is tested with."""
    tested = pins()
    try:
        needed = importlib.metadata.requires("klcourse") or []
        yield Check("klcourse", True, importlib.metadata.version("klcourse"))
    except importlib.metadata.PackageNotFoundError:
        yield Check("klcourse", False, "not installed: a notebook cannot import it", REINSTALL)
        needed = list(tested)
    of_training = [requirement for requirement in needed if requirement.endswith(TRAIN)]
    for requirement in needed:
        if ";" not in requirement:  # a marker here means an extra
            yield check_package(requirement, tested)
    if of_training and importlib.util.find_spec("torch") is None:
        yield Check("training", True, "no PyTorch: notebooks 06 to 09 do without", f"for the others {REINSTALL}")
        return
    for requirement in of_training:
        yield check_package(requirement.partition(";")[0], tested)


def check_package(requirement: str, tested: dict[str, str]) -> Check:
    """One package against its range and its tested version, where that is known.

    >>> check_package("no-such-package>=1", {})
    Check(name='no-such-package', ok=False, detail='missing', remedy='pip install "no-such-package>=1"')
    """
    from packaging.requirements import (
        Requirement,
    )  # here, so that the doctor lives where nothing is installed
    from packaging.version import Version

    allowed = Requirement(requirement)
    name, pin = allowed.name, tested.get(allowed.name)
    wanted = f"{name}=={pin}" if pin else requirement
    remedy = f'pip install "{wanted}"'
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "missing", remedy)
    module = MODULES.get(name, name.replace("-", "_"))
    if importlib.util.find_spec(module) is None:
        return Check(name, False, f"{version} is recorded as installed, but its files are gone", remedy)
    if not allowed.specifier.contains(version, prereleases=True):
        return Check(name, False, f"{version} does not fit {allowed.specifier}", remedy)
    # Without the local part: 2.13.0+cpu and 2.13.0 are the same torch.
    if pin and Version(version).public != Version(pin).public:
        return Check(name, True, version, f"tested with {pin}; if something looks odd: {remedy}")
    return Check(name, True, version)


def check_torch() -> Iterator[Check]:
    """Where torch computes, and with how many threads; nothing where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return
    import torch

    where = "CPU"
    if torch.cuda.is_available():
        where = f"CPU and {torch.cuda.get_device_name()}"
    elif getattr(torch.backends, "mps", None) and torch.backends.mps.is_available():
        where = "CPU (an Apple GPU is there and not used)"
    total = float(torch.ones(3).sum())
    yield Check(
        "torch computes on",
        total == 3,
        f"{where}, threads: {torch.get_num_threads()}",
        "" if total == 3 else REINSTALL,
    )


def check_cache() -> Iterator[Check]:
    """The folder for prepared data can be written to."""
    from klcourse.data import cache

    folder = cache.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        yield Check("data cache", True, str(folder))
    except OSError as error:
        yield Check(
            "data cache",
            False,
            f"cannot write to {folder} ({error.strerror})",
            "set the environment variable KLCOURSE_DATA to a folder of yours",
        )


def check_data() -> Iterator[Check]:
    """Both data sets that need no network can be read, and are the ones the stored results were made with."""
    from klcourse.data import load

    for name, (what, tested) in TESTED_DATA.items():
        try:
            data = load(name)
        except Exception as error:  # a broken package can fail in any way; the other data set may be fine
            yield Check(name, False, f"{type(error).__name__}: {error}", REINSTALL)
            continue
        same = data.fingerprint == tested
        yield Check(
            name,
            True,
            f"{len(data.train)} + {len(data.test)} {what}, fingerprint {data.fingerprint}",
            ""
            if same
            else f"tested with {tested}: made from other package versions, so expect other digits "
            "in the results, but the same pattern",
        )


def check_resources() -> Iterator[Check]:
    """Free disk and memory; too little memory is a warning, because the kernel's own limit decides."""
    free = shutil.disk_usage(Path.cwd()).free
    yield Check(
        "free disk",
        free >= DISK_NEEDED,
        f"{free / GIB:.1f} GiB",
        "" if free >= DISK_NEEDED else "runs and caches need about 0.2 GiB: delete something",
    )
    memory = available_memory()
    yield Check(
        "free memory",
        True,
        f"{memory / GIB:.1f} GiB",
        "" if memory >= MEMORY_NEEDED else "a notebook may need 1.5 GiB: close programs or other kernels",
    )


def available_memory() -> float:
    """Bytes this process may still use: what the machine has free, or less where a container sets a limit."""
    import psutil

    available = float(psutil.virtual_memory().available)
    used = psutil.Process().memory_info().rss
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            available = min(available, int(limit) - used)
    except (OSError, ValueError):
        pass  # no cgroup v2 here
    if os.environ.get("MEM_LIMIT", "").isdigit():  # set by Binder and JupyterHub
        available = min(available, int(os.environ["MEM_LIMIT"]) - used)
    return max(available, 0.0)


def check_kernel() -> Iterator[Check]:
    """Jupyter finds the kernel `python3`, the one the notebooks ask for, and it is this Python."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    remedy = f'"{sys.executable}" -m ipykernel install --sys-prefix'
    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        yield Check("Jupyter kernel", False, "python3 is not registered", remedy)
        return
    # A bare "python" is replaced by the interpreter that starts Jupyter; a full path is taken as it is.
    own = Path(program).name == program or Path(program).parent.resolve() == Path(sys.executable).parent.resolve()
    yield Check(
        "Jupyter kernel",
        own,
        "python3" if own else f"python3 is another Python: {program}",
        "" if own else remedy,
    )


def check_notebooks() -> Iterator[Check]:
    """The course itself: notebooks/00_start_here.ipynb in the course folder or where we stand."""
    for folder in (ROOT, Path.cwd(), Path.cwd().parent):
        if (folder / "notebooks" / "00_start_here.ipynb").exists():
            count = len(list((folder / "notebooks").glob("*.ipynb")))
            yield Check("notebooks", True, f"{count} in {folder / 'notebooks'}")
            return
    yield Check(
        "notebooks",
        False,
        "notebooks/00_start_here.ipynb not found",
        "run the command in the course folder, the one with README.md and notebooks/",
    )
