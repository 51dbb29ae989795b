"""How a figure or a table gets into the page."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from klcourse.picture import picture


def use_style() -> None:
    """Switch matplotlib to the course's style; every notebook calls it once."""
    plt.style.use(Path(__file__).parents[1] / "klcourse.mplstyle")


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
