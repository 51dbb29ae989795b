"""An objective of one's own: what is wrong with it is named, it is trained and set beside stored methods, and handed in."""

import json
from dataclasses import dataclass

import nbformat
import pytest
import torch

from klcourse.exercises import capstone, diary, handin
from klcourse.exercises.faults import faults
from klcourse.objectives import ELBO, OBJECTIVES, Objective, knob
from klcourse.publish.normalise import NOTEBOOKS
from klcourse.studies import load_provenance

SLIPS = {
    "t.rec + t.kl": "a .mean() was forgotten",
    "t.rec.sum() + t.kl.sum()": "grows with the size of the batch, through rec, kl",
    "t.rec.mean() + t.kl.sum() + pull": "grows with the size of the batch, through kl",
    "-t.rec.mean() + t.kl.mean() + pull": "The distortion has the wrong sign",
    "t.kl.mean() + pull": "does not look at t.rec",
    "t.rec.mean() - t.kl.mean() + pull": "Rate is rewarded without end",
    "t.rec.mean() + t.kl.mean() - pull": "below the target a larger c makes the loss smaller",
    "t.rec.mean() + t.kl.mean() + self.lam * (t.kl.mean() - self.c).clamp(min=0)": "not max(R − c, 0)",
    "t.rec.mean() + t.kl.mean() + pull / self.lam": "The knob lam (its weight) is not used",
    "t.rec.mean() + t.kl.mean() + self.lam * (2.0 - t.kl.mean()).clamp(min=0)": "The knob c is not used",
    "(t.rec.mean() + t.kl.mean() + pull).item()": "A float comes back",
    "(t.rec.mean() + t.kl.mean() + pull).detach()": "has no gradient",
    "None": "Nothing comes back",
    "t.rec.mean() + t.kl.mean().log() * float('inf')": "look for log 0",
    "t.recs.mean()": "stopped with AttributeError",
}


@pytest.fixture
def mine():
    """Makes a hinge whose loss is a piece of code; off the list of objectives at the end."""

    def make(code: str, **knobs: float) -> Objective:
        @dataclass
        class Mine(Objective, name="mine-for-a-test"):
            formula = "D + R + λ max(c − R, 0)"
            lam: float = knob(1.0, "its weight")
            c: float = knob(2.0, "")

            def __call__(self, t):
                names = {"t": t, "self": self, "torch": torch, "pull": self.lam * (self.c - t.kl.mean()).clamp(min=0)}
                return eval(code, names)

        return Mine(**knobs)

    yield make
    OBJECTIVES.pop("mine-for-a-test", None)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_nothing_is_wrong_with_the_objectives_of_the_course(name):
    assert faults(OBJECTIVES[name]()) == []


@pytest.mark.parametrize("code", SLIPS)
def test_typical_slips_are_named(mine, code):
    found = faults(mine(code))
    assert any(SLIPS[code] in sentence for sentence in found), found
    assert capstone.look(mine(code)).edge == "bad"


def test_what_is_no_objective_gets_a_sentence(mine):
    assert "make an instance" in faults(ELBO)[0] and "not an objective" in faults(3.0)[0]
    assert faults(mine("t.rec.mean() + t.kl.mean() + pull")) == []


def test_the_board_has_one_setting_for_each_kind_of_data():
    configs = [{"data": "mnist"} | run["config"] for run in load_provenance(capstone.STUDY)["runs"]]
    for data in capstone.KINDS:
        chosen = capstone.board_settings(data)
        runs = [config for config in configs if config["data"] == data]
        assert len(runs) == 18 and all(config == config | chosen for config in runs)


def test_an_objective_with_a_fault_is_not_trained(mine):
    result = capstone.judge(mine("t.rec + t.kl"))
    assert result.runs.empty and "forgotten" in repr(result) and "yours" not in result.board().index.get_level_values(1)


def test_what_stops_a_training_is_told(mine):
    result = capstone.judge(mine("t.recs.mean()"), ["text"], anyway=True, limit=20, epochs=1)
    assert "AttributeError" in result.trouble[0] and "not judged" in repr(result)
    with pytest.raises(ValueError, match="no board for data 'grammar'"):
        capstone.judge(ELBO(), ["grammar"])


def test_training_board_and_file(mine, tmp_path, monkeypatch):
    monkeypatch.setenv("KLCOURSE_DIARY", str(tmp_path / "diary.json"))
    diary.keep("solved", "14.1", True)
    objective = mine("t.rec.mean() + t.kl.mean() + pull", lam=2.0)
    result = capstone.judge(objective, ["text"], [0, 1], limit=30, epochs=1, hidden=8, iw_samples=4)
    assert list(result.runs["seed"]) == [0, 1] and not result.stored and result.target == 2
    assert "2 seeds: rate" in repr(result) and "no price to tell" in repr(result)
    assert "yours" not in result.board().index.get_level_values("method")
    path = result.save(tmp_path / "mine.json")
    record = handin.read(path)
    assert record["answers"]["solved"] == {"14.1": True} and record["versions"]["torch"]
    work = record["work"]["capstone"]
    assert work["seeds"] == [0, 1] and work["objective"]["knobs"] == {"lam": 2.0, "c": 2.0}
    assert work["runs"][1]["rate"] == result.runs["rate"][1] and "eval(code" in work["objective"]["code"]
    assert handin.read(handin.write(path, essay="done"))["work"] == {"capstone": work, "essay": "done"}


def test_yours_stands_on_the_board_with_its_price():
    """The stored hinge once more under another name: same numbers, same price."""
    stored = capstone._stored("text")
    runs = stored[stored["method"] == "hinge on R, λ = 1"].drop(columns=["cost", "saved", "name", "method"])
    result = capstone.Result({"name": "mine", "formula": ""}, runs, {}, target=2.0)
    board = result.board()
    columns = [name for name in board if name != "flat"]
    assert list(board.loc[("sentences", "yours"), columns]) == list(board.loc[("sentences", "hinge on R, λ = 1"), columns])
    assert "to the ELBO's" in repr(result) and ("digits", "ELBO") in board.index
    assert result.board().loc["sentences", "I_q, lower"].is_monotonic_decreasing


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "klcourse hand-in 1"}'])
def test_a_file_that_is_no_hand_in_is_refused(content, tmp_path):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(handin.HandInError, match=r"other\.json"):
        handin.write(tmp_path / "other.json", capstone={})
    assert (tmp_path / "other.json").read_text() == content


def test_a_changed_hand_in_is_refused(tmp_path):
    path = handin.write(tmp_path / "mine.json", capstone={"seeds": [0], "rate": float("nan")})
    record = json.loads(path.read_text())
    assert record["work"]["capstone"]["rate"] is None
    path.write_text(json.dumps(record | {"work": {"capstone": {"seeds": [7]}}}))
    with pytest.raises(handin.HandInError, match="was changed"):
        handin.read(path)


def test_the_cheat_sheet_is_the_same_on_its_page_and_in_the_notebook():
    sheet = (NOTEBOOKS / "CHEATSHEET.md").read_text(encoding="utf-8").split("\n\n", 1)[1].strip()
    cells = nbformat.read(NOTEBOOKS / "14_verdict.ipynb", as_version=4).cells
    assert next(cell for cell in cells if cell.id == "cheat-sheet").source.endswith(sheet)
