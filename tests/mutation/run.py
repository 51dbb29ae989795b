"""Which mistakes would the tests notice? A sample of small changes (mutants) of each room, and the share that a test kills.

    make mutants                                  every room, 60 mutants each: half an hour on two cores
    make mutants ROOMS=games SAMPLE=200           one room, more of it
    make mutants WITHOUT=tests/test_games_numbers.py    the score as if these tests did not exist

The mutants are mutmut's. It works on copies in build/mutants, so a run that is stopped leaves the repository as it was.
Mutants that only change a text are left out, and mutmut does not touch properties and other decorated functions.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPY = ROOT / "build" / "mutants"  # one folder a room in it
ROOMS = {  # room -> the tests that are about it
    "exact": ["tests/exact"],
    "games": ["tests/test_games*.py"],
    "objectives": ["tests/test_objectives*.py", "tests/test_baselines.py"],
    "measure": ["tests/test_measure*.py"],
    "ledger": ["tests/test_ledger.py"],
}


def mutmut(copy: Path, *arguments: str, seconds: float | None = None) -> str:
    """The output of one mutmut command in the copy; what there is of it when the time is over."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    try:
        done = subprocess.run(
            command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as late:
        return late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    return done.stdout


def prepare(copy: Path, room: str, without: list[str]) -> None:
    """A fresh copy of package and tests, with mutmut's settings for this room."""
    shutil.rmtree(copy, ignore_errors=True)
    for name in ("klcourse", "tests", "notebooks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in without:
        (copy / name).unlink(missing_ok=True)
    tests = sorted({str(path.relative_to(copy)) for pattern in ROOMS[room] for path in copy.glob(pattern)})
    settings = {
        "source_paths": ["klcourse"],
        "only_mutate": [f"klcourse/{room}/*"],
        "also_copy": ["notebooks"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-q", "-x"],
        "timeout_multiplier": 4.0,
        "process_isolation": "forkserver",  # a plain fork would hand caches filled by the unchanged code to every mutant
    }
    lines = [f"{key} = {value!r}" for key, value in settings.items()]
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (copy / "pyproject.toml").write_text("\n".join([text, "[tool.mutmut]", *lines, "use_git_change_detection = false", ""]))


def without_text(function: ast.FunctionDef) -> str:
    """The function without its name and its texts: two that agree here differ only in what they say."""
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    function.name = ""
    return ast.dump(function)


def mutants_of(copy: Path, room: str) -> list[str]:
    """Names of all mutants of the room that change more than a text, from the files that mutmut wrote."""
    names = []
    for file in sorted((copy / "mutants" / "klcourse" / room).rglob("*.py")):
        module = ".".join(file.relative_to(copy / "mutants").with_suffix("").parts)
        functions = {node.name: node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}
        plain = {name: without_text(node) for name, node in functions.items()}
        for name in plain:
            found = re.fullmatch(r"(.*__mutmut_)(\d+)", name)
            if found and plain[name] != plain.get(found[1] + "orig"):
                names.append(f"{module}.{name}")
    return names


def score(room: str, sample: int, seed: int, seconds: float, children: int, without: list[str]) -> None:
    """Prints the room's score and a diff of every survivor."""
    copy = COPY / "-".join([room, *(Path(name).stem for name in without)])
    prepare(copy, room, without)
    first = mutmut(copy, "run", "--max-children", str(children), "no.such.mutant", seconds=seconds)  # writes the mutants
    names = mutants_of(copy, room)
    if not names:
        print(f"{room}: no mutants; mutmut said\n{first[-2000:]}")
        return
    chosen = random.Random(seed).sample(names, min(sample, len(names)))
    out = mutmut(copy, "run", "--max-children", str(children), *chosen, seconds=seconds)
    listed = dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+)$", mutmut(copy, "results", "--all", "true"), re.M))
    fates = {name: listed.get(name, "not checked") for name in chosen}
    done = {name: fate for name, fate in fates.items() if fate not in ("not checked", "skipped")}
    if not done:
        print(f"{room}: nothing was run; mutmut said\n{out[-2000:]}")
        return
    killed = sum(fate in ("killed", "timeout", "suspicious", "segfault") for fate in done.values())
    print(f"{room}: {killed} of {len(done)} mutants killed ({killed / len(done):.0%}); {len(names)} in all, seed {seed}")
    if late := list(done.values()).count("timeout"):
        print(f"  {late} of these only by the time limit: endless loops, or a busy machine (run them again on a quiet one)")
    for name, fate in done.items():
        if fate in ("survived", "no tests", "timeout"):
            changed = [line for line in mutmut(copy, "show", name).splitlines() if re.match(r"[-+](?![-+])", line)]
            print(f"  {fate}: {name}\n    " + "\n    ".join(changed))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=f"some of {', '.join(ROOMS)}")
    parser.add_argument("--sample", type=int, default=60, help="mutants a room")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--seconds", type=float, default=1200, help="at most, for each of a room's two runs")
    parser.add_argument("--children", type=int, default=2, help="mutants tried at the same time")
    parser.add_argument("--without", nargs="*", default=[], help="test files to leave out")
    given = parser.parse_args()
    for room in given.rooms or ROOMS:
        score(room, given.sample, given.seed, given.seconds, given.children, given.without)


if __name__ == "__main__":
    main()
