"""How long from a key press to the changed picture, measured inside the browser.

What a widget promises to the page (klcourse/widgets/panel.py): its outer box has the classes `klw` and
`klw-<name>`; the picture is `img.klw-figure`, whose `data-rev` grows with every redraw; a slider has the class
`klw-control-<name>`, the box for typing `klw-value-<name>`, buttons `klw-button-<name>`; the read-out is
`.klw-readout`, the message `.klw-message`.
"""

from __future__ import annotations

from playwright.sync_api import Page

# The clock starts at the time stamp of the key event itself and stops in the first frame after the new picture is
# decoded: what the eye waits for, without the driver's own delays.
WATCH = """
(box) => {
  const rev = () => Number(box.querySelector('img.klw-figure').dataset.rev);
  const state = {pressed: null, before: rev(), times: []};
  box.klwWatch = state;
  box.addEventListener('keydown', (event) => { state.pressed = event.timeStamp; state.before = rev(); }, true);
  new MutationObserver(async () => {
    const image = box.querySelector('img.klw-figure');
    if (state.pressed === null || !image || rev() === state.before) return;
    const pressed = state.pressed;
    state.pressed = null;
    await image.decode();
    requestAnimationFrame(() => state.times.push(performance.now() - pressed));
  }).observe(box, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-rev', 'src']});
}
"""


def key_to_picture(
    page: Page, widget: str, control: str, keys: tuple[str, ...] = ("ArrowRight", "ArrowLeft"), presses: int = 20
) -> list[float]:
    """Milliseconds from each key press on a control to the frame with the new picture.

    `widget` is the class suffix ("elbo-gap"), `control` the control's name. Each press waits for its picture; a
    press that changes none within ten seconds raises TimeoutError.
    """
    box = page.locator(f".klw-{widget}").last
    handle = box.locator(f".klw-control-{control} .noUi-handle, .klw-control-{control} select").first
    handle.focus()
    box.evaluate(WATCH)
    for k in range(presses):
        page.keyboard.press(keys[k * len(keys) // presses])
        page.wait_for_function(f"(box) => box.klwWatch.times.length > {k}", arg=box.element_handle(), timeout=10_000)
    return box.evaluate("(box) => box.klwWatch.times")
