"""Every exercise: its stub fails kindly, its solution passes, each typical mistake is named; and every quiz and guess."""

import ast
import re

import numpy as np
import pytest

from klcourse import exercises
from klcourse.exercises import diary, quiz, registry
from klcourse.exercises.forms import Options, Range, Sketch

ALL = registry.entries("EXERCISES")
GUESSES = registry.entries("GUESSES")
QUIZZES = [quiz(number) for number in registry.files()]
MISTAKES = [(one, mistake) for one in ALL for mistake in one.mistakes]


@pytest.fixture(autouse=True)
def own_diary(tmp_path, monkeypatch):
    monkeypatch.setenv("KLCOURSE_DIARY", str(tmp_path / "diary.json"))
    monkeypatch.setattr(diary, "_here", {})


def run(source: str, setup: str) -> dict:
    names = {"exercise": exercises.exercise}
    exec(setup, names)
    exec(source, names)
    return names


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_an_untouched_stub_fails_kindly(one):
    names = run(one.stub, one.setup)
    verdict = one.check(names[one.name])
    assert verdict.status == "open" and not verdict.passed
    assert "Replace the ..." in repr(verdict) and "hint()" in repr(verdict)
    assert one.id not in diary.read()["solved"]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_the_solution_passes_and_is_kept(one):
    verdict = one.check(one.solve())
    assert verdict.passed, repr(verdict)
    assert diary.read()["solved"] == {one.id: True}
    assert registry.progress(one.id.split(".")[0])[0] == 1 and "1 of" in repr(verdict)


@pytest.mark.parametrize("one, mistake", MISTAKES, ids=[f"{one.id}-{i}" for i, (one, _) in enumerate(MISTAKES)])
def test_a_typical_mistake_is_named(one, mistake):
    verdict = one.check(mistake.example)
    assert (verdict.status, verdict.text[0]) == ("mistake", mistake.says), repr(verdict)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_nothing_that_is_answered_raises(one):
    def explodes(*arguments, **named):
        raise RuntimeError("bang")

    class Odd:
        def __array__(self, *arguments, **named):
            raise KeyError("odd")

        def __call__(self, *arguments, **named):
            raise SystemExit

    for answer in (
        None,
        ...,
        "text",
        {},
        [1, [2, 3]],
        1j,
        float("nan"),
        np.zeros((2, 3, 4)),
        explodes,
        Odd(),
        object(),
        int,
    ):
        verdict = one.check(answer)
        assert not verdict.passed and verdict.text[0].strip(), f"{answer!r}: {verdict!r}"
        assert verdict._repr_html_().startswith("<div role='status'")


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_hints_and_solution(one):
    one._given.clear()
    assert [one.hint().text[0], one.hint().text[0], one.hint().text[0]] == [*one.hints, one.hints[1]]
    assert one.hint(1).text[0] == one.hints[0]
    assert one.worked in repr(one.solution()) and "<pre><code>" in one.solution()._repr_html_()
    assert len(set(one.hints)) == 2 and all(hint.endswith(".") or hint.endswith("?") for hint in one.hints)
    with pytest.raises(ValueError, match="no hint 3"):
        one.hint(3)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_the_cell_runs_with_stub_and_with_solution(one):
    for filled in (False, True):
        source = one.cell(filled)
        assert f'exercise("{one.id}")' in source and max(map(len, source.splitlines())) <= 110
        last = ast.parse(source).body[-1]
        assert isinstance(last, ast.Assign if one.lends else ast.Expr)
    names = run(one.cell(), one.setup)
    if one.lends:
        assert one.check(names[one.name]).passed, "the solution stands in for a stub"


@pytest.mark.parametrize("number", registry.files())
def test_a_notebook_has_enough_to_do(number):
    known = registry.entries("EXERCISES", number)
    assert [one.id for one in known] == [f"{number}.{i}" for i in range(1, len(known) + 1)]
    assert 3 <= len(known) <= 5 and 2 * sum(one.is_code for one in known) >= len(known)
    assert all(one.mistakes for one in known)
    guesses = registry.entries("GUESSES", number)
    assert [guess.id for guess in guesses] == [f"{number}.{i}" for i in range(1, len(guesses) + 1)]


# ---- forms of an answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int", "float", "numpy scalar", "array", "list", "tensor", "function"])
def test_valid_forms_of_a_number(kind):
    import torch

    value = {
        "int": 784,
        "float": 784.0,
        "numpy scalar": np.float32(784),
        "array": np.array([784.0]),
        "list": [784],
        "tensor": torch.tensor(784.0, requires_grad=True),
        "function": lambda: 784,
    }[kind]
    assert exercises.exercise("1.2").check(value).passed


def test_tolerance_and_what_differs_is_said():
    one = exercises.exercise("1.2")
    assert one.check(784.5).passed  # a thousandth, relative
    verdict = one.check(790)
    assert "more than 0.001" in repr(verdict) and verdict.table[1][1:] == ["790", "784"]
    assert "The shape is (2,)" in repr(one.check([1, 2]))
    assert "infinity" in repr(one.check(float("inf")))
    assert "text" in repr(one.check("784")) and "without brackets" in repr(exercises.exercise("1.3").check(3.0))


def test_an_answer_that_changes_its_arguments_harms_nobody():
    def spoils(a, b):
        a[:] = 0
        return 0.0

    one = exercises.exercise("1.4")
    one.check(spoils)
    assert one.check(one.solve()).passed


def test_an_error_names_its_kind():
    assert "ZeroDivisionError: division by zero" in repr(exercises.exercise("1.3").check(lambda nats, pixels: 1 / 0))


