"""The student edition: no solution is left in a notebook or shown by a check, and the checks still work."""

import subprocess
import sys

import nbformat

from klcourse.publish import student


def test_the_edition_shows_no_solution_and_still_checks(tmp_path):
    archive = student.build(tmp_path / "student")
    assert archive.stat().st_size > 1e6 and archive.suffix == ".zip"
    folds = 0
    for path in sorted((tmp_path / "student" / "notebooks").glob("*.ipynb")):
        source = (student.ROOT / "notebooks" / path.name).read_text(encoding="utf-8")
        folds += source.count("<summary>Solution")
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        text = path.read_text(encoding="utf-8")
        assert "<summary>Solution" not in text and "<summary>Answer" not in text, path.name
        assert text.count("<summary>Proof") == source.count("<summary>Proof")
    assert folds > 20
    assert not (tmp_path / "student" / "tests").exists()

    code = """
from klcourse.exercises import exercise, registry
assert exercise("1.2").check(784).passed and not exercise("1.2").check(28).passed
for one in registry.entries("EXERCISES"):
    assert "No solution here" in repr(one.solution()) and "solution" not in repr(one.hint(2)), one.id
    assert bool(one.worked) == one.lends, one.id
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "student", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
