"""`klcourse exercises`: what the reader has done, notebook by notebook; `--reset` forgets it."""

from __future__ import annotations

import argparse
import sys

from . import diary, registry
from .bets import bets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--reset", action="store_true", help="forget what was solved, predicted, bet and ticked")


def to_text() -> str:
    """The table, and where it is kept."""
    from klcourse import ledger

    kept = diary.read()
    lines = ["notebook                     solved  predicted  quiz"]
    for number, name in registry.files().items():
        done, all = registry.progress(number)
        guesses = registry.entries("GUESSES", number)
        guessed = sum(guess.id in kept["guesses"] for guess in guesses)
        quiz = getattr(registry.page(number), "QUIZ", None)
        cells = [
            f"{done}/{all}",
            f"{guessed}/{len(guesses)}",
            quiz.score.split(" right")[0].replace(" of ", "/") if quiz else "-",
        ]
        lines.append(f"{name[1:]:<28} {cells[0]:>6}  {cells[1]:>9}  {cells[2]:>4}")
    lines += [f"bets placed: {len(bets())} of {len(ledger.CLAIMS)}", f"kept in {diary.where()}"]
    return "\n".join(lines + diary.news())


def main(arguments: argparse.Namespace) -> int:
    """Print the table, or forget; 2 if the file cannot be removed."""
    if not arguments.reset:
        print(to_text())
        return 0
    try:
        there = diary.reset()
    except OSError as error:
        print(f"klcourse exercises: cannot remove {diary.where()}: {error.strerror}; delete it by hand", file=sys.stderr)
        return 2
    print("Forgotten; a new diary begins with the next answer." if there else "There was nothing to forget.")
    return 0
