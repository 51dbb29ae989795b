"""The marks of a class: `klcourse marks FOLDER` reads every hand-in of a folder and prints a table, a line a student.

With --run every answer is judged again here, in a process of its own that is stopped after a minute. That runs the
students' code with your rights: do it where you would open their notebooks. What a diary says was found right and is not
found right here is named.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from klcourse.version import __version__

from . import hand_in, registry
from .quiz import LETTERS, Quiz

SECONDS = 60.0  # for one answer that is judged again

AGAIN = """
import json, sys
from klcourse.exercises import diary, exercise
id, source = json.load(sys.stdin)
names = {"__name__": "answer", "exercise": exercise}
exec(exercise(id).setup, names)
exec(source, names)
sys.exit(0 if id in diary.read()["solved"] else 1)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `klcourse marks`."""
    parser.add_argument("folder", type=Path, help="folder of the files that `klcourse hand-in` wrote")
    parser.add_argument("--run", action="store_true", help="judge every answer again; this runs the students' code")
    parser.add_argument("--csv", type=Path, help="write the table to this file too")


def is_right(id: str, source: str, seconds: float = SECONDS) -> bool:
    """Whether an answer cell, run in a process of its own, is found right; False if it is stopped by the time.

    >>> is_right("1.2", 'answer = 784\\nexercise("1.2").check(answer)')
    True
    """
    with tempfile.TemporaryDirectory() as folder:  # whose diary is nobody's
        settings = os.environ | {"KLCOURSE_DIARY": str(Path(folder) / "diary.json"), "MPLBACKEND": "agg"}
        command = [sys.executable, "-c", AGAIN]
        try:
            done = subprocess.run(
                command, input=json.dumps([id, source]), text=True, capture_output=True, timeout=seconds, env=settings
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def quiz_right(quiz: Quiz, given: dict[str, Any]) -> int:
    """How many answers of a diary's quizzes, {"1.2": "b"}, are right in this quiz."""
    right = 0
    for i, question in enumerate(quiz.questions, 1):
        letters = [letter for letter, option in zip(LETTERS, question.options) if option.right]
        right += given.get(f"{quiz.number}.{i}") in letters
    return right


def mark(record: dict[str, Any], run: bool = False) -> dict[str, str]:
    """One student's line: notebook -> exercises found right, of how many; then predictions, quiz, bets, capstone."""
    kept = record["diary"]
    solved = set(kept["solved"])
    remarks = []
    if run:
        known = {one.id for one in registry.entries("EXERCISES")}
        again = {id for id, source in record["answers"].items() if id in known and is_right(id, str(source))}
        if lost := sorted((solved & known) - again):
            remarks.append(f"not found right here: {', '.join(lost)}")
        solved = again
    elif bare := sorted(solved - set(record["answers"])):
        remarks.append(f"solved, but no answer in the notebooks: {', '.join(bare)}")
    if record["klcourse"] != __version__:
        remarks.append(f"made with klcourse {record['klcourse']}")
    line = {"name": record["name"]}
    right = asked = 0
    for number in registry.files():
        ids = {one.id for one in registry.entries("EXERCISES", number)}
        line[f"{number:02d}"] = f"{len(ids & solved)}/{len(ids)}"
        if quiz := getattr(registry.page(number), "QUIZ", None):
            right, asked = right + quiz_right(quiz, kept["quizzes"]), asked + len(quiz.questions)
    guesses = {guess.id for guess in registry.entries("GUESSES")}
    line["predicted"] = f"{len(guesses & set(kept['guesses']))}/{len(guesses)}"
    line["quiz"] = f"{right}/{asked}"
    line["bets"] = str(len(kept["bets"]))
    line["capstone"] = "yes" if record["capstone"] else "-"
    line["remarks"] = "; ".join(remarks)
    return line


def table(folder: Path, run: bool = False, progress: bool = False) -> list[dict[str, str]]:
    """A line for every file of a folder, by name; a file that is no hand-in gets a line that says so. NoHandIn if empty."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise hand_in.NoHandIn(f"no hand-ins in {folder}: it should hold the files that `klcourse hand-in` wrote")
    lines = []
    for path in tqdm(paths, desc="marking", disable=not progress):
        try:
            lines.append(mark(hand_in.read(path), run))
        except hand_in.NoHandIn as error:
            lines.append({"name": path.name, "remarks": str(error)})
    names = [line["name"] for line in lines]
    for line in lines:
        if names.count(line["name"]) > 1:
            line["remarks"] = "; ".join(filter(None, [line["remarks"], "several files have this name"]))
    return sorted(lines, key=lambda line: line["name"])


def to_text(lines: list[dict[str, str]]) -> str:
    """The table for the console; what a line has not is a dash."""
    columns = max(lines, key=len).keys()
    rows = [list(columns), *([line.get(column, "-") for column in columns] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main(arguments: argparse.Namespace) -> int:
    """Print the table, write it if asked to; 2 if there is nothing to mark."""
    try:
        lines = table(arguments.folder, arguments.run, progress=arguments.run and sys.stderr.isatty())
    except hand_in.NoHandIn as error:
        print(f"klcourse marks: {error}", file=sys.stderr)
        return 2
    print(to_text(lines))
    if arguments.csv:
        text = io.StringIO()
        writer = csv.DictWriter(text, max(lines, key=len).keys(), restval="-", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        arguments.csv.write_text(text.getvalue(), encoding="utf-8")
    return 0
