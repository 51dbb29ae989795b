"""How a figure or a table gets into the page."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython import get_ipython
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from PIL import Image

from klcourse.picture import picture, png_size, without_empty_heads

from .contrast import make_words_readable

CSS_DPI, SHARP = 96, 1.5  # dots of an inch of the page, and of the picture for each of these


def use_style() -> None:
    """Switch matplotlib to the course's style, and tables to headings that are not empty; every notebook calls it once."""
    plt.style.use(Path(__file__).parents[1] / "klcourse.mplstyle")
    if (shell := get_ipython()) is not None:
        for kind in (pd.DataFrame, HTML):
            shell.display_formatter.formatters["text/html"].for_type(kind, _table)


def _table(shown: pd.DataFrame | HTML) -> str | None:
    html = shown._repr_html_()
    return html and without_empty_heads(html)


def show(fig: Figure, caption: str) -> None:
    """Put a figure into the notebook with its caption below, which is its alternative text as well, and close it."""
    make_words_readable([fig])
    drawn, png = io.BytesIO(), io.BytesIO()
    # tight, so that no label is cut off; no version inside, so that the same picture has the same bytes
    fig.savefig(drawn, format="png", dpi=SHARP * CSS_DPI, bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    plt.close(fig)
    # A palette of 256 colours is all a figure needs, and makes the file half as large.
    Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    width, height = (round(side / SHARP) for side in png_size(png.getvalue()))
    html = picture(png.getvalue(), caption, (width, height))
    display({"text/html": html, "text/plain": caption}, raw=True)
    display(Markdown("*" + caption.replace("*", r"\*") + "*"))  # a caption says λ*, it does not emphasise


def show_text_table(frame: pd.DataFrame) -> None:
    """Put a table of sentences into the notebook: left-aligned, wrapped, without an index."""
    cell = '<td style="text-align: left; vertical-align: top; white-space: normal; max-width: 17em">'
    html = frame.to_html(index=False, justify="left", border=0).replace("<td>", cell)
    display({"text/html": html, "text/plain": frame.to_string(index=False)}, raw=True)
