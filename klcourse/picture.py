"""A picture or table as the reader's page has it: an image with its alternative text, no heading that is empty.

JupyterLab, the site and the decks take alternative text from HTML and nowhere else: what stands in the metadata of a PNG
output they do not read. So a figure is an HTML output that carries the PNG file, and one function writes it for all.
"""

from __future__ import annotations

import base64
import struct
from html import escape
from pathlib import Path


def without_empty_heads(html: str) -> str:
    """The same HTML, but the empty corner of a table, which pandas writes as a heading, is a cell: nothing heads nothing.

    >>> without_empty_heads("<tr><th></th><th>rate</th></tr>")
    '<tr><td></td><th>rate</th></tr>'
    """
    return html.replace("<th></th>", "<td></td>")


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG file in pixels, from its head; ValueError if it is none."""
    if len(png) < 24 or png[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{png[:8]!r}... is not the beginning of a PNG file: give the bytes of one")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def picture(png: bytes, alt: str, size: tuple[int, int] | None = None) -> str:
    """An HTML image: a PNG file, its alternative text, and width and height in pixels of the page (default: its own).

    The page makes it smaller where there is less room; its background is white where the page is dark.

    >>> dot = b"\\x89PNG\\r\\n\\x1a\\n" + b"\\0\\0\\0\\rIHDR" + b"\\0\\0\\0\\2\\0\\0\\0\\1"
    >>> picture(dot, 'R < c')
    '<img alt="R &lt; c" width="2" height="1" style="max-width: 100%; height: auto; background: white" src="data:...">'
    """
    width, height = size or png_size(png)
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img alt="{escape(alt)}" width="{width}" height="{height}" '
        f'style="max-width: 100%; height: auto; background: white" src="data:image/png;base64,{data}">'
    )


def names_of_controls() -> dict:
    """What an ipywidgets Output shows, so that the controls around it have names and short values for who hears the page.

    An Output is the one core widget that a page runs a script for.

    >>> names_of_controls()["output_type"]
    'display_data'
    """
    script = Path(__file__).with_name("names.js").read_text(encoding="utf-8")
    return {"output_type": "display_data", "data": {"application/javascript": script}, "metadata": {}}
