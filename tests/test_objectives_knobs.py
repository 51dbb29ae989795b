"""What every objective gets from its base class and its knobs: values checked, names found, readings put into words."""

import math
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from klcourse.objectives import OBJECTIVES, Objective, Terms, knob, knobs_of, make_objective
from klcourse.objectives import base as b
from klcourse.objectives import knobs as k

SHARE = k.Knob(0.5, "", low=0.25, high=1.0)
OPEN = k.Knob(1.0, "", low=2.0, above=True)
WHOLE = k.Knob(3, "", low=1.0, kind=int)
WORD = k.Knob("a", "", choices=("a", "b", "c"), kind=str)
SWITCH = k.Knob(True, "", kind=bool)
ANY_WORD = k.Knob("", "", kind=str)


@pytest.fixture(autouse=True)
def same_list():
    """Objectives that a test defines are forgotten afterwards."""
    before = dict(OBJECTIVES)
    yield
    OBJECTIVES.clear()
    OBJECTIVES.update(before)


def two_terms(kl: float = 2.0) -> Terms:
    return Terms(rec=torch.full((2,), 80.0), kl=torch.full((2,), kl))


# ------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    "what, good",
    [
        (SHARE, [0.25, 0.5, 1, 1.0]),
        (OPEN, [math.nextafter(2.0, 3.0), 3, 1e300]),
        (WHOLE, [1, 5, 7.0]),
        (WORD, ["a", "c"]),
        (SWITCH, [True, False]),
        (ANY_WORD, ["", "anything"]),
    ],
)
def test_values_in_bounds_come_back(what, good):
    for value in good:
        kept = what.check("x", value)
        assert kept == value and type(kept) is (int if what is WHOLE else type(value))


@pytest.mark.parametrize(
    "what, bad",
    [
        (SHARE, [math.nextafter(0.25, 0.0), math.nextafter(1.0, 2.0), math.nan, math.inf, -math.inf, "0.5", None, True]),
        (OPEN, [2.0, 1.9, math.inf]),
        (WHOLE, [0, 1.5, True, "1"]),
        (WORD, ["d", "", 1, None]),
        (SWITCH, [0, 1, "True"]),
        (ANY_WORD, [0, None, True]),
    ],
)
def test_values_out_of_bounds_do_not(what, bad):
    for value in bad:
        with pytest.raises(ValueError, match=r"^x = .*: choose "):
            what.check("x", value)


def test_numbers_of_numpy_and_torch_become_plain():
    for value in (np.float64(0.5), np.array(0.5), torch.tensor(0.5)):
        assert type(SHARE.check("x", value)) is float
    assert type(WHOLE.check("x", np.int64(4))) is int and type(SWITCH.check("x", np.bool_(True))) is bool
    for value in (np.array([0.5]), torch.tensor([0.5])):  # one number, but a list of numbers
        with pytest.raises(ValueError):
            SHARE.check("x", value)


@pytest.mark.parametrize(
    "what, words",
    [
        (k.Knob(1.0, ""), "a finite number >= 0"),
        (OPEN, "a finite number above 2"),
        (SHARE, "a number from 0.25 to 1"),
        (WHOLE, "a whole number >= 1"),
        (k.Knob(1, "", low=1, high=9, kind=int), "a whole number from 1 to 9"),
        (WORD, "a, b or c"),
        (SWITCH, "True or False"),
        (ANY_WORD, "a word"),
    ],
)
def test_the_message_names_the_value_the_owner_and_the_remedy(what, words):
    assert what.allowed == words
    with pytest.raises(ValueError) as caught:
        what.check("x", [], "of objective mine")
    assert str(caught.value) == f"x = [] of objective mine: choose {words}"
    with pytest.raises(ValueError) as caught:
        what.check("x", [])
    assert str(caught.value) == f"x = []: choose {words}"


def test_a_slider_is_wide_for_factorised_decoders_only_where_it_says_so():
    wide, plain = k.Slide(5.0, 0.1, 60.0, 1.0), k.Slide(5.0, 0.1)
    assert wide.for_decoder(True) == (60.0, 1.0) and wide.for_decoder(False) == (5.0, 0.1)
    assert plain.for_decoder(True) == plain.for_decoder(False) == (5.0, 0.1)


# ------------------------------------------------------------------------------------------------------- fields


