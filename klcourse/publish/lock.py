"""The versions of everything that is installed, not only of what requirements.txt names: `make lock`.

Two files are written from one environment: constraints.txt, which `make` and CI install with, and the part of
binder/requirements.txt under its last comment. Both hold what this system needs; what other systems need beside it floats.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGE = "klcourse"
HEAD = "# Every package that requirements.txt brings, for `pip install -c`. Written by `make lock`; not by hand.\n"
BINDER_REST = "# what these bring, as in ../constraints.txt"


def needed(extras: Iterable[str] = ()) -> dict[str, str]:
    """Name -> version of all that klcourse with these extras needs here, directly or not, itself left out.

    Raises PackageNotFoundError if the environment lacks one of them.

    >>> found = needed()
    >>> "numpy" in found, "pytest" in found, "pytest" in needed(["test"])
    (True, False, True)
    """
    found: dict[str, str] = {}
    asked: set[tuple[str, str]] = set()
    left = [(PACKAGE, extra) for extra in ("", *extras)]
    while left:
        name, extra = left.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        package = distribution(name)
        found[name] = package.version.partition("+")[0]
        for text in package.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                child = canonicalize_name(requirement.name)
                left += [(child, each) for each in ("", *requirement.extras)]
    del found[PACKAGE]
    return dict(sorted(found.items()))


def constraints() -> str:
    """The text of constraints.txt for this environment."""
    return HEAD + "".join(f"{name}=={version}\n" for name, version in needed(["test"]).items())


def binder(text: str) -> str:
    """The text of binder/requirements.txt, its own pins as they are, those under BINDER_REST made anew."""
    own = text.partition(BINDER_REST)[0].rstrip("\n")
    named = {canonicalize_name(line.partition("==")[0]) for line in own.splitlines() if "==" in line}
    rest = "".join(f"{name}=={version}\n" for name, version in needed(["train"]).items() if name not in named)
    return f"{own}\n\n{BINDER_REST}\n{rest}"


def main() -> int:
    """Write both files."""
    try:
        whole = constraints()
    except PackageNotFoundError as error:
        print(f"{error.name} is not installed here: pip install -r requirements.txt, then again")
        return 2
    (ROOT / "constraints.txt").write_text(whole, encoding="utf-8")
    path = ROOT / "binder" / "requirements.txt"
    path.write_text(binder(path.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"constraints.txt: {whole.count('==')} packages; binder/requirements.txt: {path.read_text().count('==')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
