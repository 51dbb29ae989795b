"""A notebook open in JupyterLab, driven as a reader does: menus and keys. What it shows is read from page and model.

Nothing here sleeps: every wait is for a state, and its end is an error with the state in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.limits import limit

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Locator, Page

    from tests.browser.lab import Lab

SECONDS = limit(1000)  # in the browser's milliseconds
RUN_ALL_TIMEOUT = 300 * SECONDS
TIMEOUT = 60 * SECONDS

# What on the console's error level is no error. So far JupyterLab writes nothing there.
NOISE: tuple[re.Pattern, ...] = ()

KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
# The model of the notebook in front: what no pixel tells.
CELLS = """() => {
  const panel = jupyterapp.shell.currentWidget;
  const cells = [...panel.content.model.cells].filter(cell => cell.type === "code" && cell.sharedModel.source.trim());
  return cells.map(cell => ({
    source: cell.sharedModel.source,
    count: cell.executionCount,
    running: cell.executionState === "running",
    outputs: [...Array(cell.outputs.length).keys()].map(i => cell.outputs.get(i).toJSON()),
  }));
}"""
ALL_RAN = f"""() => {{
  const cells = ({CELLS})();
  return cells.every(cell => cell.count !== null && !cell.running)
    || cells.some(cell => cell.outputs.some(output => output.output_type === "error"));
}}"""


class Browser:
    """One page with JupyterLab in it, and everything it complains about."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        self.complaints: list[str] = []
        page.set_default_timeout(TIMEOUT)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("console", self._heard)
        page.goto(f"{lab.url}/lab?token={lab.token}")
        page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(noise.search(message.text) for noise in NOISE):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def open(self, name: str) -> Notebook:
        """Open notebooks/NAME.ipynb and wait until its kernel is ready."""
        self.complaints.clear()
        self.page.evaluate("path => { jupyterapp.commands.execute('docmanager:open', { path }) }", f"notebooks/{name}.ipynb")
        self.page.wait_for_function(
            "path => { const panel = jupyterapp.shell.currentWidget;"
            " return panel?.context?.path === path && panel.context.isReady"
            " && panel.sessionContext.session?.kernel?.status === 'idle' }",
            arg=f"notebooks/{name}.ipynb",
        )
        return Notebook(self)


