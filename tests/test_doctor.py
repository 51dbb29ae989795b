"""The doctor sees each illness it is for, names a remedy, and survives what it reports."""

import builtins
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from klcourse import doctor
from klcourse.doctor import Check


def by_name(checks):
    return {check.name: check for check in checks}


@pytest.fixture(scope="module")
def report():
    return by_name(doctor.run_checks())


@pytest.mark.parametrize(
    "name",
    [
        "Python",
        "torch",
        "numpy",
        "scikit-learn",
        "ipython",
        "torch computes on",
        "data cache",
        "mnist",
        "text",
        "free disk",
        "free memory",
        "Jupyter kernel",
    ],
)
def test_this_environment_passes(report, name):
    assert report[name].ok, str(report[name])


def test_every_required_package_is_checked(report, root):
    required = [text for text in importlib.metadata.requires("klcourse") if ";" not in text or text.endswith(doctor.TRAIN)]
    assert len(required) > 20
    for text in required:
        assert any(text.startswith(name) for name in report), text


def test_without_pytorch_the_theory_can_be_read(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "torch" else find(name, *more))
    checks = {check.name: check for check in [*doctor.check_packages(), *doctor.check_torch()]}
    assert checks["training"].status == "warn" and "06 to 09" in checks["training"].detail
    assert checks["numpy"].ok and not {"torch", "safetensors", "torch computes on"} & checks.keys()


def test_data_of_the_pinned_versions_have_the_recorded_fingerprints(report):
    sources = (
        "numpy",
        "scipy",
        "scikit-learn",
        "pandas",
        "matplotlib",
        "torch",
        "seaborn",
        "mlxtend",
        "sympy",
        "networkx",
    )
    if any(report[name].status != "ok" for name in sources):
        pytest.skip("other package versions than the pinned ones")
    assert (report["mnist"].status, report["text"].status) == ("ok", "ok")


