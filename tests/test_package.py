"""The package as a whole: layers, light imports, docstrings, dependency lists that agree."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import klcourse

PACKAGE = Path(klcourse.__file__).parent

# Imports go only downwards. What stands on one line may import each other.
LAYERS = [
    {"__main__"},
    {"doctor"},
    {"widgets", "exercises", "figures", "plots", "notebook"},
    {"studies", "sweep"},
    {"runs", "run_files"},
    {"training"},
    {"generation", "metrics", "objectives", "models"},
    {"data", "system"},
    {"ledger", "games", "exact"},
]
LEVEL = {name: -depth for depth, names in enumerate(LAYERS) for name in names}
NO_TORCH = ("data", "ledger", "games", "exact", "notebook", "studies")

# Module names that are not the distribution's name.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "IPython": "ipython", "xdist": "pytest-xdist"}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    """The direct child of klcourse that a file belongs to: klcourse/data/fetch.py -> data."""
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Absolute names of everything a file imports, inside functions too: a.b.c for `from a.b import c`."""
    found = set()
    package = (klcourse.__name__, *path.relative_to(PACKAGE).parts[:-1]) if PACKAGE in path.parents else ()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            found |= {".".join((*base, *filter(None, [node.module]), alias.name)) for alias in node.names}
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_downwards(path):
    name = unit(path)
    if name == "__init__":
        assert not imports(path)
        return
    assert name in LEVEL, f"klcourse/{name} has no layer yet: add it to LAYERS in this file"
    for target in imports(path):
        if target.startswith("klcourse.") and (other := target.split(".")[1]) in LEVEL and other != name:
            assert LEVEL[other] <= LEVEL[name], f"{path.name} imports {target}, a higher layer"


def test_the_import_reader_understands_relative_imports(tmp_path):
    folder = PACKAGE / "data"
    assert any(name.startswith("klcourse.data.") for name in imports(folder / "__init__.py"))
    source = tmp_path / "a.py"
    source.write_text("import a.b\nfrom c import d\ndef f():\n    from klcourse.runs import run\n")
    assert imports(source) == {"a.b", "c.d", "klcourse.runs.run"}


@pytest.mark.parametrize(
    "name", [name for name in NO_TORCH if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists()]
)
def test_theory_and_data_do_not_import_torch(name):
    code = f"import sys, klcourse.{name}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or f"klcourse.{name} imports torch"


def test_import_klcourse_imports_nothing_else():
    code = "import sys; old = set(sys.modules); import klcourse; print(set(sys.modules) - old - {'klcourse'})"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def modules():
    return ["klcourse", *(m.name for m in pkgutil.walk_packages([str(PACKAGE)], "klcourse."))]


def public(module):
    """Public functions and classes that a module defines."""
    return [
        (name, thing)
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and getattr(thing, "__module__", None) == module.__name__
        and (inspect.isfunction(thing) or inspect.isclass(thing))
    ]


@pytest.mark.parametrize("name", modules())
def test_everything_public_has_a_docstring(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} has no docstring"
    # A dataclass without a docstring gets "Name(field: type, ...)", which says nothing.
    without = [
        label
        for label, thing in public(module)
        if not (thing.__doc__ or "").strip() or re.match(rf"{label}\(.*\)$", thing.__doc__, re.S)
    ]
    assert not without, f"no docstring in {name}: {', '.join(without)}"


# ---- dependencies ------------------------------------------------------------------------------------------


def pins(path: Path) -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def ranges(project):
    texts = project["dependencies"] + project["optional-dependencies"]["test"]
    return {requirement.name: requirement.specifier for requirement in map(Requirement, texts)}


def test_pins_and_ranges_name_the_same_packages_and_agree(root, ranges):
    pinned = pins(root / "requirements.txt")
    assert pinned.keys() == ranges.keys()
    assert [name for name in pinned if not ranges[name].contains(Version(pinned[name]))] == []
    assert "-e .[test]" in (root / "requirements.txt").read_text(encoding="utf-8").splitlines()


def test_what_is_tested_is_the_floor_of_its_range(root, ranges):
    """pyproject promises nothing that is not tested: no range starts below the pinned minor release."""
    for name, version in pins(root / "requirements.txt").items():
        floor = next(Version(part.version) for part in ranges[name] if part.operator == ">=")
        assert floor.release[:1] == Version(version).release[:1], name


def test_binder_has_the_same_pins_without_test_tools(root, project):
    binder, pinned = pins(root / "binder" / "requirements.txt"), pins(root / "requirements.txt")
    assert binder.pop("torch") == pinned["torch"] + "+cpu"
    needed = {Requirement(text).name for text in project["dependencies"]} - {"torch"}
    assert binder == {name: pinned[name] for name in needed}
    lines = (root / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "-e ." in lines and "--extra-index-url https://download.pytorch.org/whl/cpu" in lines
    python = (root / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert Version(python) in Requirement("x" + project["requires-python"]).specifier


def test_everything_imported_is_a_declared_dependency(root, project):
    main = {Requirement(text).name for text in project["dependencies"]}
    test = main | {Requirement(text).name for text in project["optional-dependencies"]["test"]}
    main |= {Requirement(text).name for text in project["optional-dependencies"]["cluster"]}
    own = {"klcourse"} | {path.stem for path in (root / "tests").rglob("*.py")} | {"tests"}
    for folder, declared in (PACKAGE, main), (root / "tests", test):
        for path in folder.rglob("*.py"):
            names = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - own
            if folder == PACKAGE:  # relative imports of the top level
                names -= {unit(other) for other in files()}
            undeclared = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in names} - declared
            assert not undeclared, f"{path.relative_to(root)} imports {undeclared}: add it to pyproject and requirements"


def test_optional_packages_are_tested_and_loaded_only_where_they_are_used(project):
    extras = project["optional-dependencies"]
    assert set(extras["cluster"]) <= set(extras["test"])
    optional = {Requirement(text).name for text in extras["cluster"]}
    for path in files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not optional & {name.split(".")[0] for name in names}, path.name


def test_readme_gives_every_dependency_its_reason(root, ranges):
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \|$", (root / "README.md").read_text(encoding="utf-8"), re.M)
    assert {name for name, _ in rows} == ranges.keys()
    assert all(len(reason) > 10 for _, reason in rows)


def test_version_is_the_packages_own(project):
    assert "version" in project["dynamic"] and re.fullmatch(r"\d+\.\d+\.\d+", klcourse.__version__)
