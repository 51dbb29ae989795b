"""What makes no sense is refused in a sentence that names it, and never answered with a plausible number."""

import math
import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch

from klcourse.__main__ import main
from klcourse.data import DataError, load
from klcourse.exact import (
    channels,
    discrete,
    discrete_optima,
    dynamics,
    equilibria,
    linear_gaussian,
    regimes,
    selflabel,
    table_games,
    threshold,
)
from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.exact.ppca import PPCA
from klcourse.games import Game, Quantities, conditions, learning, matrices
from klcourse.measure import evaluate, perplexity
from klcourse.models import build_vae
from klcourse.objectives import ELBO, OBJECTIVES, RateHinge, knobs_of, make_objective
from klcourse.runs import Run, RunError
from klcourse.training import Trainer
from klcourse.widgets.frame.controls import Choice, Slider, Toggle

NAN, INF = math.nan, math.inf

# ---------------------------------------------------------------------------------------------------- knobs

NO_NUMBERS = [
    -1,
    -1.0,
    np.int64(-1),
    np.float32(-0.5),
    np.array(-2),
    torch.tensor(-1),
    torch.tensor(-1.0, requires_grad=True),
    NAN,
    INF,
    -INF,
    np.float64(NAN),
    torch.tensor(INF),
    10**400,
    None,
    [],
    [1.0],
    (1,),
    {},
    "1",
    "",
    True,
    np.bool_(True),
    np.array([1.0]),
    torch.ones(1),
    torch.ones(2, 2),
    1j,
    Fraction(1, 2),
    object(),
    torch.empty((), device="meta"),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: re.sub(r" at 0x.*", "", f"{type(v).__name__}-{str(v)[:24]}"))
def test_no_knob_of_no_objective_takes_what_is_no_number(value):
    tried = 0
    for name, cls in OBJECTIVES.items():
        for knob, what in knobs_of(cls).items():
            if what.kind in (int, float):
                tried += 1
                with pytest.raises(ValueError, match=f"(?s){knob} = .* of objective {name}: choose a"):
                    make_objective(name, **{knob: value})
                with pytest.raises(ValueError, match=f"{knob} = "):
                    setattr(made := cls(), knob, value)
                    assert not made
    assert tried > 25
    for setting in ("epochs", "lr", "clip", "hidden", "seed", "dropout"):
        if value is not None or setting in ("epochs", "seed", "dropout"):
            with pytest.raises(RunError, match=f"{setting} = "):
                Run(**{setting: value})


@pytest.mark.parametrize("value", [np.float32(2), np.int64(2), torch.tensor(2), torch.tensor(2.0), np.array(2.0)])
def test_a_number_of_numpy_or_torch_is_the_number(value):
    found = RateHinge(lam=value, c=1)
    assert (
        found.lam == 2 and type(found.lam) in (int, float) and Run(objective=found) == Run(objective=RateHinge(lam=2, c=1))
    )


@pytest.mark.parametrize(
    "given, meant",
    [
        ("RateHinge", "rate-hinge"),
        ("ELBO", "elbo"),
        ("rate_hinge", "rate-hinge"),
        ("elb", "elbo"),
        ("BetaVAE", "beta"),
        ("dual ascent", "dual"),
    ],
)
def test_a_mistyped_objective_gets_a_guess(given, meant):
    with pytest.raises(RunError, match=f"unknown objective '{given}'. Did you mean '{meant}'"):
        Run(objective=given)


@pytest.mark.parametrize("given, meant", [("pixelcnn", "ar"), ("MLP", "mlp"), ("mpl", "mlp"), ("arr", "ar")])
def test_a_mistyped_decoder_gets_a_guess(given, meant):
    with pytest.raises(ValueError, match=f"unknown decoder '{given}' for image data: did you mean '{meant}'"):
        build_vae("image", given, latent_dim=2, hidden=4)


@pytest.mark.parametrize(
    "typed, meant", [("--lamda", "--lam"), ("--latent_dim=3", "--latent-dim"), ("--epoch-s", "--epochs")]
)
def test_a_mistyped_option_gets_a_guess(typed, meant, capsys):
    with pytest.raises(SystemExit):
        main(["run", "--out=x", typed])
    assert f"Did you mean {meant}?" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- examples