def test_command_prints_one_line_a_check(root):
    done = subprocess.run(
        [sys.executable, "-m", "klcourse", "doctor"],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(doctor.run_checks())
    assert done.returncode == any(line.startswith("[fail]") for line in lines), done.stdout + done.stderr


def test_exit_code_and_summary(monkeypatch, capsys):
    def answers(*checks):
        monkeypatch.setattr(doctor, "run_checks", lambda: list(checks))
        code = doctor.main()
        return code, capsys.readouterr().out

    code, out = answers(Check("a", True, "fine"))
    assert code == 0 and out == "[ok]   a: fine\n\nReady.\n"
    code, out = answers(Check("a", True, "fine"), Check("b", True, "old", "update it"))
    assert code == 0 and "[warn] b: old\n       -> update it" in out and "Worth a look: b." in out
    code, out = answers(Check("b", True, "old", "update it"), Check("c", False, "gone", "get it"))
    assert code == 1 and "[fail] c: gone\n       -> get it" in out and "Not ready: c." in out


def test_every_failure_has_a_remedy(monkeypatch):
    def crash():
        raise RuntimeError("broken")

    for name in [name for name in vars(doctor) if name.startswith("check_") and name != "check_package"]:
        monkeypatch.setattr(doctor, name, crash)
    checks = doctor.run_checks()
    assert len(checks) == 8
    assert all(not check.ok and "RuntimeError: broken" in check.detail and check.remedy for check in checks)


def test_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    (check,) = doctor.check_python()
    assert not check.ok and "3.9.18 is too old" in check.detail and "3.11" in check.remedy


@pytest.fixture
def installed(monkeypatch):
    """Pretend that exactly these distributions are installed."""

    def pretend(**versions):
        def version(name):
            if name not in versions:
                raise importlib.metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(importlib.metadata, "version", version)

    return pretend


def test_package_versions(installed):
    installed(numpy="2.4.6", torch="2.13.0+cpu", ghost="1.0")
    tested = {"numpy": "2.4.5", "torch": "2.13.0"}
    assert doctor.check_package("numpy>=2.4", {}) == Check("numpy", True, "2.4.6")
    assert doctor.check_package("torch>=2.13,<3", tested).status == "ok"
    other = doctor.check_package("numpy>=2.4", tested)
    assert other.status == "warn" and 'pip install "numpy==2.4.5"' in other.remedy
    old = doctor.check_package("numpy>=2.5", {})
    assert old.status == "fail" and "2.4.6 does not fit >=2.5" in old.detail
    gone = doctor.check_package("ghost", {})
    assert gone.status == "fail" and "files are gone" in gone.detail
    missing = doctor.check_package("scipy>=1", {"scipy": "1.17.1"})
    assert missing.status == "fail" and missing.remedy == 'pip install "scipy==1.17.1"'


def test_package_itself_not_installed(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    checks = by_name(doctor.check_packages())
    assert not checks["klcourse"].ok and "pip install -r requirements.txt" in checks["klcourse"].remedy
    assert checks["numpy"].ok


def test_nothing_installed_at_all(monkeypatch):
    """A doctor that dies of a missing package helps nobody."""
    real = builtins.__import__

    def only_standard_library(name, *args, **kwargs):
        if name.split(".")[0] in {"packaging", "torch", "psutil", "jupyter_client", "numpy"} or name == "klcourse.data":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", only_standard_library)
    checks = doctor.run_checks()
    assert {"packages", "torch", "data", "Jupyter kernel"} <= {check.name for check in checks if not check.ok}


def test_cache_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KLCOURSE_DATA", str(tmp_path / "file" / "cache"))
    (check,) = doctor.check_cache()
    assert not check.ok and str(tmp_path) in check.detail and "KLCOURSE_DATA" in check.remedy


def test_other_and_broken_data(monkeypatch):
    import klcourse.data

    def load(name):
        if name == "mnist":
            raise OSError("truncated")
        return SimpleNamespace(train=[0] * 9, test=[0], fingerprint="0123")

    monkeypatch.setattr(klcourse.data, "load", load)
    checks = by_name(doctor.check_data())
    assert not checks["mnist"].ok and "truncated" in checks["mnist"].detail
    assert checks["text"].status == "warn" and "9 + 1 sentences, fingerprint 0123" in checks["text"].detail


def test_little_disk_fails_little_memory_warns(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10 * 2**20))
    monkeypatch.setattr(doctor, "available_memory", lambda: 0.5 * 2**30)
    disk, memory = doctor.check_resources()
    assert disk.status == "fail" and memory.status == "warn"


def test_memory_limit_of_a_container(monkeypatch):
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    free = doctor.available_memory()
    monkeypatch.setenv("MEM_LIMIT", str(2 * 2**30))
    assert 0 < doctor.available_memory() < min(2 * 2**30, free + 2**28)


def test_kernel_missing_or_of_another_python(monkeypatch):
    from jupyter_client import kernelspec

    def manager(get):
        monkeypatch.setattr(kernelspec, "KernelSpecManager", lambda: SimpleNamespace(get_kernel_spec=get))
        (check,) = doctor.check_kernel()
        return check

    def missing(name):
        raise kernelspec.NoSuchKernel(name)

    assert "ipykernel install" in manager(missing).remedy
    other = manager(lambda name: SimpleNamespace(argv=["/elsewhere/bin/python", "-m", "ipykernel_launcher"]))
    assert not other.ok and "another Python" in other.detail
    assert manager(lambda name: SimpleNamespace(argv=[sys.executable])).ok
    assert manager(lambda name: SimpleNamespace(argv=["python"])).ok


def test_notebooks_found_from_the_course_folder_only(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ROOT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    (check,) = doctor.check_notebooks()
    assert not check.ok and "README.md" in check.remedy
    Path("notebooks").mkdir()
    Path("notebooks/00_start_here.ipynb").touch()
    (check,) = doctor.check_notebooks()
    assert check.ok and check.detail.startswith("1 in ")
