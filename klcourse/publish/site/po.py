"""Catalogues of translations, as gettext writes them: read, write, and bring up to date. Nothing but the standard library.

The files are ordinary .po files: Poedit, Weblate and the gettext tools read and write them too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

LINE = re.compile(r'^(#\| )?(msgid|msgstr)? ?"(.*)"$')
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
UNESCAPE = {written: meant for meant, written in ESCAPES.items()}
ALIKE = 0.6  # of its letters in common with an older text, and its translation is kept as a draft


@dataclass
class Entry:
    """One text with its translation; `fuzzy`: of an older text, `previous`, and not to be shown."""

    text: str
    translation: str = ""
    where: list[str] = field(default_factory=list)
    fuzzy: bool = False
    previous: str = ""

    @property
    def done(self) -> bool:
        """Translated, and from the text as it is now."""
        return bool(self.translation) and not self.fuzzy


def quoted(text: str) -> str:
    r"""A text as the catalogue has it.

    >>> print(quoted('the "rate"\n$\\lambda$'))
    "the \"rate\"\n$\\lambda$"
    """
    return '"' + re.sub(r'[\\"\n\t]', lambda match: ESCAPES[match.group()], text) + '"'


def unquoted(text: str) -> str:
    r"""The text that stands between the quotation marks of a catalogue.

    >>> unquoted(r'$\\lambda$ \"now\"')
    '$\\lambda$ "now"'
    """
    return re.sub(r'\\[\\"nt]', lambda match: UNESCAPE[match.group()], text)


def parse(catalogue: str) -> dict[str, Entry]:
    """The entries of a catalogue by their text; comments of translators and the head (text "") are not among them.

    >>> parse('#: 01\\n#, fuzzy\\nmsgid ""\\n"a "\\n"nat"\\nmsgstr "一奈特"\\n')["a nat"]
    Entry(text='a nat', translation='一奈特', where=['01'], fuzzy=True, previous='')
    """
    entries = {}
    for paragraph in re.split(r"\n\s*\n", catalogue):
        parts = {"msgid": "", "msgstr": "", "#| msgid": ""}
        where: list[str] = []
        fuzzy, current = False, ""
        for line in paragraph.splitlines():
            if match := LINE.match(line):
                current = (match[1] or "") + match[2] if match[2] else current
                parts[current] = parts.get(current, "") + unquoted(match[3])
            elif line.startswith("#: "):
                where += line[3:].split()
            elif line.startswith("#,"):
                fuzzy = "fuzzy" in line
        if parts["msgid"]:
            entries[parts["msgid"]] = Entry(parts["msgid"], parts["msgstr"], where, fuzzy, parts["#| msgid"])
    return entries


def write(entries: Mapping[str, Entry], head: str) -> str:
    """The catalogue of these entries, in their order, each text in one line.

    head    what the entry of the empty text says: language, coding
    """
    parts = ['msgid ""\nmsgstr ' + quoted(head)]
    for entry in entries.values():
        lines = ["#: " + " ".join(entry.where)] if entry.where else []
        lines += ["#, fuzzy"] if entry.fuzzy else []
        lines += ["#| msgid " + quoted(entry.previous)] if entry.fuzzy and entry.previous else []
        parts.append("\n".join([*lines, "msgid " + quoted(entry.text), "msgstr " + quoted(entry.translation)]))
    return "\n\n".join(parts) + "\n"


def update(entries: Mapping[str, Entry], texts: Mapping[str, list[str]]) -> dict[str, Entry]:
    """The entries that a course with these texts needs: old translations kept, drafts from the nearest text that is gone.

    texts    text -> where it stands, in the order of reading
    """
    gone = {text: entry for text, entry in entries.items() if text not in texts and entry.translation}
    found = {}
    for text, where in texts.items():
        entry = entries.get(text)
        if entry is None or not entry.translation:
            nearest = max(gone, key=lambda old: _alike(old, text), default=None)
            if nearest is not None and _alike(nearest, text) >= ALIKE:
                draft = gone.pop(nearest)
                entry = Entry(text, draft.translation, fuzzy=True, previous=draft.previous or nearest)
        entry = entry or Entry(text)
        found[text] = Entry(text, entry.translation, where, entry.fuzzy, entry.previous)
    return found


def _alike(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0


def load(path: Path) -> dict[str, Entry]:
    """The entries of a file; none if there is no file yet."""
    return parse(path.read_text(encoding="utf-8")) if path.exists() else {}
