"""How long from a key press to the changed picture, measured inside the browser.

    python -m tests.browser.latency 01_elbo 04_payoff_matrices      a table: widget, slider, median and largest ms

What a widget promises to the page (klcourse/widgets/panel.py): its outer box has the classes `klw` and
`klw-<name>`; the picture is `img.klw-figure`, whose `data-rev` grows with every redraw; a control has the class
`klw-control-<name>`, its box for typing `klw-value-<name>`, a button `klw-button-<name>`; the read-out is
`.klw-readout`, the message `.klw-message`. A control that does not matter at the present values is disabled.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.limits import limit

if TYPE_CHECKING:
    from playwright.sync_api import Locator

# The clock starts at the time stamp of the key event itself and stops in the first frame after the new picture is
# decoded: what the eye waits for, without the driver's own delays.
WATCH = """
(box) => {
  box.klwWatch?.stop();
  const picture = () => box.querySelector('img.klw-figure');
  const rev = () => Number(picture()?.dataset.rev);
  const state = {pressed: null, before: rev(), times: []};
  const press = (event) => { state.pressed = event.timeStamp; state.before = rev(); };
  const observer = new MutationObserver(async () => {
    if (state.pressed === null || !picture() || rev() === state.before) return;
    const pressed = state.pressed;
    state.pressed = null;
    await picture().decode().catch(() => {});    // replaced by a newer one while it was decoded
    requestAnimationFrame(() => state.times.push(performance.now() - pressed));
  });
  box.addEventListener('keydown', press, true);
  observer.observe(box, {subtree: true, childList: true});
  state.stop = () => { observer.disconnect(); box.removeEventListener('keydown', press, true); };
  box.klwWatch = state;
}
"""

BEYOND_THE_MIDDLE = "part => 2 * part.ariaValueNow > Number(part.ariaValueMin) + Number(part.ariaValueMax)"


def key_to_picture(box: Locator, control: str, presses: int = 20) -> list[float]:
    """Milliseconds from each key press on a slider to the frame with the new picture.

    `box` is the widget's outer box, `control` the slider's name. Half of the presses go one way, half back; each
    waits for its picture, and one that changes none within ten seconds raises Playwright's TimeoutError.
    """
    handle = box.locator(f".klw-control-{control} .noUi-handle")
    box.locator(".klw-readout").click()  # as a reader would: else JupyterLab changes the cell and takes the focus away
    handle.focus()
    keys = ("ArrowLeft", "ArrowRight") if handle.evaluate(BEYOND_THE_MIDDLE) else ("ArrowRight", "ArrowLeft")
    box.evaluate(WATCH)
    for k in range(presses):
        box.page.keyboard.press(keys[2 * k // presses])
        box.page.wait_for_function(
            f"box => box.klwWatch.times.length > {k}", arg=box.element_handle(), timeout=limit(10_000)
        )
    return box.evaluate("box => box.klwWatch.times")


def main(names: list[str]) -> None:
    """Run the notebooks in JupyterLab, then measure every slider of every widget that matters as it stands."""
    from playwright.sync_api import sync_playwright

    from klcourse.publish import chromium
    from tests.browser.lab import Lab
    from tests.browser.notebook import Browser

    print(f"{'widget':<18}{'slider':<12}{'median':>8}{'largest':>9}  ms")
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as driver:
        browser = Browser(chromium.launch(driver).new_page(viewport={"width": 1440, "height": 900}), lab)
        for name in names:
            notebook = browser.open(name)
            notebook.run_all()
            for widget in notebook.widgets:
                widget.box.scroll_into_view_if_needed()
                for control in widget.controls:
                    if control.kind == "slider" and control.enabled:
                        times = key_to_picture(widget.box, control.name)
                        row = f"{widget.name:<18}{control.name:<12}{statistics.median(times):>8.0f}{max(times):>9.0f}"
                        print(row, flush=True)
            notebook.close()


if __name__ == "__main__":
    main(sys.argv[1:])
