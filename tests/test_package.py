"""The package as a whole: layers, light imports, docstrings, dependency lists that agree."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import klcourse
from klcourse.publish import lock

PACKAGE = Path(klcourse.__file__).parent

# Imports go only downwards. What stands on one line does not import each other. The public face, klcourse/__init__.py,
# stands above all: it names what there is and loads it when it is asked for.
LAYERS = [
    {"__main__"},
    {"doctor"},
    {"publish"},
    {"live"},
    {"widgets"},
    {"exercises"},
    {"figures"},
    {"plots", "notebook"},
    {"sweep"},
    {"runs"},
    {"studies"},
    {"training"},
    {"measure"},
    {"models", "catalogue"},
    {"objectives"},
    {"gaussians", "data", "picture"},
    {"seals", "system", "version"},
    {"ledger"},
    {"games"},
    {"exact"},
]
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}

# Theory, data, figures, and what objectives are called: of use without PyTorch, so not one of their modules imports it.
NO_TORCH = {"data", "ledger", "games", "exact", "notebook", "studies", "objectives", "gaussians", "plots", "figures"}
NO_TORCH |= {"catalogue", "doctor", "exercises", "picture", "publish", "seals", "system", "version"}

# Module names that are not the distribution's name.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "IPython": "ipython",
    "xdist": "pytest-xdist",
    "mathjax": "django-static-mathjax",
}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """The name a file is imported by: klcourse/data/fetch.py -> klcourse.data.fetch, and __init__.py -> klcourse.data."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in files()}


def unit(path: Path) -> str:
    """The direct child of klcourse that a file belongs to: klcourse/data/fetch.py -> data."""
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Absolute names of everything a file imports, anywhere in its text: a.b.c for `from a.b import c`.

    Inside functions, under TYPE_CHECKING and relative ones count like any other.
    """
    found = set()
    package = path.relative_to(PACKAGE.parent).parts[:-1] if PACKAGE in path.parents else ()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            found |= {".".join((*base, *filter(None, [node.module]), alias.name)) for alias in node.names}
    return found


def own(name: str) -> str | None:
    """The module of the package that an absolute name belongs to: klcourse.games for klcourse.games.Game."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_downwards(path):
    if (name := unit(path)) == "__init__":
        return
    assert name in DEPTH, f"klcourse/{name} has no layer yet: add it to LAYERS in this file"
    for target in imports(path):
        if (module := own(target)) and (other := unit(MODULES[module])) != name:
            assert other != "__init__", f"{path.name} imports {target}: the public face is for readers"
            assert DEPTH[other] > DEPTH[name], f"{path.name} imports {target}, which is no lower layer"


def test_nothing_imports_what_makes_the_course():
    """klcourse.publish needs packages that a reader does not have."""
    for path in files():
        assert unit(path) == "publish" or not any(name.startswith("klcourse.publish") for name in imports(path)), path


def graph() -> dict[str, set[str]]:
    """Module -> modules of the package that it imports, wherever in its text.

    The `__init__` of a package counts as a module, and importing klcourse.games.game from elsewhere imports klcourse.games
    too. From within the package it does not: that `__init__` is being imported already, and a module which imports its
    neighbour asks nothing of it.
    """
    edges: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        edges[name] = {module for target in imports(path) if (module := own(target))}
        for module in list(edges[name]):
            parents = {module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1)}
            edges[name] |= {parent for parent in parents if not f"{name}.".startswith(f"{parent}.")}
        edges[name].discard(name)  # a package that imports one of its own modules
    return edges


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """One circle for every way back that a walk along the edges finds; empty if there is none."""
    found, done, trail = [], set(), []

    def walk(name: str) -> None:
        trail.append(name)
        for other in sorted(edges[name]):
            if other in trail:
                found.append([*trail[trail.index(other) :], other])
            elif other not in done:
                walk(other)
        done.add(trail.pop())

    for name in edges:
        if name not in done:
            walk(name)
    return found


def test_modules_do_not_import_each_other_in_a_circle():
    assert [" -> ".join(circle) for circle in circles(graph())] == []


def test_the_search_for_circles_finds_them():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
    assert circles({"d": {"a"}, "a": {"b", "c"}, "b": {"c"}, "c": {"a"}}) == [["a", "b", "c", "a"]]


def test_the_import_reader_understands_relative_imports(tmp_path):
    assert any(name.startswith("klcourse.widgets.frame.") for name in imports(PACKAGE / "widgets/frame/__init__.py"))
    source = tmp_path / "a.py"
    source.write_text("import a.b\nfrom c import d\ndef f():\n    from klcourse.runs import run\n")
    assert imports(source) == {"a.b", "c.d", "klcourse.runs.run"}
    assert own("klcourse.games.Game") == "klcourse.games" and own("klcourse") == "klcourse" and own("torch.nn") is None


