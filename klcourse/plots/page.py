"""How a figure or a table gets into the page."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython import get_ipython
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from klcourse.picture import picture, without_empty_heads


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
    png = io.BytesIO()
    # tight, so that no label is cut off; no version inside, so that the same picture has the same bytes
    fig.savefig(png, format="png", bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    plt.close(fig)
    display({"text/html": picture(png.getvalue(), caption), "text/plain": caption}, raw=True)
    display(Markdown("*" + caption.replace("*", r"\*") + "*"))  # a caption says λ*, it does not emphasise


def show_text_table(frame: pd.DataFrame) -> None:
    """Put a table of sentences into the notebook: left-aligned, wrapped, without an index."""
    cell = '<td style="text-align: left; vertical-align: top; white-space: normal; max-width: 17em">'
    html = frame.to_html(index=False, justify="left", border=0).replace("<td>", cell)
    display({"text/html": html, "text/plain": frame.to_string(index=False)}, raw=True)
