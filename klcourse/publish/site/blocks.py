"""A page of Markdown as the texts that a translator gets: paragraphs, list items, headings, rows of tables.

Code, formulas on their own, HTML tags and link targets' lines stay where they are, and so does what marks a block: a
translation can neither lose nor move them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

FENCE = re.compile(r"^\s*(```+|~~~+)")
MARK = re.compile(r"^<!-- (\w+) -->$")  # what a command wrote, as klcourse.publish.home, up to <!-- /home -->
TAGS = re.compile(r"^\s*(<[^>]+>\s*)*$")  # blank lines too
SUMMARY = re.compile(r"^(\s*<details><summary>)(.*)(</summary>)$")
ROW = re.compile(r"^(\s*)(\|.*\|)\s*$")
RULE = re.compile(r"^\s*\|[\s:|-]+\|\s*$")
HEADING = re.compile(r"^(#{1,6} )(.*)$")
ITEM = re.compile(r"^(\s*(?:[-*]|\d+\.)\s+)(.*)$")
PARAGRAPH = re.compile(r"^(\s*)(.*)$")
STARTS = (FENCE, TAGS, SUMMARY, ROW, HEADING, ITEM)
NO_WORDS = re.compile(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<[^>]*>")


def has_words(text: str) -> bool:
    """Is there something to translate, beside code, formulas and numbers?

    >>> has_words("| $R$ | `rate` | 3 |"), has_words("| $R$ | the rate |")
    (False, True)
    """
    return bool(re.search(r"[A-Za-z]{2}", NO_WORDS.sub(" ", text)))


def slug(heading: str) -> str:
    """The anchor that an English heading has on its page.

    >>> slug("4. What the idea is worth, in numbers")
    'what-the-idea-is-worth-in-numbers'
    """
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-").lstrip("0123456789-")


def translate(markdown: str, say: Callable[[str], str], anchors: bool = False) -> str:
    """The page with each of its texts replaced by what `say` makes of it.

    anchors  put the English heading's anchor before each heading whose words change, so that links to it go on working

    >>> print(translate("## A nat\\n\\n- of *information*,\\n  or of rate\\n\\n`code`", str.upper, anchors=True))
    <a class="place" id="a-nat"></a>
    ## A NAT
    <BLANKLINE>
    - OF *INFORMATION*, OR OF RATE
    <BLANKLINE>
    `code`
    """
    lines, found, at = markdown.split("\n"), [], 0
    while at < len(lines):
        line = lines[at]
        if fence := FENCE.match(line):
            end = at + 1
            while end < len(lines) and not lines[end].strip().startswith(fence[1]):
                end += 1
            found += lines[at : end + 1]
            at = end + 1
        elif line.strip().startswith("$$"):
            end = at
            while not (lines[end].rstrip().endswith("$$") and (end > at or line.strip() != "$$")):
                end += 1
            found += lines[at : end + 1]
            at = end + 1
        elif (mark := MARK.match(line)) and f"<!-- /{mark[1]} -->" in lines[at:]:
            end = lines.index(f"<!-- /{mark[1]} -->", at)
            found += lines[at : end + 1]
            at = end + 1
        elif TAGS.match(line) or RULE.match(line):
            found.append(line)
            at += 1
        elif match := SUMMARY.match(line):
            found.append(match[1] + _said(match[2], say) + match[3])
            at += 1
        elif match := ROW.match(line):
            found.append(match[1] + _said(match[2], say))
            at += 1
        elif match := HEADING.match(line):
            words = _said(match[2], say)
            if anchors and words != match[2] and slug(match[2]):
                found.append(f'<a class="place" id="{slug(match[2])}"></a>')
            found.append(match[1] + words)
            at += 1
        else:
            match = ITEM.match(line) or PARAGRAPH.match(line)
            assert match
            end = at + 1
            while end < len(lines) and not any(start.match(lines[end]) for start in STARTS):
                end += 1
            found.append(match[1] + _said(" ".join([match[2], *(rest.strip() for rest in lines[at + 1 : end])]), say))
            at = end
    return "\n".join(found)


def _said(text: str, say: Callable[[str], str]) -> str:
    return say(text) if has_words(text) else text


def texts(markdown: str) -> list[str]:
    """What `translate` asks for, in order.

    >>> texts("# Start\\n\\n```\\ncode\\n```\\n\\n| a | row |\\n|---|---|\\n\\nTwo\\nlines.")
    ['Start', '| a | row |', 'Two lines.']
    """
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    translate(markdown, keep)
    return found
