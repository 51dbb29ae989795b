"""The student edition: `make student` writes the course without solutions to build/student, and a zip file beside it.

Left out are the folded solutions and answers of the notebooks, the explanations stored with a quiz, the code of worked
solutions, and the tests. Proofs and evidence stay. The checks must know what is right, so whoever reads the source of
klcourse.exercises finds the numbers: the edition keeps honest people from looking too early, it is no exam.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from klcourse.system import print_anything

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "student"
PARTS = (
    "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "Makefile", "pyproject.toml", "requirements.txt",
    "constraints.txt", "klcourse", "notebooks", "binder",
)  # fmt: skip
FOLD = re.compile(r"\n*<details>\s*<summary>(?:Solution|Answer|What to see|What you should see)\b.*?</details>\n*", re.S)
LEFT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.pyc", "*.egg-info")


def without_answers(notebook: NotebookNode) -> NotebookNode:
    """The notebook without folded solutions and without what a quiz explains, changed in place."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            had = bool(cell.source.strip())
            cell.source = FOLD.sub("\n\n", cell.source).strip("\n")
            if had and not cell.source:
                continue
        elif {"exercise", "quiz"} & set(cell.metadata.get("tags", [])):  # what they show names solutions
            cell.outputs, cell.execution_count = [], None
        cells.append(cell)
    notebook.cells = cells
    return notebook


def without_solutions(source: str) -> str:
    """The source of a file of exercises: none shows its solution, and only those that a page goes on with still have one.

    >>> print(without_solutions('E = Exercise(id="1.1", worked="answer = 3", hints=("", ""))'))
    E = Exercise(told=False, id="1.1", worked="", hints=("", ""))
    """
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    changes: list[tuple[int, int, bytes]] = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Exercise"):
            continue
        begin = starts[(node.func.end_lineno or 0) - 1] + (node.func.end_col_offset or 0) + 1  # behind the bracket
        changes.append((begin, begin, b"told=False, "))
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if "lends" not in given and (worked := given.get("worked")) is not None:
            first = starts[worked.lineno - 1] + worked.col_offset
            last = starts[(worked.end_lineno or 0) - 1] + (worked.end_col_offset or 0)
            changes.append((first, last, b'""'))
    text = source.encode()
    for first, last, new in sorted(changes, reverse=True):
        text = text[:first] + new + text[last:]
    return text.decode()


def build(out: Path = OUT) -> Path:
    """Write the edition into a folder, which is emptied first, and its zip file; the zip file's path."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, out / name, ignore=LEFT)
        elif (ROOT / name).is_file():
            shutil.copy2(ROOT / name, out / name)
    for path in sorted((out / "notebooks").glob("*.ipynb")):
        nbformat.write(without_answers(nbformat.read(path, as_version=4)), path)
    for path in sorted((out / "klcourse" / "exercises").glob("n[0-9][0-9]_*.py")):
        path.write_text(without_solutions(path.read_text(encoding="utf-8")), encoding="utf-8")
    return Path(shutil.make_archive(str(out), "zip", out.parent, out.name))


def main() -> None:
    """The command line."""
    print_anything()
    archive = build()
    print(f"{OUT.relative_to(ROOT)} and {archive.relative_to(ROOT)} ({archive.stat().st_size / 1e6:.1f} MB): no solutions")


if __name__ == "__main__":
    main()