def test_a_field_keeps_all_that_was_said_about_it():
    live = k.Slide(1.0, 0.1)
    said = dict(symbol="s", tex="t", unit="u", low=1.0, high=9.0, above=True, live=live, shown=False)

    @dataclass
    class Example:
        a: float = knob(2.0, "help", **said)
        b: str = knob("x", "word", choices=("x", "y"))
        n: "int | None" = None
        plain: bool = False
        moved: float = k.memory(0.5)

    assert list(knobs_of(Example)) == ["a", "b", "n", "plain"] and k.memory_of(Example) == ("moved",)
    assert knobs_of(Example)["a"] == k.Knob(2.0, "help", **said)
    assert knobs_of(Example)["b"] == k.Knob("x", "word", choices=("x", "y"), kind=str)
    assert knobs_of(Example)["n"] == k.Knob(None, "", kind=int) and knobs_of(Example)["plain"].kind is bool
    assert repr(Example()).endswith("Example(b='x', n=None, plain=False)") and Example().moved == 0.5
    with pytest.raises(TypeError):
        Example(moved=1.0)
    knobs_of(Example).clear()
    assert len(knobs_of(Example)) == 4  # the caller has a copy

    class Renamed(Example):
        pass

    assert knobs_of(Renamed) == knobs_of(Example) and knobs_of(int) == {} and k.memory_of(int) == ()


@pytest.mark.parametrize(
    "make, symbol, tex, unit, live",
    [(k.lam, "λ", r"\lambda", "", k.LAM), (k.c, "c", "c", "nats", k.C), (k.beta, "β", r"\beta", "", k.BETA)],
)
def test_shared_knobs_look_the_same_everywhere(make, symbol, tex, unit, live):
    what = make(3.0, "its work").metadata["knob"]
    assert what == k.Knob(3.0, "its work", symbol=symbol, tex=tex, unit=unit, live=live)
    assert make(3.0).metadata["knob"].help and (make is not k.beta or k.beta().default == 1.0)


def test_all_knobs_has_shared_ones_first_and_hidden_ones_last():
    found = b.all_knobs()
    assert list(found)[:3] == ["lam", "c", "beta"] and set(found["lam"]) == {
        name for name, cls in OBJECTIVES.items() if "lam" in knobs_of(cls)
    }
    assert all(found.values()) and sum(map(len, found.values())) == sum(len(knobs_of(cls)) for cls in OBJECTIVES.values())

    @dataclass
    class First(Objective):
        hidden: float = knob(1.0, "", shown=False)
        seen: float = knob(1.0, "")

    @dataclass
    class Second(Objective):
        other: float = knob(1.0, "")

    assert list(b.all_knobs())[-1] == "hidden" and list(b.all_knobs())[-3:-1] == ["seen", "other"]
    OBJECTIVES.clear()
    assert b.all_knobs() == {}


# ------------------------------------------------------------------------------------------------------- the base class


def test_what_a_class_that_says_nothing_is():
    @dataclass
    class PlainSum(Objective):
        def __call__(self, t):
            return t.rec.mean()

    one, t = PlainSum(), two_terms()
    assert (PlainSum.name, PlainSum.title, PlainSum.aliases) == ("plain-sum", "plain-sum", ())
    assert OBJECTIVES["plain-sum"] is PlainSum and OBJECTIVES["plain-sum"] == b.find_objective("plain-sum")
    assert one.penalty_on(t) == 0.0 and one.settles(9.0) == 0.0 and one.state() == {} and one.validation_loss(t) == 80.0
    assert not (one.has_branches or one.needs_helper or one.helper_alternates)
    assert math.isnan(one.target) and math.isnan(one.penalty_weight) and math.isnan(one.rate_weight(0.5))
    assert one.build_helper(None) is None and one.after_step(t) is None and one.check_batch_size(1) is None
    assert one.reading(0.5) == "plain-sum has no constraint"
    with pytest.raises(AttributeError, match="objective plain-sum has no knob 'lam'; it has: none"):
        one.lam = 1.0
    with pytest.raises(NotImplementedError, match="write its helper_loss"):
        one.helper_loss(None, None, None)


def test_what_is_missing_is_said():
    @dataclass
    class Mute(Objective):
        pass

    with pytest.raises(NotImplementedError, match="objective mute has no __call__"):
        Mute()(two_terms())

    class Bare(Objective):
        pass

    class Undecorated(Objective):
        omega: float = knob(1.0, "")

    for cls in (Bare, Undecorated):
        with pytest.raises(TypeError, match=f"write @dataclass above `class {cls.__name__}`"):
            cls()

    @dataclass
    class Ask(Objective):
        omega: float

        def __call__(self, t):
            return self.omega * t.rec.mean()

    with pytest.raises(ValueError, match="objective ask has no default for omega: give a value"):
        make_objective("ask")
    assert make_objective("ask", omega=2)(two_terms()) == 160.0
    with pytest.raises(ValueError, match="objective ask does not use nothing; objectives that do: none"):
        make_objective("ask", omega=2, nothing=1)


