"""The training cockpit: started, steered, paused and resumed in the browser, while the notebook stays usable."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from klcourse.publish.rules import KERNELSPEC

COCKPIT, OTHER, RUNNING, WHOLE = 1, 2, 3, 4
CELLS = [
    "from klcourse.live.cockpit import Cockpit\n"
    'cockpit = Cockpit(data="mnist", decoder="ar", lam=0.0, c=8, limit=500)\ncockpit',
    'print("another cell ran at step", cockpit.trainer.steps)',
    "import gc\nfrom klcourse.live.steering import LiveRun\n"
    "print(sum(run.running for run in gc.get_objects() if type(run) is LiveRun), 'running')",
    "steps = cockpit.history['step'].tolist()\nprint(steps == list(range(1, len(steps) + 1)), len(steps))",
]


@pytest.fixture(scope="module")
def notebook(browser, lab):
    """A notebook with a cockpit on a small PixelCNN that starts without a constraint."""
    cells = [new_markdown_cell("# Cockpit"), *map(new_code_cell, CELLS)]
    made = new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)})
    nbformat.write(made, lab.notebooks / "cockpit.ipynb")
    notebook = browser.open("cockpit")
    notebook.run_cell(COCKPIT)
    notebook.page.locator("img.klw-figure").wait_for()
    yield notebook
    assert notebook.problems == []
    notebook.close()


@pytest.fixture
def cockpit(notebook):
    return Cockpit(notebook)


class Cockpit:
    """What a reader does with the cockpit, and reads from it."""

    def __init__(self, notebook):
        self.notebook, self.page, self.widget = notebook, notebook.page, notebook.widget("cockpit")

    def press(self, name):
        """Press one of its buttons by keyboard."""
        self.widget.press(f".klw-cockpit-{name}")

    def text(self, name):
        return self.page.locator(f"b.klw-cockpit-{name}").inner_text()

    @property
    def steps(self):
        return int(self.text("steps"))

    def wait(self, name, condition, arg=None):
        """Wait until a text of the cockpit fulfils a JavaScript condition on `text` and `arg`."""
        self.page.wait_for_function(
            "([name, arg]) => { const text = document.querySelector('b.klw-cockpit-' + name)?.innerText;"
            f" return {condition} }}",
            arg=[name, arg],
        )

    def wait_for_steps(self, count):
        """Wait until it is so many steps further."""
        self.wait("steps", "Number(text) >= arg", self.steps + count)

    def printed(self, cell):
        """Run a cell and wait for the line it prints, whatever the cockpit is doing."""
        before = self.notebook.cells[cell - 1]["count"]
        self.notebook.run_cell(cell)
        self.page.wait_for_function(
            "([number, before]) => { const cell = jupyterapp.shell.currentWidget.content.model.cells.get(number);"
            " return cell.executionCount !== null && cell.executionCount !== before && cell.outputs.length > 0 }",
            arg=[cell, before],
        )
        return self.notebook.cells[cell - 1]["outputs"][0]["text"].strip()


def test_start_steer_pause_resume(cockpit):
    assert cockpit.text("state") == "paused"
    cockpit.press("start")
    cockpit.wait("state", "text === 'training'")
    cockpit.wait_for_steps(10)

    # λ above β: from now on rate is rewarded until it reaches c
    low, picture = float(cockpit.text("rate")), cockpit.widget.picture
    cockpit.widget.control("lam").part.focus()
    cockpit.page.keyboard.press("End")
    cockpit.wait("rate", "Number(text) > arg", low + 1)
    cockpit.widget.wait_for_picture(picture)

    # another cell, while it trains
    at = int(cockpit.printed(OTHER).split()[-1])
    assert cockpit.text("state") == "training"
    cockpit.wait("steps", "Number(text) > arg", at)

    cockpit.press("pause")
    cockpit.wait("state", "text === 'paused'")
    steps = cockpit.steps
    assert cockpit.printed(RUNNING) == "0 running"
    assert cockpit.printed(WHOLE) == f"True {steps}"
    assert cockpit.steps == steps

    cockpit.press("step")
    cockpit.wait("steps", "Number(text) === arg", steps + 1)

    cockpit.press("start")
    cockpit.wait_for_steps(5)
    cockpit.press("pause")
    cockpit.wait("state", "text === 'paused'")
    assert cockpit.printed(WHOLE) == f"True {cockpit.steps}", "steps were lost or done twice"


def test_the_cell_run_again_leaves_one_run(cockpit):
    cockpit.press("start")
    cockpit.wait("state", "text === 'training'")
    assert cockpit.printed(RUNNING) == "1 running"
    cockpit.notebook.run_cell(COCKPIT)
    cockpit.wait("steps", "text === '0'")
    assert cockpit.page.locator(".jp-Notebook .klw-cockpit.klw").count() == 1
    assert cockpit.printed(RUNNING) == "0 running"
    cockpit.press("start")
    cockpit.wait_for_steps(3)
    assert cockpit.printed(RUNNING) == "1 running"


def test_reset_is_a_new_run_at_step_0(cockpit):
    cockpit.press("pause")
    cockpit.wait("state", "text === 'paused'")
    assert cockpit.steps > 0
    cockpit.widget.press(".klw-button-reset")
    cockpit.wait("steps", "text === '0'")
    assert cockpit.text("state") == "paused"