class Notebook:
    """The notebook in front."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.page = browser, browser.page

    def close(self) -> None:
        """Shut its kernel down and close its tab; changes are not kept."""
        self.page.evaluate(
            "async () => { const panel = jupyterapp.shell.currentWidget; await panel.sessionContext.shutdown();"
            " panel.context.model.dirty = false; panel.dispose(); }"
        )

    # --- cells ----------------------------------------------------------------------------------------------------

    def run_all(self) -> None:
        """Run, Run All Cells, from the menu; returns when all have run or one has failed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(ALL_RAN, timeout=RUN_ALL_TIMEOUT)

    def run_cell(self, number: int) -> None:
        """Select a cell and press Ctrl+Enter; does not wait."""
        self.page.evaluate(
            "number => { const notebook = jupyterapp.shell.currentWidget.content; notebook.activeCellIndex = number;"
            " notebook.mode = 'command'; notebook.activate(); notebook.activeCell.node.focus(); }",
            number,
        )
        self.page.keyboard.press("Control+Enter")

    def wait_until_idle(self) -> None:
        """Wait until the kernel has done, and the page has heard of, everything asked so far."""
        self.page.wait_for_function(f"() => {KERNEL}.status === 'idle'")

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The code cells: source, count (None before it ran), running, outputs."""
        return self.page.evaluate(CELLS)

    @property
    def problems(self) -> list[str]:
        """What went wrong, in words: failed cells, cells that did not run, broken widgets, complaints of the page."""
        found = []
        for cell in self.cells:
            first = cell["source"].splitlines()[0]
            if cell["count"] is None:
                found.append(f"not run: {first}")
            for output in cell["outputs"]:
                if output["output_type"] == "error":
                    found.append(f"{output['ename']}: {output['evalue']} in the cell {first!r}")
        broken = self.page.get_by_text(re.compile("Error (displaying|creating) widget")).count()
        return found + ["a widget could not be displayed"] * broken + self.browser.complaints

    # --- widgets --------------------------------------------------------------------------------------------------

    @property
    def widgets(self) -> list[LiveWidget]:
        """The widgets of the course in the page, from top to bottom."""
        boxes = self.page.locator(".jp-Notebook .klw")
        return [LiveWidget(self, boxes.nth(number)) for number in range(boxes.count())]

    def widget(self, name: str) -> LiveWidget:
        """The one widget with the class klw-NAME."""
        return LiveWidget(self, self.page.locator(f".jp-Notebook .klw.klw-{name}"))


class LiveWidget:
    """One widget of `klcourse.widgets` in the page, worked by keyboard."""

    def __init__(self, notebook: Notebook, box: Locator) -> None:
        self.notebook, self.page, self.box = notebook, notebook.page, box
        self.figure = box.locator("img.klw-figure")

    @property
    def name(self) -> str:
        """elbo-gap for an ElboGap."""
        classes = self.box.get_attribute("class").split()
        return next(part.removeprefix("klw-") for part in classes if part.startswith("klw-"))

    def __repr__(self) -> str:
        return self.name

    @property
    def picture(self) -> tuple[int, str]:
        """The number of the picture and its bytes (a data address)."""
        return int(self.figure.get_attribute("data-rev")), self.figure.get_attribute("src")

    @property
    def message(self) -> str:
        """What the message area says."""
        return self.box.locator(".klw-message").inner_text()

    @property
    def controls(self) -> list[Control]:
        """Every slider, choice and switch."""
        found = self.box.locator("[class*='klw-control-']")
        return [Control(self, found.nth(number)) for number in range(found.count())]

    def control(self, name: str) -> Control:
        """The control with the class klw-control-NAME."""
        return Control(self, self.box.locator(f".klw-control-{name}"))

    def press(self, selector: str, key: str = "Enter") -> None:
        """Focus one element of the widget and press a key."""
        part = self.box.locator(selector)
        part.focus()
        part.press(key)

    def show(self) -> None:
        """Scroll until its first line is at the top of the page, and stays there while what is above it is laid out."""
        self.page.wait_for_function(
            "box => { const before = box.seenAt; box.scrollIntoView({ block: 'start' });"
            " return before === (box.seenAt = box.getBoundingClientRect().y) && before < innerHeight }",
            arg=self.box.element_handle(),
            polling=200,
        )

    def wait_for_picture(self, before: tuple[int, str], same: str | None = None) -> None:
        """Wait until the picture is newer than `before`, and is `same` if that is given; AssertionError if it is not."""
        from playwright.sync_api import TimeoutError

        try:
            self.page.wait_for_function(
                "([box, rev, wanted]) => { const now = box.querySelector('img.klw-figure');"
                " return Number(now.dataset.rev) > rev && (wanted === null || now.src === wanted) }",
                arg=[self.box.element_handle(), before[0], same],
                timeout=20 * SECONDS,
            )
        except TimeoutError:
            seen = "no new picture" if self.picture[0] <= before[0] else "another picture than the one wanted"
            raise AssertionError(f"{self}: {seen}; {self.message}") from None
        # The kernel sends the picture first, then what else has changed, such as which controls can be moved.
        self.notebook.wait_until_idle()


class Control:
    """A slider, a choice or a switch of a widget."""

    def __init__(self, widget: LiveWidget, box: Locator) -> None:
        self.widget, self.box = widget, box
        classes = box.get_attribute("class").split()
        self.name = next(part.removeprefix("klw-control-") for part in classes if part.startswith("klw-control-"))
        parts = {kind: box.locator(css) for kind, css in KINDS.items()}
        self.kind = next(kind for kind, part in parts.items() if part.count())
        self.part = parts[self.kind]

    def __repr__(self) -> str:
        return f"{self.widget.name}.{self.name}"

    @property
    def enabled(self) -> bool:
        """Whether it does anything at present; some wait for the choice they belong to."""
        if self.kind == "slider":
            return not self.box.locator("[disabled]").count()
        return self.part.first.is_enabled()

    @property
    def value(self) -> str:
        """What it is set to."""
        if self.kind == "slider":
            return self.part.get_attribute("aria-valuetext")  # valuenow has one decimal only
        if self.kind == "buttons":
            return self.box.locator("button.mod-active").inner_text()
        return str(self.part.evaluate("part => part.type === 'checkbox' ? part.checked : part.value"))

    @property
    def options(self) -> int:
        """How many values it can have, 0 for many."""
        return {"slider": 0, "buttons": self.part.count(), "switch": 2}.get(self.kind, self.part.locator("option").count())

    def steps(self) -> list[str]:
        """Take the focus; the keys to press one after the other for another value."""
        if self.kind == "buttons":
            active = self.part.evaluate_all("parts => parts.findIndex(part => part.classList.contains('mod-active'))")
            self.part.nth((active + 1) % self.options).focus()
            return ["Enter"]
        self.part.focus()
        if self.kind == "slider":
            low, now, high = (float(self.part.get_attribute(f"aria-value{end}")) for end in ("min", "now", "max"))
            return ["ArrowLeft" if now >= high > low else "ArrowRight"]
        if self.kind == "menu":  # on a closed menu the arrow keys belong to JupyterLab
            last = self.part.evaluate("menu => menu.selectedIndex === menu.length - 1")
            return ["Home"] if last else ["Space", "ArrowDown", "Enter"]
        return ["Space"]

    def move(self) -> bool:
        """Press a key, or what it takes, for another value, and wait for the picture; whether it is another one.

        A step may be too small for the numbers in a picture, which have two decimals: a slider that changes nothing
        is moved five steps on, then to its end.
        """
        _, picture = self.widget.picture
        key = self.steps()[-1]
        for further in FURTHER[key] if self.kind == "slider" else [self.steps()]:
            before, value = self.widget.picture, self.value
            for key in further:
                self.widget.page.keyboard.press(key)
            self.widget.wait_for_picture(before)
            assert self.value != value, f"{self} did not move"
            if self.widget.picture[1] != picture:
                return True
        return False


FURTHER = {
    "ArrowRight": [["ArrowRight"], ["PageUp"], ["End"]],
    "ArrowLeft": [["ArrowLeft"], ["PageDown"], ["Home"]],
}
KINDS = {"slider": ".noUi-handle", "buttons": "button", "menu": "select", "switch": "input[type=checkbox]"}
