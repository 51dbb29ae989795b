"""Notebooks in a real browser: Run All, no error anywhere, every control changes its picture, Reset restores it.

`make test-browser` takes every notebook. `make test`, in which other tests run the code of all notebooks, takes the fewest
that show every widget, with one page of our own for those widgets that need no trained model.
"""

import inspect
import re

import nbformat
import pytest
from nbformat import v4

import klcourse.live
import klcourse.widgets
from klcourse.publish.rules import KERNELSPEC, WIDGET_VIEW
from tests.browser.axe import audit
from tests.browser.lab import EVERYTHING, NOTEBOOKS

WIDGETS = {*klcourse.widgets.__all__, *klcourse.live.__all__}
SHOWN = {path.stem: WIDGETS & set(re.findall(r"\w+(?=\()", path.read_text(encoding="utf-8"))) for path in NOTEBOOKS}
TOGETHER = "every_widget"


def needs_nothing(name: str) -> bool:
    """Whether a widget can be made without arguments."""
    kind = getattr(klcourse.widgets, name, None)
    parameters = (
        inspect.signature(kind).parameters.values()
        if kind
        else [inspect.Parameter("run", inspect.Parameter.POSITIONAL_ONLY)]
    )
    return all(each.kind is each.VAR_KEYWORD or each.default is not each.empty for each in parameters)


ALONE = sorted(name for name in set.union(*SHOWN.values()) if needs_nothing(name))


def page_of_widgets():
    """A notebook that shows each of ALONE once."""
    cells = [v4.new_code_cell(f"from klcourse.widgets import {', '.join(ALONE)}")]
    cells += [v4.new_code_cell(f"{name}()") for name in ALONE]
    return v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})  # or JupyterLab asks for a kernel


def showing_every_widget() -> list[str]:
    """The page of widgets, and the notebooks that a greedy search needs until every other widget has been seen."""
    chosen, left = [TOGETHER], set.union(*SHOWN.values()) - set(ALONE)
    while left:
        chosen.append(max(SHOWN, key=lambda name: len(SHOWN[name] & left)))
        left -= SHOWN[chosen[-1]]
    return sorted(chosen)


@pytest.fixture(scope="module", params=[*SHOWN] if EVERYTHING else showing_every_widget())
def notebook(browser, lab, request):
    """A notebook after Run All; its kernel is shut down when its tests are done."""
    if request.param == TOGETHER:
        nbformat.write(page_of_widgets(), lab.notebooks / f"{TOGETHER}.ipynb")
    notebook = browser.open(request.param)
    notebook.run_all()
    yield notebook
    notebook.close()


def generic(notebook):
    """The widgets whose picture follows from their controls alone; the cockpit's grows with its run."""
    return [widget for widget in notebook.widgets if widget.name != "cockpit"]


def test_run_all_leaves_no_error(notebook):
    assert notebook.problems == []


def test_every_widget_is_alive(notebook):
    # other widgets are progress bars and the controls of predictions and quizzes, which show no picture
    data = [output.get("data", {}) for cell in notebook.cells for output in cell["outputs"]]
    assert len(notebook.widgets) == sum(WIDGET_VIEW in each and "<img" in str(each.get("text/html")) for each in data)
    for widget in notebook.widgets:
        assert widget.figure.evaluate("image => image.decode().then(() => image.naturalWidth > 100)"), widget
        assert widget.figure.get_attribute("alt"), f"{widget} has no alternative text"


def test_who_hears_the_page_hears_names_and_short_numbers(notebook):
    for widget in notebook.widgets:
        sliders = widget.box.locator(".klw-row .noUi-handle").all()
        for slider in sliders:
            assert slider.get_attribute("aria-label")
            assert re.fullmatch(r"−?[\d.]+\u00a0.{0,12}", slider.get_attribute("aria-valuetext")), widget
    assert audit(notebook.page, lab=True) == []


def move_every_control(widget):
    """Each control must change the picture in some state; every option of every choice is tried.

    Not in every state: a slider may be disabled, or be a weight of what happens to be zero.
    """
    left = {control.name: control for control in widget.controls}

    def move_sliders():
        moved = [name for name, control in left.items() if control.options == 0 and control.enabled and control.move()]
        for name in moved:
            del left[name]
        if moved and left:
            move_sliders()

    move_sliders()
    for choice in [*left.values()]:
        for _ in range(choice.options - 1 if choice.enabled else 0):
            if choice.move():
                left.pop(choice.name, None)
            move_sliders()
    assert not left, f"{widget}: the picture never shows {', '.join(left)}"


def test_every_control_changes_its_picture_and_reset_restores_it(notebook):
    for widget in generic(notebook):
        first, values = widget.picture, [control.value for control in widget.controls]
        move_every_control(widget)
        before = widget.picture
        widget.press(".klw-button-reset")
        widget.wait_for_picture(before, same=first[1])
        assert [control.value for control in widget.controls] == values
        assert widget.message == ""
    assert notebook.problems == []


def test_a_bad_value_is_refused_with_a_message(notebook):
    for widget in generic(notebook):
        for control in widget.controls:
            box = widget.box.locator(f".klw-value-{control.name} input")
            if not box.count() or not box.is_enabled():
                continue
            picture, value = widget.picture, control.value
            box.fill("1e9")
            box.press("Enter")
            widget.box.locator(".klw-message", has_text="Not done").wait_for()
            assert (widget.picture, control.value) == (picture, value)