# ---- what importing does ------------------------------------------------------------------------------------

WATCH = """
import importlib, importlib.abc, json, logging, os, random, signal, sys, threading, warnings

class Without(importlib.abc.MetaPathFinder):
    "As if these packages were not installed."
    def __init__(self, names):
        self.names = names
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"no {name} here", name=name)

def failures(names):
    "Module -> what its import says, for those that fail."
    found = {}
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found

def state():
    "What an import must leave alone."
    import matplotlib, numpy, pandas, torch
    return {
        "signal handlers": {str(s): str(signal.getsignal(s)) for s in signal.valid_signals()},
        "warnings": [str(f) for f in warnings.filters],
        "logging": [(log.level, len(log.handlers)) for log in map(logging.getLogger, (None, "distributed", "matplotlib"))],
        "rcParams": {k: str(matplotlib.rcParams[k]) for k in matplotlib.rcParams if k != "backend"},
        "torch": [torch.get_num_threads(), torch.get_num_interop_threads(), str(torch.get_default_dtype()),
                  torch.initial_seed(), torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()],
        "numpy": [numpy.geterr(), str(numpy.random.get_state()), numpy.get_printoptions()],
        "pandas": [str(pandas.get_option(o)) for o in ("display.precision", "display.max_rows", "mode.copy_on_write")],
        "random": str(random.getstate()),
        "environment": [dict(os.environ), os.getcwd(), sys.path, str(sys.excepthook), sys.getrecursionlimit()],
        "threads": [t.name for t in threading.enumerate()],
    }
"""


def watched(code: str, *values: object) -> Any:
    """Run code after WATCH in a fresh process, `values` as its list of the same name; what it puts into `result`."""
    code = f"{WATCH}\nvalues = json.loads(sys.argv[1])\n{code}\nprint(json.dumps(result))"
    command = [sys.executable, "-c", code, json.dumps(values)]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules(distributions: set[str]) -> list[str]:
    """The names that these distributions are imported by."""
    differ = {name: module for module, name in DISTRIBUTIONS.items()}
    return [differ.get(name, name.replace("-", "_")) for name in sorted(distributions)]


def test_theory_data_figures_and_objectives_do_without_torch(project):
    """And without the rest that only training needs."""
    names = [name for name, path in MODULES.items() if unit(path) in NO_TORCH - {"publish"}]
    code = "sys.meta_path.insert(0, Without(values[0])); result = failures(values[1]), 'torch' in sys.modules"
    assert watched(code, modules(extra(project, "train")), names) == [{}, False]


def test_a_reader_needs_no_optional_package(project):
    """Everything but klcourse.publish imports without the packages of the extras."""
    absent = extra(project, "test") - extra(project, "train")
    names = [name for name, path in MODULES.items() if unit(path) != "publish"]
    code = "sys.meta_path.insert(0, Without(values[0])); result = failures(values[1])"
    assert watched(code, modules(absent), names) == {}


def test_importing_a_module_changes_nothing_else():
    """No handler, filter, seed, thread, setting or style is touched by an import, once the packages it needs are there."""
    needed = {name.rpartition(".")[0] or name for path in files() for name in imports(path)}
    others = sorted(name for name in needed if name.split(".")[0] not in {"klcourse", *sys.stdlib_module_names})
    code = """
failures(values[0])
before = state()
failed = failures(values[1])
after = state()
result = failed, [name for name in before if before[name] != after[name]]
"""
    assert watched(code, others, list(MODULES)) == [{}, []]


def public(module):
    """Public functions and classes that a module defines."""
    return [
        (name, thing)
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and getattr(thing, "__module__", None) == module.__name__
        and (inspect.isfunction(thing) or inspect.isclass(thing))
    ]


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} has no docstring"
    # A dataclass without a docstring gets "Name(field: type, ...)", which says nothing.
    without = [
        label
        for label, thing in public(module)
        if not (thing.__doc__ or "").strip() or re.match(rf"{label}\(.*\)$", thing.__doc__, re.S)
    ]
    # Methods and properties too; one that overrides another has its docstring from there.
    for label, cls in public(module):
        for member, value in vars(cls).items() if inspect.isclass(cls) else ():
            if not member.startswith("_") and isinstance(value, (FunctionType, property, classmethod, staticmethod)):
                if not inspect.getdoc(getattr(cls, member)):
                    without.append(f"{label}.{member}")
    assert not without, f"no docstring in {name}: {', '.join(without)}"