IMAGES = (torch.rand(20, 784, generator=torch.Generator().manual_seed(0)) < 0.2).to(torch.uint8)
WORDS = torch.tensor([[4, 5, 2, 0], [5, 2, 0, 0]] * 10)


def of_images():
    return build_vae("image", "mlp", latent_dim=2, hidden=4)


def of_text():
    return build_vae("text", "lstm", latent_dim=2, hidden=4, vocab_size=6)


BAD_EXAMPLES = [
    (of_images, IMAGES * 255, "pixels from 0 to 255, where 0 to 1 is meant: draw them with"),
    (of_images, 255.0 * IMAGES, "pixels from 0 to 255"),
    (of_images, IMAGES - 0.5, "pixels from -0.5 to 0.5"),
    (of_images, torch.full((20, 784), NAN), "pixels from nan"),
    (of_images, IMAGES.long(), "images of torch.int64: give bytes or floats"),
    (of_images, IMAGES.bool(), "images of torch.bool"),
    (of_images, IMAGES[:, :700], r"images of shape \(20, 700\): give 784 pixels a row"),
    (of_images, IMAGES.view(20, 28, 28), r"images of shape \(20, 28, 28\)"),
    (of_text, WORDS.float(), "sentences of torch.float32 .*: give word ids"),
    (of_text, IMAGES.float(), "sentences of torch.float32"),
    (of_text, IMAGES, "sentences of torch.uint8"),
    (of_text, WORDS + 1, "word ids from 1 to 6: the vocabulary has 0 to 5"),
    (of_text, WORDS - 3, "word ids from -3 to 2"),
    (of_text, WORDS * 0, "a sentence without a word"),
]


@pytest.mark.parametrize("model, x, message", BAD_EXAMPLES, ids=[message[:30] for *_, message in BAD_EXAMPLES])
def test_examples_of_another_kind_are_refused_by_trainer_and_measures(model, x, message):
    with pytest.raises(ValueError, match=message):
        Trainer(model(), ELBO(), x, batch_size=10)
    with pytest.raises(ValueError, match=message):
        good = IMAGES if model is of_images else WORDS
        Trainer(model(), ELBO(), good, batch_size=10, valid=(x, None))
    with pytest.raises(ValueError, match=message):
        evaluate(model(), x, iw_samples=0)


def test_grey_values_are_bytes():
    with pytest.raises(ValueError, match="pixels from 0 to 256, where 0 to 255 is meant"):
        Trainer(of_images(), ELBO(), 256.0 * IMAGES, batch_size=10, grey=True)
    Trainer(of_images(), ELBO(), IMAGES * 255, batch_size=10, grey=True).step()


@pytest.mark.parametrize("y", [torch.full((20,), 3), torch.full((20,), -1), torch.zeros(19).long(), torch.zeros(20)])
def test_labels_that_there_are_not_are_refused(y):
    model = build_vae("image", "mlp", latent_dim=2, hidden=4, n_labels=3)
    with pytest.raises(ValueError, match="labels must be 20 whole numbers from 0 to 2"):
        Trainer(model, ELBO(), IMAGES, y, batch_size=10)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(lr=-1.0), "lr = -1.0"),
        (dict(lr=NAN), "lr = nan"),
        (dict(clip=-1.0), "clip = -1.0"),
        (dict(clip=0.0), "clip = 0.0"),
        (dict(clip=INF), "clip = inf"),
        (dict(lr="1"), "lr = '1'"),
    ],
)
def test_a_trainer_refuses_what_would_train_backwards(options, message):
    with pytest.raises(ValueError, match=f"{message}: choose a finite number"):
        Trainer(of_images(), ELBO(), IMAGES, batch_size=10, **options)
    trainer = Trainer(of_images(), ELBO(), IMAGES, batch_size=10)
    if "lr" in options:
        with pytest.raises(ValueError, match=message):
            trainer.lr = options["lr"]