def test_memory_moves_is_kept_and_is_no_knob():
    @dataclass
    class Remembers(Objective):
        lam: float = k.lam(1.0)
        average: float = k.memory(0.25)

        def __call__(self, t):
            return t.rec.mean()

    one = Remembers(lam=2)
    assert one.state() == {"average": 0.25} and repr(one).endswith("Remembers(lam=2)") and one.penalty_weight == 2
    one.average = np.float64(3)
    assert one.state() == {"average": 3.0} and type(one.average) is float
    assert math.isnan(one.target)  # constrains nothing


class Held:
    """What `reading` needs."""

    formula, constrains = "D", "rate"

    def __call__(self, t):
        return t.rec.mean()


def test_readings_in_words():
    @dataclass
    class Hinge(Held, Objective):
        weight_formula = "β − λ·duty"
        lam: float = k.lam(2.0)
        c: float = k.c(5.0)

        def penalty_on(self, t):
            return 1.0

        def rate_weight(self, duty):
            return 1 - self.lam * duty

    @dataclass
    class Straight(Held, Objective):  # no branches, no lam, and it does not know its weight
        c: float = k.c(5.0)

    @dataclass
    class Free(Held, Objective):  # branches, a weight, and no name for it
        c: float = k.c(5.0)

        def penalty_on(self, t):
            return 1.0

        def rate_weight(self, duty):
            return 1 - duty

    assert Hinge().has_branches and not Straight().has_branches and Hinge().target == 5.0
    assert Hinge().reading(0.0) == "duty 0: the constraint is inactive"
    assert Hinge().reading(1.0) == "duty 1: on at every step, β_eff = β − λ·duty = −1.00"
    assert Hinge().reading(0.25) == "duty 0.25, λ·duty = 0.50, slope ≈ β − λ·duty = 0.50"
    assert Straight().reading(0.0) == "duty 0.00" and Straight().reading(1.0) == "duty 1: on at every step"
    assert (
        Free().reading(1.0) == "duty 1: on at every step, β_eff = 0.00" and Free().reading(0.25) == "duty 0.25, slope ≈ 0.75"
    )


# ------------------------------------------------------------------------------------------------------- names


def test_old_names_lead_to_the_new_class_and_clash_with_others():
    @dataclass
    class Today(Objective, name="today", aliases=("yesterday", "before")):
        title = "T"

    assert b.canonical("before") == "today" == b.canonical("today") and b.canonical("never") == "never"
    assert b.first_name("today") == b.first_name("before") == "yesterday" and b.first_name("never") == "never"
    assert b.find_objective("yesterday") is Today and Today.title == "T"
    for name, aliases in (("today", ()), ("yesterday", ()), ("new", ("other", "before"))):
        with pytest.raises(ValueError, match="is taken by .*Today: choose another"):
            type("Clash", (Objective,), {}, name=name, aliases=aliases)
    assert OBJECTIVES["today"] is Today and "new" not in OBJECTIVES
    again = type("Today", (Objective,), {"__module__": Today.__module__, "__qualname__": Today.__qualname__}, name="today")
    assert OBJECTIVES["today"] is again  # a notebook's cell that is run twice


def test_names_come_from_the_class_statement_the_body_or_the_class():
    assert type("BetaTwoVAE", (Objective,), {}).name == "beta-two-vae"
    assert type("Any", (Objective,), {"name": "from-body"}).name == "from-body"
    assert type("Any", (Objective,), {"name": "from-body"}, name="from-statement").name == "from-statement"


def test_unknown_names_get_a_hint():
    with pytest.raises(ValueError, match="unknown objective 'mi-hing'. Did you mean 'mi-hinge'?"):
        b.find_objective("mi-hing")
    with pytest.raises(ValueError, match="unknown objective 'zzzzzz'. Choose one of elbo, .*, or a dotted name"):
        b.find_objective("zzzzzz")


def test_a_dotted_name_is_imported_also_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "of_here.py").write_text("from klcourse.objectives import ELBO as Mine\nnumber = 3\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert b.find_objective("of_here.Mine") is OBJECTIVES["elbo"] and sys.path == before
    with pytest.raises(ValueError, match="of_here.number is no objective: write `class number"):
        b.find_objective("of_here.number")
    for name in ("of_here.Other", "not_here.Mine"):
        with pytest.raises(ValueError, match=f"cannot load objective '{name}': "):
            b.find_objective(name)
    assert sys.path == before
    sys.path.append(str(tmp_path))  # already looked through: the error is Python's own, the path stays
    with pytest.raises(ValueError, match="cannot load"):
        b.find_objective("not_here.Mine")
    assert sys.path == [*before, str(tmp_path)]
    sys.modules.pop("of_here")


def test_published_settings_give_way_to_those_given():
    cls = OBJECTIVES["capacity"]
    assert vars(cls.as_published()) == {"lam": 1000.0, "c": 25.0, "rise": 1.0} and cls.as_published(c=3).c == 3


def test_minus_signs_are_true_ones():
    assert (b.signed(-1.005), b.signed(2.0)) == ("−1.00", "2.00")
