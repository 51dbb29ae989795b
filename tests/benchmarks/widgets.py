"""How long from a key to a changed picture, in a real browser, for every control of every widget of the course.

    python -m tests.benchmarks.widgets [--presses 20] [NOTEBOOK ...]

A key is pressed as a keyboard does it; the clock starts at the page's keydown event and stops at the frame after the new
picture has been decoded: browser, kernel, matplotlib, PNG and the way back are all in it. The next key waits for the
picture of the last. "held": the same number of keys as fast as the browser takes them, from the last of them to the last
picture: what a slow reaction to a held key would pile up. The goal is a median below 100 ms, and none above 250 ms.
"""

from __future__ import annotations

import argparse
from math import nan
from statistics import median

from tests.browser import walk
from tests.browser.notebook import Control, LiveWidget

MEDIAN, LARGEST = 100, 250  # ms
QUIET = 400  # ms without a new picture: it was the last one
LOST = 5000  # ms after which a picture is given up
BACK = {"ArrowLeft": "ArrowRight", "ArrowRight": "ArrowLeft", "Home": "End", "End": "Home"}

WATCH = """box => {
  const watch = { down: 0, rev: 0, waiting: null, last: 0 };
  const rev = () => Number(box.querySelector("img.klw-figure").dataset.rev);
  addEventListener("keydown", ({ target, timeStamp }) => {
    const before = target.ariaValueText;
    // not at a slider's end
    setTimeout(() => { if (before === null || before !== target.ariaValueText) watch.down = timeStamp });
  }, true);
  new MutationObserver(async () => {
    const image = box.querySelector("img.klw-figure");
    if (!image || rev() <= watch.rev) return;
    watch.rev = rev();
    await image.decode().catch(() => {});
    requestAnimationFrame(() => setTimeout(() => {
      watch.last = performance.now();
      watch.waiting?.(watch.last - watch.down);
    }));
  }).observe(box, { subtree: true, childList: true, attributes: true });
  watch.next = () => new Promise(done => { watch.rev = rev(); watch.waiting = ms => { watch.waiting = null; done(ms) } });
  window.watch = watch;
}"""


def press(control: Control, presses: int) -> list[float]:
    """Milliseconds of every single press, there and back in turn."""
    page, times, first = control.widget.page, [], control.steps()[-1]
    if control.kind == "menu":
        first = "Home" if control.part.evaluate("menu => menu.selectedIndex > 0") else "End"
    for number in range(presses):
        control.widget.notebook.wait_until_idle()
        control.steps()  # a row of buttons: the focus moves on
        key = BACK.get(first, first) if number % 2 else first
        page.evaluate("() => { window.pressed = watch.next() }")
        page.keyboard.press(key)
        times.append(page.evaluate("lost => Promise.race([pressed, new Promise(no => setTimeout(no, lost, lost))])", LOST))
    return times


def hold(control: Control, presses: int) -> float:
    """Milliseconds from the last of many presses to the last picture."""
    page, (key,) = control.widget.page, control.steps()
    for _ in range(presses):
        page.keyboard.press(key)
    page.wait_for_function(f"() => watch.last > watch.down && performance.now() - watch.last > {QUIET}")
    return page.evaluate("() => watch.last - watch.down")


def measure(widget: LiveWidget, presses: int) -> dict[str, tuple[list[float], float]]:
    """Per control that can be moved: the single presses, and the held key (nan for what is no slider)."""
    widget.show()
    widget.box.evaluate(WATCH)
    found = {}
    for control in widget.controls:
        widget.notebook.wait_until_idle()
        if control.enabled:
            times = press(control, presses)
            found[control.name] = times, hold(control, presses) if control.kind == "slider" else nan
    widget.press(".klw-button-reset")
    return found


def main() -> None:
    """Command line; prints a line a control and a line a widget."""
    parser = argparse.ArgumentParser(description="Milliseconds from key press to changed picture.")
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="default: all that have widgets")
    parser.add_argument("--presses", type=int, default=20, help="of every control")
    options = parser.parse_args()
    print(f"{'widget':28}{'control':14}{'presses':>8}{'median ms':>11}{'largest':>9}{'held':>7}")
    with walk.jupyterlab() as browser:
        for name, notebook in walk.visit(browser, walk.with_widgets(options.names)):
            for widget in notebook.widgets:
                measured = measure(widget, options.presses)
                for control, (times, held) in measured.items():
                    print(f"{'':28}{control:14}{len(times):8}{median(times):11.0f}{max(times):9.0f}{held:7.0f}")
                every = [time for times, _ in measured.values() for time in times]
                late = "" if median(every) < MEDIAN and max(every) <= LARGEST else "   over the goal"
                print(
                    f"{f'{name[:2]} {widget.name}':28}{'all':14}{len(every):8}{median(every):11.0f}{max(every):9.0f}"
                    f"{max((h for _, h in measured.values() if h == h), default=nan):7.0f}{late}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
