"""What all widgets share: values, drawing, messages, display. No kernel, no browser."""

import base64
import io
import re
import threading
from types import SimpleNamespace

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from nbformat import NotebookNode

from klcourse.publish.normalise import _static
from klcourse.publish.rules import WIDGET_VIEW
from klcourse.widgets import Choice, Slider, Toggle, Widget
from klcourse.widgets.frame import base
from klcourse.widgets.frame.panel import Panel


class Lines(Widget):
    """A line whose slope, colour and offset move; slope 3 is a mistake of its author."""

    title = "Which way?"
    caption = "A line * with a caption."
    size = (4.0, 2.5)
    controls = {
        "slope": Slider("Δy/Δx", 0.5, -4, 4, 0.5, unit="m/m", help="Tilts it."),
        "count": Slider("count", 2, 1, 5, 1, help="How many lines."),
        "size": Slider("size", 0.1, 0.01, 10, 0.1, log=True),
        "colour": Choice("colour", "red", ("red", "blue"), "Its colour."),
        "shown": Toggle("shown", True, "Is it there?"),
    }
    actions = {"Make it flat": "flat"}

    def figure_setup(self, fig):
        self.ax = fig.subplots()
        self.ax.set(xlim=(-1, 1), ylim=(-4, 4))
        self.lines_ = [self.live(self.ax.plot([-1, 1], [0, 0])[0]) for _ in range(5)]
        self.drawn = []

    def update(self, values):
        self.drawn.append(values["slope"])
        if values["slope"] == 3:
            raise RuntimeError("three is broken")
        for k, line in enumerate(self.lines_):
            line.set(
                ydata=[-values["slope"] + k, values["slope"] + k],
                color=values["colour"],
                visible=values["shown"] and k < values["count"],
            )
        self.still(self.ax, ylim=(-4.0, 4.0 * max(values["size"], 0.1) * 10))
        return f"slope {values['slope']:g}, {values['count']} lines, {values['colour']}, size {values['size']:g}"

    def flat(self, values):
        return {"slope": 0}

    def active(self, values):
        return ["shown", *(name for name in values if name != "shown")] if values["shown"] else ["shown"]


def image(panel: Panel) -> dict[str, str]:
    """The attributes of the picture in the page."""
    (tag,) = re.findall(r"<img [^>]*>", panel._image.value)
    return dict(re.findall(r'([\w-]+)="([^"]*)"', tag))


def live() -> tuple[Lines, Panel]:
    """A widget with its live half, as `show` makes it."""
    widget = Lines()
    widget._drawn()
    widget._panel = Panel(widget)
    return widget, widget._panel


def slider(panel: Panel, name: str):
    return panel._rows[name][0].children[0]


def typed(panel: Panel, name: str):
    return panel._rows[name][0].children[1]


def message(panel: Panel) -> str:
    return re.sub(r"<[^>]+>", "", panel._message.value)


# --- values --------------------------------------------------------------------------------------------------