# ---- dependencies ------------------------------------------------------------------------------------------


def pins(path: Path) -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==") for line in lines if "==" in line)


def named(texts: Iterable[str]) -> set[str]:
    return {Requirement(text).name for text in texts}


def listed(project: dict, name: str) -> list[str]:
    """The requirements of an extra, those of the extras it contains among them."""
    found = []
    for text in project["optional-dependencies"][name]:
        inner = Requirement(text)
        if inner.name == "klcourse":
            found += [each for one in sorted(inner.extras) for each in listed(project, one)]
        else:
            found.append(text)
    return found


def extra(project: dict, name: str) -> set[str]:
    return named(listed(project, name))


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def ranges(project):
    texts = project["dependencies"] + listed(project, "test")
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
    binder, whole = pins(root / "binder" / "requirements.txt"), pins(root / "constraints.txt")
    assert binder.pop("torch") == whole["torch"] + "+cpu"
    needed = named(project["dependencies"]) | extra(project, "train")
    assert needed - {"torch"} <= binder.keys() <= whole.keys()
    assert binder == {name: whole[name] for name in binder}
    lines = (root / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    options = [line for line in lines if line.startswith("-")]
    assert options == ["--extra-index-url https://download.pytorch.org/whl/cpu"], "a file named here would cost a layer"
    assert "pip install --no-cache-dir --no-deps -e ." in (root / "binder" / "postBuild").read_text(encoding="utf-8")
    python = (root / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert Version(python) in Requirement("x" + project["requires-python"]).specifier


def test_constraints_pin_everything(root):
    """What is installed for the tests, and what requirements.txt names, each with its version."""
    whole, pinned = pins(root / "constraints.txt"), pins(root / "requirements.txt")
    assert {name: whole[name] for name in pinned} == pinned
    here = lock.needed(["test"])
    differ = {name: version for name, version in here.items() if whole.get(name, version) != version}
    if any(here[name] != version for name, version in pinned.items()):
        pytest.skip("other versions than those of requirements.txt are installed")
    assert not differ, "make lock"


def test_the_lock_is_written_from_what_is_installed(root):
    text = (root / "binder" / "requirements.txt").read_text(encoding="utf-8")
    own = text.partition(lock.BINDER_REST)[0]
    again = lock.binder(own + lock.BINDER_REST + "\nsomething-gone==1\n")
    assert again.startswith(own) and "something-gone" not in again and "\ntornado==" in again
    assert lock.binder(again) == again and "\nnumpy==" in lock.constraints()


def test_everything_imported_is_a_declared_dependency(root, project):
    main = named(project["dependencies"])
    for path in (*files(), *(root / "tests").rglob("*.py")):
        if PACKAGE not in path.parents:
            declared = main | extra(project, "test")
        else:
            declared = main | extra(project, "publish" if unit(path) == "publish" else "cluster")
        if path == PACKAGE / "publish" / "site" / "conf.py":  # Sphinx reads it, in the site's own environment
            declared |= set(pins(path.parent / "requirements.txt"))
        names = {name.split(".")[0] for name in imports(path)} - {"klcourse", "tests", *sys.stdlib_module_names}
        undeclared = {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in names} - declared
        assert not undeclared, f"{path.relative_to(root)} imports {undeclared}: add it to pyproject and requirements"


def test_optional_packages_are_tested_and_loaded_only_where_they_are_used(project):
    assert extra(project, "cluster") | extra(project, "publish") <= extra(project, "test")
    optional = extra(project, "cluster") - extra(project, "train")
    for path in files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not optional & {name.split(".")[0] for name in names}, path.name


def test_readme_gives_every_dependency_its_reason(root, ranges):
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|$", (root / "README.md").read_text(encoding="utf-8"), re.M)
    assert {name for name, _ in rows} == ranges.keys()
    assert all(len(reason) > 10 for _, reason in rows)


def test_files_that_are_no_code_are_installed_too(root):
    found = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    installed = {path for pattern in found["klcourse"] for path in PACKAGE.glob(pattern)}
    others = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others == installed and PACKAGE / "publish" / "deck" / "deck.js" in installed


def test_version_is_the_packages_own(project):
    assert "version" in project["dynamic"] and re.fullmatch(r"\d+\.\d+\.\d+", klcourse.__version__)


def test_what_is_said_to_take_longest_is_there(root):
    from tests.conftest import APART, LONGEST

    assert [name for name in (*LONGEST, *APART) if not (root / name).is_file()] == []
