"""Bring the Chinese catalogue up to date with the notebooks, and say what waits for a translator.

    python -m klcourse.publish.site.messages            write the catalogue: after a change of a page that is translated
    python -m klcourse.publish.site.messages --check    write nothing; 1 if the catalogue is not up to date
    python -m klcourse.publish.site.messages --list     also list the texts that wait

A text that changed keeps its old translation as a draft, marked fuzzy as gettext does; until somebody has looked at it and
taken the mark away, the page shows the English text.
"""

from __future__ import annotations

import argparse
import sys

from klcourse.publish.site import po
from klcourse.publish.site.chinese import CATALOGUE, course_texts

HEAD = "\n".join(
    (
        "Project-Id-Version: klcourse",
        "Language: zh_CN",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        "Content-Transfer-Encoding: 8bit",
        "",
    )
)


def waiting(entries: dict[str, po.Entry]) -> tuple[list[po.Entry], list[po.Entry]]:
    """What is not translated, and what was translated from an older text."""
    return [e for e in entries.values() if not e.translation], [e for e in entries.values() if e.translation and e.fuzzy]


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 if --check finds the catalogue behind the pages."""
    parser = argparse.ArgumentParser(description="Bring the Chinese catalogue up to date with the notebooks.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--list", action="store_true", help="list the texts that wait for a translator")
    options = parser.parse_args(arguments)
    before = po.load(CATALOGUE)
    entries = po.update(before, course_texts())
    new, old = waiting(entries)
    done = len(entries) - len(new) - len(old)
    print(f"{len(entries)} texts: {done} translated, {len(old)} outdated (fuzzy), {len(new)} untranslated")
    for entry in (*new, *old) if options.list else ():
        print(f"  {', '.join(entry.where)}: {entry.text}")
    if entries == before and list(entries) == list(before):
        return 0
    if options.check:
        print("the catalogue is behind the pages: python -m klcourse.publish.site.messages")
        return 1
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    CATALOGUE.write_text(po.write(entries, HEAD), encoding="utf-8")
    print(f"written: {CATALOGUE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
