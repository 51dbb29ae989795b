"""A slow machine is not a fault, and a slow server is not waited for."""

import http.server
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from klcourse.data import DataError, fetch, load
from klcourse.data.docstrings import corpus
from klcourse.system import is_piped
from tests import limits
from tests.conftest import NotebookCosts


class Drip(http.server.BaseHTTPRequestHandler):
    """Sends a byte now and then: of the body, or of the answer's head."""

    def do_GET(self):
        try:
            if "head" in self.path:
                for letter in b"HTTP/1.1 200 OK\r\nX-Long: " + 200 * b"x":
                    self.wfile.write(bytes([letter]))
                    time.sleep(0.05)
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            for _ in range(200):
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:  # nobody listens any more
            pass

    def log_message(self, *_):
        """Keep the test output clean."""


@pytest.fixture
def drip(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drip)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("what", ["body", "head"])
def test_a_server_that_drips_is_given_up(drip, monkeypatch, tmp_path, what):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    monkeypatch.setattr(fetch, "MIRRORS", {"ptb": (f"{drip}/{what}/", f"{drip}/{what}/again/")})
    with pytest.raises(DataError, match="(?s)no answer within 0.3 s, or less than 1000 bytes a second.*by hand"):
        load("ptb", cache=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_bars_are_silent_when_nobody_watches(tmp_path, monkeypatch, capsys):
    """The reader's bar shows after two seconds; here it would at once."""
    import tqdm.auto

    shown = []
    real = tqdm.auto.tqdm
    monkeypatch.setattr(tqdm.auto, "tqdm", lambda *a, **k: shown.append(not k["disable"]) or real(*a, **(k | {"delay": 0})))
    (tmp_path / "a.py").write_text("'''Return the mean of all the values.'''")
    for watched in False, True:
        monkeypatch.setattr(sys.stderr, "isatty", lambda watched=watched: watched, raising=False)
        assert is_piped() == (not watched)
        with pytest.raises(DataError):
            corpus([("a", tmp_path / "a.py")], ("a",), n_test=5)
    assert shown == [False, True] and "reading docstrings" in capsys.readouterr().err


def test_limits_grow_with_the_load_and_can_be_set(monkeypatch):
    monkeypatch.delenv("KLCOURSE_PATIENCE", raising=False)
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 0.1, 0.1), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert limits.limit(300) == 300
    monkeypatch.setattr("os.getloadavg", lambda: (10.0, 8.0, 1.0), raising=False)
    assert limits.limit(300) == 2250
    monkeypatch.setenv("KLCOURSE_PATIENCE", "4")
    assert limits.limit(300) == 1200 and "KLCOURSE_PATIENCE=8" in limits.too_slow("cell 3 of a.ipynb", 1200)


class IPyNbCell(SimpleNamespace):
    """What the hooks see of a cell of a notebook."""


def test_after_a_cell_that_was_stopped_the_others_are_skipped(monkeypatch):
    """One failure that says what to do, and not one for each of the cells behind it."""
    monkeypatch.setenv("KLCOURSE_PATIENCE", "1")
    option = SimpleNamespace(nbval_cell_timeout=0)
    notebook = SimpleNamespace(timed_out=False, kernel=SimpleNamespace())
    cell = IPyNbCell(
        parent=notebook,
        config=SimpleNamespace(option=option),
        user_properties=[],
        path=SimpleNamespace(stem="a", name="a.ipynb"),
        cell_num=3,
    )
    hooks = NotebookCosts()
    hooks.pytest_runtest_setup(cell)
    assert option.nbval_cell_timeout == limits.CELL
    call = hooks.pytest_runtest_call(cell)
    next(call)
    notebook.timed_out = True
    with pytest.raises(pytest.fail.Exception, match="cell 3 of a.ipynb was stopped after 300 s: it hangs, or this machine"):
        call.throw(RuntimeError("as nbval says it"))
    with pytest.raises(pytest.skip.Exception, match="an earlier cell of this notebook was stopped"):
        hooks.pytest_runtest_setup(cell)
