"""Which exercises, guesses and quizzes there are: one file a notebook, nNN_name.py, found by its name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from .exercise import Exercise, count


@cache
def files() -> dict[int, str]:
    """Notebook number -> module of its exercises.

    >>> files()[1]
    'n01_elbo'
    """
    names = sorted(module.name for module in iter_modules([str(Path(__file__).parent)]))
    return {int(name[1:3]): name for name in names if name[0] == "n" and name[1:3].isdigit()}


def page(number: int) -> ModuleType:
    """The module of one notebook. It has EXERCISES and may have GUESSES and QUIZ. ValueError for a notebook without."""
    if number not in files():
        raise ValueError(f"notebook {number:02d} has no exercises: choose one of {', '.join(map(str, files()))}")
    return import_module(f"klcourse.exercises.{files()[number]}")


def entries(kind: str, number: int | None = None) -> list[Any]:
    """All EXERCISES or all GUESSES, of one notebook or of the course, in their order.

    >>> [one.id for one in entries("EXERCISES", 1)][:2]
    ['1.1', '1.2']
    """
    numbers = files() if number is None else [number]
    return [entry for n in numbers for entry in getattr(page(n), kind, ())]


def find(kind: str, id: str) -> Any:
    """One entry by its number, "5.2". ValueError names those there are."""
    try:
        number = int(str(id).split(".")[0])
    except ValueError:
        raise ValueError(f"{id!r} is no number of the form '5.2'") from None
    known = entries(kind, number)
    for entry in known:
        if entry.id == str(id):
            return entry
    raise ValueError(f"there is no {id!r} in notebook {number:02d}: choose one of {', '.join(e.id for e in known)}")


def exercise(id: str) -> Exercise:
    """An exercise by its number: `.check(answer)`, `.hint()`, `.solution()`. ValueError if there is none.

    >>> exercise("1.2").check(28).text[0]
    '28 is the side of the picture; it has 28 × 28 pixels.'
    """
    return find("EXERCISES", id)


def progress(number: int | str) -> tuple[int, int]:
    """How many exercises of a notebook are solved, and how many there are."""
    page(int(number))
    return count(number)
