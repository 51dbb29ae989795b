"""The reader's own file: whole or not at all, never in the way, nothing lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from klcourse.__main__ import main
from klcourse.exercises import diary, exercise, predict, prediction


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    place = tmp_path / "deep" / "diary.json"
    monkeypatch.setenv("KLCOURSE_DIARY", str(place))
    for name, empty in (("_here", {}), ("_news", []), ("_said", set())):
        monkeypatch.setattr(diary, name, empty)
    return place


def test_entries_are_kept_side_by_side(path):
    diary.keep("solved", "1.1", True)
    diary.keep("guesses", "1.1", 0.25)
    assert diary.read() == {"solved": {"1.1": True}, "guesses": {"1.1": 0.25}, "bets": {}, "quizzes": {}}
    assert json.loads(path.read_text())["guesses"] == {"1.1": 0.25}
    assert diary.reset() and diary.read()["solved"] == {} and not diary.reset()


def test_the_users_own_folder_without_the_variable(monkeypatch):
    monkeypatch.delenv("KLCOURSE_DIARY")
    assert diary.where().name == "diary.json" and "klcourse" in str(diary.where())


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'{"solved": 3}', b"\xff\xfe\x00", b"null"])
def test_a_damaged_file_is_said_and_set_aside(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    verdict = exercise("1.2").check(784)
    assert verdict.passed and "set aside as diary.damaged-1.json" in repr(verdict)
    assert (path.parent / "diary.damaged-1.json").read_bytes() == content
    assert diary.read()["solved"] == {"1.2": True}
    assert "set aside" not in repr(exercise("1.2").check(784))  # said once
    path.write_bytes(content)
    diary.read()
    assert (path.parent / "diary.damaged-2.json").exists()


def test_a_place_that_cannot_be_written_breaks_nothing(path):
    path.parent.write_text("a file where the folder should be")
    verdict = exercise("1.2").check(784)
    assert verdict.passed and "cannot be written" in repr(verdict) and "KLCOURSE_DIARY" in repr(verdict)
    assert "1 of 5" in repr(verdict) and "cannot be written" not in repr(exercise("1.2").check(784))
    assert predict("1.1", 0.5).edge == "good" and prediction("1.1") == 0.5  # for as long as this kernel runs
    path.parent.unlink()
    diary.keep("solved", "1.3", True)  # writable again: nothing was lost
    assert json.loads(path.read_text())["solved"] == {"1.2": True, "1.3": True}


def test_no_home_folder_breaks_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv("KLCOURSE_DIARY")
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: Path("~/.local/share") / name)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert exercise("1.2").check(784).passed and diary.where() == tmp_path / "klcourse" / "diary.json"


def test_another_notebook_that_never_lets_go_is_not_waited_for_long(path, monkeypatch):
    monkeypatch.setattr(diary, "PATIENCE", 0.0)
    monkeypatch.setattr(diary, "take", lambda file: False)
    diary.keep("solved", "1.1", True)
    assert not path.exists() and "another notebook holds it" in diary.news()[0]
    assert diary.read()["solved"] == {"1.1": True}


def test_two_notebooks_at_once_lose_nothing(path):
    code = "import sys; from klcourse.exercises.diary import keep\n"
    code += "for i in range(15): keep('solved', f'{sys.argv[1]}.{i}', True)"
    both = [subprocess.Popen([sys.executable, "-c", code, str(n)], env=dict(os.environ)) for n in (1, 2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(diary.read()["solved"]) == 30


def test_a_guess_that_no_longer_fits_counts_as_none():
    diary.keep("guesses", "1.1", "high")
    assert prediction("1.1") is None


def test_command(capsys, path):
    diary.keep("solved", "1.2", True)
    diary.keep("bets", "A0", "holds")
    assert main(["exercises"]) == 0
    said = capsys.readouterr().out
    assert "01_elbo" in said and "1/5" in said and "bets placed: 1 of" in said and str(path) in said
    assert main(["exercises", "--reset"]) == 0 and "Forgotten" in capsys.readouterr().out
    assert main(["exercises", "--reset"]) == 0 and "nothing to forget" in capsys.readouterr().out
    path.mkdir()
    assert main(["exercises", "--reset"]) == 2 and "delete it by hand" in capsys.readouterr().err
