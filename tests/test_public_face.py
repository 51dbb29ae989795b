"""`import klcourse as kl`: instant, about twenty names, each with words; and the README shows what the package says."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import klcourse as kl
from klcourse import catalogue, objectives

METHODS = re.compile(r"<!-- methods -->\n(.*?)<!-- /methods -->", re.S)


@pytest.mark.parametrize("name", kl.__all__)
def test_every_name_is_there_and_says_what_it_is(name):
    thing = getattr(kl, name)
    assert name in dir(kl) and (name == "__version__" or inspect.getdoc(thing))


@pytest.mark.parametrize("name", [name for name in kl.__all__ if not inspect.ismodule(getattr(kl, name))])
def test_functions_and_classes_have_an_example_that_runs(name):
    """It is a doctest, and pytest runs all of them."""
    assert name == "__version__" or ">>>" in inspect.getdoc(getattr(kl, name))


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(AttributeError, match="klcourse has no 'trian': there are methods, deviations, Run"):
        kl.trian  # noqa: B018


def test_names_for_type_checkers_are_the_names_at_run_time():
    tree = ast.parse(Path(kl.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == set(kl.__all__) - {"__version__"}


def test_importing_it_imports_nothing_heavy():
    code = "import sys; old = set(sys.modules); import klcourse; print(sorted(set(sys.modules) - old - {'klcourse'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name for name in ast.literal_eval(done.stdout) if name.split(".")[0] not in sys.stdlib_module_names}
    assert found == {"klcourse.version"}


def test_what_objectives_are_called_can_be_asked_without_torch():
    code = "import sys; sys.modules['torch'] = None; import klcourse as kl; print(len(kl.methods()), kl.RateHinge(c=3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "RateHinge(lam=1.0, c=3, beta=1.0)" in done.stdout, done.stderr


def test_without_pytorch_what_needs_it_says_so():
    code = """
import sys
sys.modules.pop("torch", None)
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("hidden", name="torch")
sys.meta_path.insert(0, Without())
import klcourse as kl
from klcourse.__main__ import main
try:
    kl.train
except ImportError as error:
    print(error)
sys.exit(main(["run", "--out", "nowhere"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "kl.train needs PyTorch, which is not installed: pip install" in done.stdout, done.stderr
    assert done.stderr == "klcourse: this needs PyTorch, which is not installed: pip install -r requirements.txt\n"


def test_a_loss_can_be_lifted_out():
    """objectives/ imports the standard library, PyTorch and klcourse.gaussians, which imports nothing of the course."""
    folder = Path(objectives.__file__).parent
    for path in (*folder.glob("*.py"), folder.parent / "gaussians.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                allowed = name.split(".")[0] in sys.stdlib_module_names | {"torch"}
                assert allowed or (name == "klcourse.gaussians" and path.name != "gaussians.py"), f"{path.name}: {name}"


def test_the_readme_has_the_table_of_methods(root):
    found = METHODS.search((root / "README.md").read_text(encoding="utf-8"))
    assert found, "README.md has no <!-- methods --> ... <!-- /methods -->"
    remedy = "put what `klcourse methods --markdown` prints between the marks in README.md"
    assert found[1].strip() == catalogue.to_markdown(), remedy


def test_the_command_prints_the_table(capsys):
    from klcourse.__main__ import main

    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in objectives.OBJECTIVES) and "objectives/rate.py" in printed
    assert main(["methods", "--markdown"]) == 0 and capsys.readouterr().out.strip() == catalogue.to_markdown()