def test_a_text_in_which_no_word_comes_twice_is_refused_and_a_thin_one_said(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("\n".join(f"w{i}a w{i}b w{i}c" for i in range(1500)), encoding="utf-8")
    with pytest.raises(DataError, match=r"4050 of 4050 words occur fewer than 2 times, .* nothing is left to learn"):
        load(path)
    path.write_text("\n".join(f"the w{i}b w{i}c" for i in range(1500)), encoding="utf-8")
    with pytest.warns(UserWarning, match="2700 of 4050 words occur fewer than 2 times, and are read as <unk>"):
        load(path)
    path.write_text("\n".join(f"the cat w{i % 700}" for i in range(2100)), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path)


def test_a_perplexity_of_no_words_is_refused():
    for nll, words in [(3.0, 0), (3.0, -1), (NAN, 3), (INF, 3)]:
        with pytest.raises(ValueError, match="a perplexity needs"):
            perplexity(nll, words)


# ---------------------------------------------------------------------------------------------------- number boxes


@pytest.mark.parametrize(
    "value, message",
    [
        ("1,000", "can be read in two ways: write 1000"),
        ("-12,345.6", "can be read in two ways"),
        ("inf", "outside its range"),
        ("nan", "outside its range"),
        (INF, "outside"),
        (10**400, "is not a number"),
        ("1_0", "is not a number"),
        (True, "is not a number"),
        (None, "is not a number"),
        ([1], "is not a number"),
        ("", "is not a number"),
        ("1e9", "outside"),
        (1j, "is not a number"),
    ],
)
def test_a_number_box_reads_a_number_or_says_why_not(value, message):
    for slider in Slider("λ", 0.5, 0, 4, 0.05), Slider("n", 5, 0, 10, 1):
        with pytest.raises(ValueError, match=message):
            slider.check("x", value)


def test_a_number_box_reads_both_commas_and_points():
    slider = Slider("λ", 0.5, 0, 5000, 0.05)
    assert [slider.check("x", text) for text in ("0,5", "1.25", " 2 ", "3,25", "1000", "0,125")] == [
        0.5,
        1.25,
        2,
        3.25,
        1000,
        0.125,
    ]


def test_choices_and_switches_refuse_anything_else():
    for value in ([], np.array([1, 0]), None, 2, "R "):
        with pytest.raises(ValueError):
            Choice("h", "R", ("R", "I")).check("h", value)
        with pytest.raises(ValueError):
            Toggle("t").check("t", value)


# ---------------------------------------------------------------------------------------------------- exact and games

HALF, TABLE = [0.5, 0.5], [[0.8, 0.2], [0.2, 0.8]]
CURVE = PPCA([1.0], 1, sigma2=1.0)
Q = Quantities(log_p=-1.0, J=0.5, G=0.1, R=0.3)
F = [[-1.0, 0.0], [-1.0, 0.0]]
START = LinearGaussianVAE(w=0.1, v=0.1, s2=1.0, data_var=2.0, sigma2=1.0)

# function, good arguments, those that must be numbers of a certain kind
POSITIVE, NOT_NEGATIVE, FINITE, SHARES, ROWS = "positive", "not negative", "finite", "shares", "rows"
BAD = {
    POSITIVE: [NAN, INF, -1.0, 0.0, "1", None],
    NOT_NEGATIVE: [NAN, INF, -1.0, "x", None],
    FINITE: [NAN, INF, "x", None],
    SHARES: [[0.5, 0.6], [-0.5, 1.5], [NAN, 1.0], [INF, 0.0], "x", [], None],
    ROWS: [[[0.5, 0.6], [0.5, 0.5]], [[-0.5, 1.5], [0.5, 0.5]], [[NAN, 1], [0.5, 0.5]], None],
}
KNOBS = dict(lam=NOT_NEGATIVE, c=NOT_NEGATIVE, beta=POSITIVE)
ONE_D = dict(data_var=2.0, sigma2=1.0)
ONE_D_KINDS = dict(data_var=POSITIVE, sigma2=POSITIVE)
TABLES = dict(p_D=HALF, prior=HALF, decoder=TABLE)
TABLE_KINDS = dict(p_D=SHARES, prior=SHARES, decoder=ROWS)
CASES = [
    (discrete.entropy, dict(p=HALF), dict(p=SHARES)),
    (discrete.total_correlation, dict(q_z=[[0.5, 0], [0, 0.5]]), dict(q_z=ROWS)),
    (discrete.DiscreteVAE, TABLES | dict(encoder=TABLE), TABLE_KINDS | dict(encoder=ROWS)),
    (
        discrete_optima.beta_encoder,
        dict(prior=HALF, decoder=TABLE, beta=1.0),
        dict(prior=SHARES, decoder=ROWS, beta=POSITIVE),
    ),
    (
        discrete_optima.self_labelling_encoder,
        dict(prior=HALF, decoder=TABLE, codes=[[0.0], [1.0]], labels=[[0.0], [1.0]], lam=0.5),
        dict(prior=SHARES, decoder=ROWS, lam=NOT_NEGATIVE),
    ),
    (discrete_optima.information_encoder, TABLES | dict(reward=0.5), TABLE_KINDS | dict(reward=NOT_NEGATIVE)),
    (discrete_optima.hinge_encoder, TABLES | dict(lam=0.5, c=0.3, beta=1.0), TABLE_KINDS | KNOBS),
    (discrete_optima.slope_at_rate, TABLES | dict(rate=0.3), TABLE_KINDS | dict(rate=NOT_NEGATIVE)),
    (
        linear_gaussian.LinearGaussianVAE,
        dict(w=1.0, v=0.5, s2=0.5, b=0.0, m=0.0) | ONE_D,
        dict(w=FINITE, v=FINITE, s2=POSITIVE, b=FINITE, m=FINITE) | ONE_D_KINDS,
    ),
    (linear_gaussian.optimum, ONE_D | dict(beta=1.0), ONE_D_KINDS | dict(beta=POSITIVE)),
    (linear_gaussian.distortion, ONE_D | dict(rate=1.0), ONE_D_KINDS),
    (linear_gaussian.lam_star, ONE_D | dict(c=1.0, beta=1.0), ONE_D_KINDS | dict(beta=POSITIVE)),
    (
        linear_gaussian.best_encoder,
        ONE_D | dict(w=1.0, lam=0.5, c=1.0, beta=1.0, b=0.0),
        ONE_D_KINDS | KNOBS | dict(w=FINITE, b=FINITE),
    ),
    (
        linear_gaussian.best_decoder,
        dict(v=0.5, s2=0.5, data_var=2.0, m=0.0),
        dict(v=FINITE, s2=POSITIVE, data_var=POSITIVE, m=FINITE),
    ),
    (linear_gaussian.nash_hessian, ONE_D | dict(beta=1.0), ONE_D_KINDS | dict(beta=FINITE)),
    (linear_gaussian.lautum, dict(c=1.0, d=2), dict(c=POSITIVE, d=POSITIVE)),
    (selflabel.tilted_prior, dict(lam=0.5, g=1.0), dict(lam=NOT_NEGATIVE, g=FINITE)),
    (selflabel.tilted_rate, dict(lam=0.5, d=2, g_norm2=1.0), dict(lam=NOT_NEGATIVE, d=POSITIVE, g_norm2=NOT_NEGATIVE)),
    (selflabel.tilted_value, dict(lam=0.5, d=2, g_norm2=1.0), dict(lam=NOT_NEGATIVE, d=POSITIVE, g_norm2=NOT_NEGATIVE)),
    (selflabel.tilted_mi, dict(lam=0.5, g_cov=[[0.5]]), dict(lam=NOT_NEGATIVE)),
    (selflabel.joint_optimum, ONE_D | dict(lam=1.0), ONE_D_KINDS | dict(lam=NOT_NEGATIVE)),
    (selflabel.joint_collapse_variance, dict(sigma2=1.0, lam=1.0), dict(sigma2=POSITIVE, lam=NOT_NEGATIVE)),
    (
        PPCA,
        dict(eigenvalues=[2.0, 1.0], d=1, sigma2=1.0),
        dict(d=[NAN, 0, -1, 1.5, True]) | dict(sigma2=[NAN, INF, -1.0, 0.0, "1"]),
    ),
    (CURVE.lam_star, dict(c=1.0, beta=1.0), dict(beta=POSITIVE)),
    (CURVE.distortion, dict(rate=1.0), dict(rate=[NAN, -1.0])),
    (regimes.lam_star, dict(curve=CURVE, c=1.0, beta=1.0), dict(c=[NAN, INF, -1.0, 0.0], beta=[NAN, INF, -1.0, 0.0])),
    (
        regimes.regime,
        dict(curve=CURVE, lam=0.5, c=1.0, beta=1.0),
        dict(lam=[NAN, INF, -1.0], c=[NAN, 0.0], beta=[NAN, -1.0]),
    ),
    (
        regimes.lam_star_grid,
        dict(rates=[0.0, 1.0, 2.0], distortions=[1.0, 0.5, 0.0], c=1.0),
        dict(rates=[[0, NAN, 2], [0, -1, 2]], distortions=[[1, NAN, 0]]),
    ),
    (
        channels.open_sets,
        dict(sigma2=1.0, eigenvalues=[2.0, 1.5], d=1, lam=0.5, c=1.0, beta=1.0),
        dict(eigenvalues=[[NAN, 1], [-1, 2], [0.0]], d=[0, 1.5, NAN], sigma2=POSITIVE) | KNOBS,
    ),
    (channels.encoder_reply, dict(W=np.eye(2), theta=1.0, diagonal=True), dict(theta=POSITIVE, W=[np.full((2, 2), NAN)])),
    (equilibria.equilibria, ONE_D | dict(lam=0.5, c=1.0, beta=1.0, on="rate"), ONE_D_KINDS | KNOBS | dict(on=["foo", None])),
    (equilibria.best_encoder_information, ONE_D | dict(w=1.0, lam=0.5, c=1.0, beta=1.0), ONE_D_KINDS | KNOBS),
    (
        dynamics.growth_rates,
        ONE_D | dict(lam=2.0, beta=1.0, hinge="rate"),
        ONE_D_KINDS | dict(lam=NOT_NEGATIVE, beta=POSITIVE, hinge=["foo"]),
    ),
    (dynamics.shift_beats_gain, ONE_D | dict(lam=2.0, beta=1.0), ONE_D_KINDS | dict(lam=NOT_NEGATIVE, beta=POSITIVE)),
    (
        dynamics.descend,
        dict(start=START, steps=2, lr=0.01, beta=1.0, lam=1.0, c=1.0),
        dict(steps=[0, -1, 1.5, NAN], lr=POSITIVE, beta=NOT_NEGATIVE, lam=NOT_NEGATIVE, c=FINITE),
    ),
    (dynamics.gd_regime, dict(rate=[0.1], duty=[0.5]), dict(rate=[[NAN], [-1.0]], duty=[[NAN], [-0.1], [1.1]])),
    (dynamics.batch_rate_std, dict(model=START, batch_size=10), dict(batch_size=[0, -1, NAN, None])),
    (
        dynamics.settled_rate,
        dict(c=1.0, tau=0.1, lam_star=0.5, lam=1.0),
        dict(c=NOT_NEGATIVE, tau=NOT_NEGATIVE, lam_star=NOT_NEGATIVE, lam=POSITIVE),
    ),
    (
        table_games.Losses,
        dict(p_D=HALF, prior=HALF, lam=0.5, c=1.0),
        dict(p_D=SHARES, prior=SHARES, lam=[NAN, INF, -1], c=[NAN, -1]),
    ),
    (table_games.code_at_rate, dict(prior=HALF, rate=0.3), dict(prior=SHARES, rate=NOT_NEGATIVE)),
    (
        table_games.deaf_equilibrium,
        dict(p_D=HALF, prior=HALF, lam=0.5, c=1.0, beta=1.0),
        dict(p_D=SHARES, prior=SHARES) | KNOBS,
    ),
    (
        table_games.matched_encoder,
        dict(p_D=HALF, prior=HALF, seeds=TABLE),
        dict(p_D=SHARES, prior=SHARES, seeds=[[[1, NAN], [1, 1]], [[1, 0], [1, 1]]]),
    ),
    (
        threshold.bernoulli_threshold,
        dict(x=[[0, 0, 1], [1, 1, 1]]),
        dict(x=[[[0, NAN], [1, 1]], [[0, 255], [1, 1]], [0, 1], [[-1, 0], [1, 1]]]),
    ),
    (
        threshold.autoregressive_threshold,
        dict(p_D=[0.4, 0.1, 0.1, 0.4], memory=1),
        dict(p_D=[[0.4, 0.4, 0.4, 0.4], [NAN, 1, 0, 0]], memory=[-1, 0.5, NAN]),
    ),
    (
        threshold.largest_ratio,
        dict(observed=np.eye(2), expected=np.eye(2)),
        dict(observed=[np.full((2, 2), NAN), np.eye(3), [[1, 2], [0, 1]]]),
    ),
    (
        Quantities,
        dict(log_p=-1.0, J=0.5),
        dict(log_p=[NAN, "x"], J=[NAN, -1.0], G=[NAN, -1.0], R=[NAN, -1.0], M=[NAN, 1.0], L0=[NAN], I_p=[NAN, -1.0]),
    ),
    (conditions.condition_1, dict(x=Q, f=F, free="own"), dict(f=[[[NAN, 0], [0, 0]], [1, 2], None], free=["foo", None, 1])),
    (conditions.condition_2, dict(x=Q, f=F), dict(f=[[[NAN, 0], [0, 0]], [[1, 2]]])),
    (conditions.condition_5, dict(high=Q, lam=1.0, c=1.0), dict(lam=NOT_NEGATIVE, c=POSITIVE)),
    (conditions.condition_6, dict(low=Q, lam=1.0, c=1.0), dict(lam=NOT_NEGATIVE, c=POSITIVE)),
    (conditions.corrected_5, dict(low=Q, high=Q, lam=1.0, c=1.0), dict(lam=NOT_NEGATIVE, c=POSITIVE)),
    (
        conditions.corrected_6,
        dict(low=Q, high=Q, lam=1.0, c=1.0, beta=1.0),
        dict(lam=NOT_NEGATIVE, c=POSITIVE, beta=POSITIVE),
    ),
    (conditions.target_keeps_encoder, dict(high=Q, beta=1.0), dict(beta=POSITIVE)),
    (conditions.collapse_is_equilibrium, dict(lam=1.0, beta=1.0), dict(lam=NOT_NEGATIVE, beta=POSITIVE)),
    (matrices.vae_game, dict(x=Q, free="own", encoder="x_free"), dict(free=["foo"], encoder=["foo"])),
    (matrices.slvae_game, dict(x=Q, f=F), dict(f=[[[NAN, 0], [0, 0]], [1]])),
    (
        matrices.self_labelling_f,
        dict(p_D=HALF, encoders=[TABLE], codes=[[0.0], [1.0]], labels=[[[0.0], [1.0]]], lam=1.0),
        dict(p_D=SHARES, lam=NOT_NEGATIVE),
    ),
    (
        matrices.constrained_game,
        dict(low=Q, high=Q, lam=1.0, c=1.0, beta=1.0, reading="generative"),
        dict(lam=[NAN, INF, -1], c=[NAN, INF, 0], beta=[NAN, INF, 0], reading=["foo"]),
    ),
    (
        matrices.measured_game,
        dict(runs=[[[1.0, 1.2], [0.0, 0.1]]]),
        dict(runs=[[[[1.0, NAN], [0, 0]]], [[[], []]]], tol=[NAN, -1.0, INF]),
    ),
    (
        Game,
        dict(a=[[1.0, 0.0], [0.0, 1.0]], tol=0.0),
        dict(a=[[[NAN, 0], [0, 1]], [1, 2], "x", None], tol=[NAN, -1.0, INF], infeasible=[{(5, 5): "no"}, {(-1, 0): "no"}]),
    ),
    (learning.reply_path, dict(game=Game([[1.0, 0.0], [0.0, 1.0]]), row=0, col=0), dict(row=[-1, 2], col=[-1, 5])),
    (
        learning.replicator,
        dict(game=Game([[1.0, 0.0], [0.0, 1.0]]), x0=HALF, y0=HALF, times=[0.0, 1.0]),
        dict(x0=SHARES, y0=[[1.0], [0.2, 0.2, 0.6]], times=[[0, NAN], [1.0, 0.0], [-1.0, 0.0]]),
    ),
]


@pytest.mark.parametrize("function, good, kinds", CASES, ids=[f"{f.__module__[9:]}.{f.__qualname__}" for f, *_ in CASES])
def test_no_exact_answer_to_what_makes_no_sense(function, good, kinds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(**good)
        for name, kind in kinds.items():
            for value in BAD[kind] if isinstance(kind, str) else kind:
                with pytest.raises(ValueError) as refused:
                    answer = function(**(good | {name: value}))
                    print(f"{function.__qualname__}({name}={value!r}) -> {answer}")
                assert len(str(refused.value)) > 10, (name, value)
