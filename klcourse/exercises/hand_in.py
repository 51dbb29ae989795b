"""A hand-in: one small file with what a student wrote and chose, to be given to whoever teaches.

    klcourse hand-in --name "Ada Lovelace"        writes hand-in-ada-lovelace.json

It holds the source of every answer cell that was changed, the diary (solved, predictions, quizzes, bets) and, if there is
one, the file of the capstone. It is a record with a seal, so that a damaged file is noticed. The seal is no signature:
whoever can run the course can also write such a file.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

from klcourse.seals import Altered, read_sealed, sealed
from klcourse.system import write_atomically
from klcourse.version import __version__

from . import diary, registry

FORMAT = 1
WORD = re.compile(r"\w+")
CALL = re.compile(r'exercise\("([\d.]+)"\)\.(?:check|use)\(')
"""How an answer cell asks for its check: which exercise it answers."""


class NoHandIn(ValueError):
    """A hand-in cannot be made or read; the message says why and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `klcourse hand-in`."""
    parser.add_argument("--name", required=True, help="yours, as the list of marks shall have it")
    parser.add_argument(
        "--notebooks", type=Path, default=Path("notebooks"), help="folder of your notebooks (default: notebooks)"
    )
    parser.add_argument("--capstone", type=Path, help="the file your capstone was saved to")
    parser.add_argument("--out", type=Path, help="the file to write (default: hand-in-YOUR-NAME.json)")


def answers(folder: Path) -> dict[str, str]:
    """Exercise -> source of its answer cell, of those that are no longer the stub; from the notebooks of a folder.

    Raises NoHandIn if there are no notebooks, or one cannot be read.
    """
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise NoHandIn(f"no notebooks in {folder}: name their folder with --notebooks")
    found: dict[str, str] = {}
    for path in paths:
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoHandIn(f"{path} cannot be read as a notebook ({error}): save it again in JupyterLab") from None
        for source in sources:
            for id in CALL.findall(source):
                if source.strip() != registry.exercise(id).cell().strip():
                    found[id] = source
    return found


def collect(name: str, notebooks: Path, capstone: Path | None = None) -> dict[str, Any]:
    """The record of a hand-in, sealed. Raises NoHandIn for an empty name, and for files that cannot be read."""
    if not name.strip():
        raise NoHandIn("a hand-in needs a name: --name 'Ada Lovelace'")
    record: dict[str, Any] = {
        "hand-in": FORMAT,
        "name": " ".join(name.split()),
        "klcourse": __version__,
        "python": platform.python_version(),
        "answers": answers(notebooks),
        "diary": diary.read(),
        "capstone": None,
    }
    if capstone is not None:
        try:
            record["capstone"] = read_sealed(capstone)
        except (OSError, Altered) as error:
            raise NoHandIn(f"the capstone {capstone} cannot be read ({error}): save it again from notebook 14") from None
    return sealed(record)


def read(path: Path) -> dict[str, Any]:
    """The record in a hand-in file. Raises NoHandIn for one that is damaged, or something else."""
    try:
        record = read_sealed(path)
    except Altered as error:
        raise NoHandIn(str(error)) from None
    except OSError as error:
        raise NoHandIn(f"{path} cannot be read: {error.strerror}") from None
    fits = (
        isinstance(record.get("name"), str)
        and isinstance(record.get("answers"), dict)
        and isinstance(record.get("diary"), dict)
        and all(isinstance(record["diary"].get(section), dict) for section in diary.SECTIONS)
    )
    if record.get("hand-in") != FORMAT or not fits:
        raise NoHandIn(f"{path} is no hand-in of this course: `klcourse hand-in` writes them")
    return record


def file_name(name: str) -> str:
    """A file name from a person's name.

    >>> file_name("Zoë  O'Neil"), file_name("李娜")
    ('hand-in-zoe-o-neil.json', 'hand-in-李娜.json')
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return f"hand-in-{'-'.join(WORD.findall(plain)).lower() or 'nameless'}.json"


def main(arguments: argparse.Namespace) -> int:
    """Write the file and say what is in it; 2 if it cannot be made."""
    try:
        record = collect(arguments.name, arguments.notebooks, arguments.capstone)
    except NoHandIn as error:
        print(f"klcourse hand-in: {error}", file=sys.stderr)
        return 2
    out = arguments.out or Path(file_name(record["name"]))
    write_atomically(out, json.dumps(record, indent=1, ensure_ascii=False).encode())
    kept = record["diary"]
    print(
        f"{out}: {len(record['answers'])} answers ({len(kept['solved'])} found right), {len(kept['guesses'])} predictions, "
        f"{len(kept['quizzes'])} quiz answers, {len(kept['bets'])} bets, "
        f"{'a capstone' if record['capstone'] else 'no capstone'}; {out.stat().st_size / 1000:.0f} kB"
    )
    return 0
