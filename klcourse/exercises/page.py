"""What the reader sees: a sentence or two, a small table; as HTML in a notebook, as text anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

# A word says what happened; the colour of the edge repeats it. Contrast with white and with black is above 3.
EDGES = {"good": "#2e8b57", "open": "#808080", "bad": "#c8622d"}


@dataclass(frozen=True)
class Card:
    """Something short that is shown: a heading, sentences, rows of a table, code.

    edge    "good", "open" or "bad": the colour of the line at the left
    head    the first words, in bold
    text    sentences, one a paragraph
    table   rows of cells; the first one has the headings
    code    Python, shown as such

    >>> print(Card("good", "1.1 Right.", ("1 of 5 solved.",)))
    1.1 Right.
    1 of 5 solved.
    """

    edge: str
    head: str
    text: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    code: str = ""

    def __repr__(self) -> str:
        lines = [self.head, *self.text]
        if self.table:
            widths = [max(map(len, column)) for column in zip(*self.table)]
            lines[1:1] = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in self.table]
        return "\n".join(lines + ([self.code] if self.code else []))

    def _repr_html_(self) -> str:
        body = f"<p style='margin: 0'><strong>{escape(self.head)}</strong></p>"
        if self.table:
            head, *rows = self.table
            body += "<table><tr>" + "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in head) + "</tr>"
            for first, *cells in rows:
                body += f"<tr><th scope='row'>{escape(first)}</th>"
                body += "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
            body += "</table>"
        body += "".join(f"<p style='margin: 0.3em 0 0'>{escape(part)}</p>" for part in self.text)
        if self.code:
            body += f"<pre><code>{escape(self.code)}</code></pre>"
        style = f"border-left: 4px solid {EDGES[self.edge]}; padding-left: 0.8em"
        return f"<div role='status' style='{style}'>{body}</div>"


def show(thing: Any) -> None:
    """Display in a notebook, print elsewhere."""
    from IPython.display import display

    display(thing)


def show_live(box: Any, html: str, text: str) -> None:
    """Put a widget into the notebook, with HTML in its place where no kernel runs, and text where there is no page."""
    from IPython.display import display

    view = box._repr_mimebundle_()
    display({**view, "text/html": html, "text/plain": text}, raw=True)