def test_set_moves_the_picture_and_the_readout():
    widget = Lines()
    before = widget.pixels()
    assert widget.set(slope=2).text.startswith("slope 2,")
    assert (widget.pixels() != before).any()
    assert widget.value_dict["slope"] == 2.0 and widget.rev == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"slope": 9}, r"slope = 9 is outside its range: give a number from −4 to 4"),
        ({"slope": float("nan")}, r"outside its range"),
        ({"slope": "steep"}, r"'steep' is not a number: give a number from −4 to 4"),
        ({"slope": None}, r"None is not a number"),
        ({"count": 2.5}, r"count = 2.5 is not a whole number: give a whole number from 1 to 5"),
        ({"size": 0}, r"give a number from 0.01 to 10"),
        ({"colour": "green"}, r"colour = 'green' is not on offer: choose 'red' or 'blue'"),
        ({"shown": 3}, r"give True or False"),
        ({"tilt": 1}, r"Lines has no control 'tilt': there are slope, count, size, colour, shown"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_nothing_moves(values, words):
    widget = Lines()
    with pytest.raises(ValueError, match=words):
        widget.set(**{"count": 4} | values)  # the good value does not move either
    assert widget.value_dict == Lines().value_dict
    with pytest.raises(ValueError, match=words):
        Lines(**values)


@pytest.mark.parametrize(("text", "number"), [("2", 2.0), (" -1.5 ", -1.5), ("−1,5", -1.5), ("1e0", 1.0)])
def test_numbers_are_read_as_people_write_them(text, number):
    assert Lines.controls["slope"].check("slope", text) == number


def test_a_control_that_starts_out_of_range_is_a_mistake_at_once():
    with pytest.raises(ValueError, match="outside"):
        Slider("x", 5, 0, 1, 0.1)
    with pytest.raises(ValueError, match="not on offer"):
        Choice("x", "c", ("a", "b"))


def test_reset_returns_to_the_values_it_was_made_with():
    widget = Lines(slope=-1, colour="blue")
    first = widget.pixels()
    widget.set(slope=2, colour="red", count=5, shown=False)
    assert widget.reset().value_dict == Lines(slope=-1, colour="blue").value_dict
    assert np.array_equal(widget.pixels(), first)


def test_a_button_moves_controls():
    assert Lines().act("Make it flat").value_dict["slope"] == 0
    with pytest.raises(ValueError, match="no button 'Fly': there are Make it flat"):
        Lines().act("Fly")


# --- drawing -------------------------------------------------------------------------------------------------


def test_the_fast_path_draws_what_a_fresh_figure_would():
    moved = Lines().set(slope=2, count=5, size=0.5).set(size=0.1, count=1, slope=-2, colour="blue")
    assert np.array_equal(moved.pixels(), Lines(slope=-2, count=1, colour="blue").pixels())


def test_a_change_that_is_not_live_is_drawn_too():
    widget = Lines()
    before = widget.pixels()
    widget.set(size=0.5)  # changes the axis through `still`
    assert (widget.pixels() != before).any()


def test_png_holds_the_pixels():
    widget = Lines()
    decoded = plt.imread(io.BytesIO(widget.png()), format="png")[..., :3]
    assert np.array_equal((255 * decoded).round(), widget.pixels())
    assert decoded.shape == (2.5 * 96 * 1.5, 4.0 * 96 * 1.5, 3)


def test_the_figure_is_private_and_saves_with_its_moving_parts(tmp_path):
    before = plt.get_fignums()
    figure = Lines(slope=4, count=5).figure
    assert plt.get_fignums() == before
    figure.savefig(tmp_path / "a.png", dpi=50)
    for line in figure.axes[0].lines:
        line.set_visible(False)
    figure.savefig(tmp_path / "b.png", dpi=50)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_values_that_arrive_while_drawing_coalesce_and_the_last_is_drawn():
    widget = Lines()
    widget.set(slope=0)
    inside, go = threading.Event(), threading.Event()
    ordinary = widget.update

    def slow(values):
        inside.set()
        assert go.wait(10)
        return ordinary(values)

    widget.update = slow
    widget.drawn.clear()
    thread = threading.Thread(target=widget.set, kwargs={"slope": 1})
    thread.start()
    assert inside.wait(10)
    for slope in (1.5, 2, 2.5, -1):  # none of these waits for the picture
        widget.set(slope=slope)
    go.set()
    thread.join(10)
    assert widget.drawn == [1, -1]
    assert widget.text.startswith("slope -1")


def test_many_threads_leave_the_last_value_on_the_picture():
    widget = Lines()
    widget.set(slope=0)
    threads = [threading.Thread(target=widget.set, kwargs={"slope": s}) for s in np.tile([-2, -1, 1, 2], 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert widget.drawn[-1] == widget.value_dict["slope"]
    assert widget.text.startswith(f"slope {widget.value_dict['slope']:g}")


# --- the page ------------------------------------------------------------------------------------------------


def test_moving_a_slider_changes_picture_revision_alt_and_readout():
    widget, panel = live()
    before = image(panel)
    slider(panel, "slope").value = 2.0
    after = image(panel)
    assert int(after["data-rev"]) > int(before["data-rev"])
    assert after["src"] != before["src"] and after["class"] == "klw-figure"
    assert before["alt"].startswith("Which way? slope 0.5") and after["alt"].startswith("Which way? slope 2")
    assert (after["width"], after["height"]) == (before["width"], before["height"]) == ("384", "240")
    assert "slope 2, 2 lines" in panel._readout.value
    assert typed(panel, "slope").value == "2"
    assert widget.value_dict["slope"] == 2.0


def test_a_typed_number_counts():
    widget, panel = live()
    typed(panel, "slope").value = "1,5"
    assert widget.value_dict["slope"] == 1.5 == slider(panel, "slope").value
    assert typed(panel, "slope").value == "1.5"


@pytest.mark.parametrize("text", ["99", "", "abc", "nan"])
def test_a_bad_typed_number_is_refused_with_a_message_and_nothing_is_lost(text):
    widget, panel = live()
    slider(panel, "slope").value = 1.0
    before = image(panel)
    typed(panel, "slope").value = text
    assert message(panel).startswith("Not done: Δy/Δx = ") and "give a number from −4 to 4" in message(panel)
    assert image(panel) == before and widget.value_dict["slope"] == 1.0
    assert typed(panel, "slope").value == "1" and slider(panel, "slope").value == 1.0
    typed(panel, "slope").value = "2"  # and the next good one clears the message
    assert message(panel) == "" and widget.value_dict["slope"] == 2.0


def test_an_error_in_update_reaches_the_reader_and_the_widget_lives_on():
    widget, panel = live()
    before = image(panel)
    slider(panel, "slope").value = 3.0
    assert "RuntimeError: three is broken" in message(panel) and "Reset" in message(panel)
    assert image(panel) == before
    slider(panel, "slope").value = 2.0
    assert message(panel) == "" and image(panel)["alt"].startswith("Which way? slope 2")


def test_from_code_the_same_error_is_raised():
    with pytest.raises(RuntimeError, match="three is broken"):
        Lines().set(slope=3)


def test_moving_from_code_moves_the_sliders_and_draws_once():
    widget, panel = live()
    widget.drawn.clear()
    widget.set(slope=-2, count=4, colour="blue", size=1)
    assert [slider(panel, name).value for name in ("slope", "count", "colour", "size")] == [-2.0, 4, "blue", 1.0]
    assert widget.drawn == [-2]


def test_buttons_of_the_page():
    widget, panel = live()
    buttons = {b.description: b for b in panel.box.children[3].children if hasattr(b, "click")}
    slider(panel, "slope").value = 2.0
    buttons["Make it flat"].click()
    assert widget.value_dict["slope"] == 0
    slider(panel, "colour").value = "blue"
    buttons["Reset"].click()
    assert widget.value_dict == Lines().value_dict and slider(panel, "colour").value == "red"


def test_controls_that_do_not_matter_are_grey():
    _, panel = live()
    assert not slider(panel, "slope").disabled
    slider(panel, "shown").value = False
    assert slider(panel, "slope").disabled and typed(panel, "slope").disabled and not slider(panel, "shown").disabled
    slider(panel, "shown").value = True
    assert not slider(panel, "slope").disabled


class Many(Lines):
    """Of its knobs only those of the chosen colour are there."""

    def hidden(self, values):
        return {"slope", "size"} if values["colour"] == "blue" else {"count"}


def test_controls_that_do_not_apply_are_not_shown():
    widget = Many()
    widget._panel = panel = Panel(widget)

    def there() -> set[str]:
        return {name for name, (row, _) in panel._rows.items() if row.layout.display != "none"}

    assert there() == {"slope", "size", "colour", "shown"}
    slider(panel, "colour").value = "blue"
    assert there() == {"count", "colour", "shown"}
    widget.set(slope=2)  # out of sight it can be moved all the same, and shows where it is when it comes back
    slider(panel, "colour").value = "red"
    assert there() == {"slope", "size", "colour", "shown"} and slider(panel, "slope").value == 2
    assert Lines().hidden(Lines().value_dict) == ()


def test_drawing_before_there_is_a_figure_is_a_clear_mistake():
    with pytest.raises(RuntimeError, match="live, still and stale are for figure_setup and update"):
        Lines().stale()


def test_hooks_for_the_browser_tests():
    _, panel = live()
    assert {"klw", "klw-lines"} <= set(panel.box._dom_classes)
    for name in Lines.controls:
        assert f"klw-control-{name}" in slider(panel, name)._dom_classes
    assert 'class="klw-readout"' in panel._readout.value and 'class="klw-message"' in panel._message.value
    assert "m/m" in [child.value for child in panel._rows["slope"][0].children[1:]]  # the unit beside the number


def shown(widget: Widget, monkeypatch) -> list[tuple]:
    """What `show` displays: (data, metadata) each."""
    out = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata=None, raw=False: out.append((data, metadata)))
    widget.show()
    return out


def test_display_has_a_live_view_a_still_picture_and_words(monkeypatch):
    (bundle, _), (caption, _) = shown(Lines(slope=2), monkeypatch)
    assert bundle["text/plain"] == "Which way? slope 2, 2 lines, red, size 0.1"
    still = bundle["text/html"]
    assert f'alt="{bundle["text/plain"]}" width="384" height="240"' in still
    png = base64.b64decode(still.partition("base64,")[2].partition('"')[0])
    assert plt.imread(io.BytesIO(png), format="png").shape[:2] == (360, 576)
    assert bundle[WIDGET_VIEW]["model_id"]
    assert caption.data == r"*A line \* with a caption.*"
    # what the repository keeps of it
    output = NotebookNode(output_type="display_data", data=NotebookNode(bundle), metadata=NotebookNode())
    assert set(_static(output).data) == {"text/html", "text/plain"}


def test_showing_twice_shows_the_same_live_copy(monkeypatch):
    widget = Lines()
    first, second = (shown(widget, monkeypatch)[0][0][WIDGET_VIEW]["model_id"] for _ in range(2))
    assert first == second


def test_running_a_cell_again_closes_what_it_made_before(monkeypatch):
    def in_cell(cell, run):
        parent = {"metadata": {"cellId": cell}, "header": {"msg_id": run}}
        kernel = SimpleNamespace(get_parent=lambda: parent)
        monkeypatch.setattr(base, "get_ipython", lambda: SimpleNamespace(kernel=kernel), raising=False)
        widget = Lines()
        widget._drawn()
        widget._panel = Panel(widget)
        return widget, widget._panel.box

    (one, one_box), (two, _), (other, _) = in_cell("a", "1"), in_cell("a", "1"), in_cell("b", "2")
    assert one._panel and two._panel  # two in one cell live side by side
    again, _ = in_cell("a", "3")
    assert one._panel is None and two._panel is None and one_box.comm is None
    assert again._panel and other._panel
    one.set(slope=1)  # a closed one can still be driven from code
    assert one.text.startswith("slope 1")


def test_closing_leaves_no_model_behind():
    """Not even a layout or a style: a cell that is run a hundred times fills no memory, here or in the browser."""
    before = set(ipywidgets.widgets.widget._instances)
    widget, panel = live()
    assert len(set(ipywidgets.widgets.widget._instances) - before) > 20
    widget.close()
    assert set(ipywidgets.widgets.widget._instances) == before


def test_a_subclass_that_forgets_something_is_told_what():
    class Nothing(Widget):
        pass

    with pytest.raises(TypeError, match="Nothing.*figure_setup.*update"):
        Nothing()
