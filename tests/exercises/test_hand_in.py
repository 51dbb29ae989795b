"""A hand-in and the marks of a folder of them: what is in the file, what is noticed, what a lecturer sees."""

import json

import nbformat
import pytest

from klcourse.__main__ import main
from klcourse.exercises import diary, hand_in, marks, registry
from klcourse.publish.fill import answer_cells, fill
from klcourse.publish.normalise import NOTEBOOKS
from klcourse.seals import sealed

NAME = "06_rate_is_not_information.ipynb"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A reader with a diary and two notebooks, one of them filled in."""
    monkeypatch.setenv("KLCOURSE_DIARY", str(tmp_path / "diary.json"))
    monkeypatch.setattr(diary, "_here", {})
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(fill(nbformat.read(NOTEBOOKS / NAME, as_version=4)), folder / NAME)
    (folder / "01_elbo.ipynb").write_bytes((NOTEBOOKS / "01_elbo.ipynb").read_bytes())
    for one in registry.entries("EXERCISES", 6):
        diary.keep("solved", one.id, True)
    return folder


def test_a_hand_in_holds_the_changed_answers_and_the_diary(own, tmp_path, capsys):
    out = tmp_path / "class" / "ada.json"
    out.parent.mkdir()
    assert main(["hand-in", "--name", " Ada  Lovelace", "--notebooks", str(own), "--out", str(out)]) == 0
    record = hand_in.read(out)
    assert record["name"] == "Ada Lovelace"
    assert record["answers"].keys() == {one.id for one in registry.entries("EXERCISES", 6)}  # 01 still has its stubs
    assert record["diary"]["solved"].keys() == record["answers"].keys()
    assert f"{len(record['answers'])} answers" in capsys.readouterr().out


def test_marks_are_a_line_a_student_and_a_remark_for_what_is_odd(own, tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    record = hand_in.collect("Ada", own)
    for name, changed in {"ada": {}, "again": {}, "bob": {"name": "Bob", "klcourse": "0.0.1", "answers": {}}}.items():
        (folder / f"{name}.json").write_text(json.dumps(sealed(record | changed)))
    (folder / "cut.json").write_text(json.dumps(record)[:99])
    (folder / "changed.json").write_text(json.dumps(record | {"name": "Eve"}))
    (folder / "other.json").write_text("{}")
    assert main(["marks", str(folder), "--csv", str(tmp_path / "marks.csv")]) == 0
    lines = {line["name"]: line for line in marks.table(folder)}
    done = len(registry.entries("EXERCISES", 6))
    assert lines["Ada"]["06"] == f"{done}/{done}" and lines["Ada"]["01"].startswith("0/")
    assert lines["Ada"]["remarks"] == "several files have this name"
    assert "made with klcourse 0.0.1" in lines["Bob"]["remarks"] and "no answer in the notebooks" in lines["Bob"]["remarks"]
    assert "damaged" in lines["cut.json"]["remarks"] and "checksum" in lines["changed.json"]["remarks"]
    assert "no hand-in of this course" in lines["other.json"]["remarks"]
    said = capsys.readouterr().out
    assert all(name in said for name in lines)
    assert (tmp_path / "marks.csv").read_text().count("\n") == 1 + 6


def test_an_answer_is_judged_again_in_a_process_of_its_own(own):
    one = registry.exercise("6.1")
    assert marks.is_right("6.1", one.cell(filled=True))
    assert not marks.is_right("6.1", one.cell())
    assert not marks.is_right("6.1", "while True: pass", seconds=1)
    record = hand_in.collect("Ada", own)
    record["answers"] = {"6.1": one.cell()}
    record["diary"] = record["diary"] | {"solved": {"6.1": True}}
    line = marks.mark(record, run=True)
    assert line["06"].startswith("0/") and line["remarks"] == "not found right here: 6.1"


def test_the_quiz_is_counted_by_its_right_letters():
    quiz = registry.page(1).QUIZ
    letters = {f"1.{i}": "abcdef"[[o.right for o in q.options].index(True)] for i, q in enumerate(quiz.questions, 1)}
    assert marks.quiz_right(quiz, letters) == len(quiz.questions)
    assert marks.quiz_right(quiz, letters | {"1.1": "?"}) == len(quiz.questions) - 1
    assert marks.quiz_right(quiz, {}) == 0


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["hand-in", "--name", "  "], "needs a name"),
        (["hand-in", "--name", "Ada", "--notebooks", "nowhere"], "no notebooks in nowhere"),
        (["marks", "nowhere"], "no hand-ins in nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_a_notebook_or_capstone_that_cannot_be_read_is_named(own, tmp_path):
    (own / "02_cut.ipynb").write_text("{")
    with pytest.raises(hand_in.NoHandIn, match="02_cut"):
        hand_in.collect("Ada", own)
    (own / "02_cut.ipynb").unlink()
    with pytest.raises(hand_in.NoHandIn, match="capstone"):
        hand_in.collect("Ada", own, tmp_path / "none.json")


def test_answer_cells_are_found_by_the_same_call_that_checks_them():
    notebook = nbformat.read(NOTEBOOKS / NAME, as_version=4)
    assert all(hand_in.CALL.findall(cell.source) == [one.id] for one, cell in answer_cells(notebook))