@pytest.mark.parametrize("id", ["99.1", "1.99", "first"])
def test_a_number_that_is_not_there(id):
    with pytest.raises(ValueError, match="choose one of|of the form"):
        exercises.exercise(id)


def test_html_is_escaped():
    def explodes(nats, pixels):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in exercises.exercise("1.3").check(explodes)._repr_html_()


# ---- predictions ---------------------------------------------------------------------------------------------------


def fitting(form):
    if isinstance(form, Range):
        return form.low
    return form.options[-1] if isinstance(form, Options) else [form.high] * len(form.at)


@pytest.mark.parametrize("guess", GUESSES, ids=lambda guess: guess.id)
def test_a_prediction_is_kept_and_shown_beside_the_measurement(guess, capsys):
    exercises.compare(guess.id, fitting(guess.form))
    assert exercises.prediction(guess.id) is None and capsys.readouterr().out == ""
    assert exercises.predict(guess.id, "nonsense").edge == "bad" and exercises.prediction(guess.id) is None
    assert exercises.predict(guess.id, fitting(guess.form)).edge == "good"
    assert exercises.prediction(guess.id) == fitting(guess.form)
    exercises.compare(guess.id, fitting(guess.form))
    said = capsys.readouterr().out
    assert "Yours:" in said and ("As you said." in said) == isinstance(guess.form, Options)


@pytest.mark.parametrize("guess", GUESSES, ids=lambda guess: guess.id)
def test_the_control_of_a_prediction(guess):
    prompt = exercises.predict(guess.id)
    assert (
        guess.asks in repr(prompt)
        and f'predict("{guess.id}"' in repr(prompt)
        and "<em>" in prompt._repr_html_()
        and "Kept" not in repr(prompt)
    )
    box = prompt.box()
    *controls, (button, said) = [*box.children[1:-1], box.children[-1].children]
    if isinstance(guess.form, Options):
        assert controls[0].options == guess.form.options and controls[0].tooltip == guess.asks
        button.click()
        assert "Choose one first" in said.value
        controls[0].value = guess.form.options[0]
    else:
        assert all(control.description and control.min <= control.value <= control.max for control in controls)
    button.click()
    assert "kept" in said.value and exercises.prediction(guess.id) is not None
    assert "Kept" in repr(exercises.predict(guess.id))
    again = exercises.predict(guess.id).box()
    assert again.children[1].value == controls[0].value


def test_choices_by_number_and_sketches_that_do_not_fit():
    form = Options(("one", "two"))
    assert form.read(1) == "one" and form.read("two") == "two"
    for wrong in (0, 3, True, "three"):
        with pytest.raises(ValueError, match="not among the choices"):
            form.read(wrong)
    sketch = Sketch(("a", "b"), 0, 1, 0.1)
    for wrong in (3, [1], [0, 2], "ab"):
        with pytest.raises(ValueError, match="give"):
            sketch.read(wrong)


# ---- quizzes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", QUIZZES, ids=lambda one: str(one.number))
def test_a_quiz_explains_every_option(one):
    assert len(one.questions) == 5
    for question in one.questions:
        assert sum(option.right for option in question.options) == 1 and 2 <= len(question.options) <= 4
        assert all(len(option.because) > 20 for option in question.options)
        assert len({option.text for option in question.options}) == len(question.options)
    html = one._repr_html_()
    assert html.count("<details>") == sum(len(question.options) for question in one.questions)
    assert html.count("Right.</strong>") == 5


@pytest.mark.parametrize("one", QUIZZES, ids=lambda one: str(one.number))
def test_a_quiz_is_answered_by_control_and_by_code(one):
    letters = ["abcd"[[option.right for option in question.options].index(True)] for question in one.questions]
    box = one.box()
    radios = [child for child in box.children if hasattr(child, "options")]
    for radio, question, letter in zip(radios, one.questions, letters):
        radio.value = question.options["abcd".index(letter)].text
    assert one.score == "5 of 5 right." and box.children[-1].value == "<strong>5 of 5 right.</strong>"
    assert all("Right." in child.value for child in box.children[2:-1:3])
    wrong = "a" if letters[0] != "a" else "b"
    assert one.answer(1, wrong).head == f"1{wrong}. Not so." and one.score == "4 of 5 right."
    assert one.answer(9, "a").edge == one.answer(1, "z").edge == "bad"
    assert len(set(letters)) > 1, "the right answer is not always at the same place"


# ---- bets ----------------------------------------------------------------------------------------------------------


def test_bets_are_kept_and_scored(monkeypatch):
    from klcourse import ledger

    assert "no bets" in repr(exercises.score_bets())
    assert exercises.bet("A0", "fails as written").edge == "good" and exercises.bet("A16", 3).edge == "good"
    assert exercises.bet("A99", "holds").edge == exercises.bet("A0", "perhaps").edge == "bad"
    assert exercises.bets() == {"A0": "fails as written", "A16": "fails as written"}
    card = exercises.score_bets()
    assert card.head.startswith("1 of 2 bets were right") and card.table[1][1:] == ("fails as written",) * 2 + ("yes",)
    slip = exercises.betting_slip()
    box = slip.box()
    choices = {row.children[0].description: row.children[0] for row in box.children[:-1]}
    assert list(choices) == [claim.id for claim in ledger.CLAIMS] and choices["A0"].value == "fails as written"
    choices["A1"].value = "holds if"
    assert exercises.bets()["A1"] == "holds if" and "3 of 22" in box.children[-1].value
    assert re.findall(r"<th scope='row'>(A\w+)</th>", slip._repr_html_()) == list(choices)
