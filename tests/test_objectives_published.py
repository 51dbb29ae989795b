"""The baselines as in their papers: each one's own claim on a small model, neutral settings, the table of deviations."""

import math

import numpy as np
import pytest
import torch

import klcourse as kl
from klcourse.data import PAD, load
from klcourse.gaussians import gaussian_kl, gaussian_kl_by_latent
from klcourse.objectives import (
    ELBO,
    GECO,
    OBJECTIVES,
    SWITCHES,
    BagOfWords,
    BetaVAE,
    Capacity,
    CyclicalAnnealing,
    DualAscent,
    FreeBitsEach,
    LinearAnnealing,
    Sizes,
    Terms,
    knobs_of,
    words,
)
from klcourse.runs import Run, RunError, build_trainer
from tests.limits import long_only
from tests.published import descend, of_words
from tests.test_baselines import make, sentences
from tests.test_objectives import batch, for_objective, loss_and_gradient
from tests.test_training import weights

NEUTRAL = [
    Capacity(lam=1, c=0, rise=1.0),
    CyclicalAnnealing(cycles=4, ratio=0),
    DualAscent(c=0, eta=0, update="rmsprop"),
    FreeBitsEach(c=0),
    FreeBitsEach(c=0, of="example"),
    GECO(tau=0, eta=0),
    BagOfWords(lam=0),
]


def assert_same(one, other):
    """The same loss, the same gradient."""
    (a, slope_a), (b, slope_b) = loss_and_gradient(one), loss_and_gradient(other)
    assert a == pytest.approx(b, rel=1e-12)
    torch.testing.assert_close(slope_a, slope_b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("objective", NEUTRAL, ids=str)
def test_neutral_settings_are_the_elbo(objective):
    assert_same(objective, ELBO())
    objective.after_step(for_objective(objective, batch()[0]))
    assert_same(objective, ELBO())  # and stay it


@pytest.mark.parametrize("objective", NEUTRAL, ids=str)
def test_neutral_settings_train_like_the_elbo(objective):
    text = {"text": True, "x": sentences()} if isinstance(objective, BagOfWords) else {}
    one, other = make(objective, **text), make(ELBO(), **text)
    for trainer in (one, other):
        trainer.fit(3, progress=False)
    n = sum(p.numel() for p in other.parameters)  # without the helper, which has no part in the loss
    torch.testing.assert_close(weights(one)[:n], weights(other), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "objective, old",
    [
        (Capacity(lam=2, c=3), lambda t: t.rec.mean() + 2 * (t.kl.mean() - 3).abs()),
        (CyclicalAnnealing(period=2, ratio=0.8), lambda t: t.rec.mean() + 1.3 / 1.6 * t.kl.mean()),
        (DualAscent(c=3, lam=0.4), lambda t: t.rec.mean() + 0.6 * t.kl.mean() + 1.2),
    ],
    ids=["capacity", "cyclical", "dual"],
)
def test_the_knobs_of_stored_runs_mean_what_they_meant(objective, old):
    """Whatever is known of the length of the training, which stored runs were not told."""
    for epochs in (0.0, 4.0):
        terms = batch()[0]
        terms.epochs = epochs
        assert objective(terms).item() == pytest.approx(old(terms).item(), rel=1e-12)
    assert objective.state() in ({}, {"lam": 0.4, "square": 0.0})


# ------------------------------------------------------------------------------------------- each paper's own claim


def test_capacity_leads_the_rate_from_0_to_c():
    """Burgess et al.: weight 1000, C raised over the training; the realised rate follows it, epoch by epoch."""
    trainer = make(Capacity.as_published(c=6.0), lr=2e-3)
    trainer.fit(60, progress=False)
    ends = [row for row in trainer.history if row["epoch"] % 1 == 0]
    wanted = np.array([6 * row["epoch"] / 60 for row in ends])
    late = wanted > 1  # the first epochs have to bring a fresh encoder down to 0
    rates = np.array([row["rate"] for row in ends])
    assert np.abs(rates - wanted)[late].max() < 0.35 and np.corrcoef(rates, wanted)[0, 1] > 0.99
    assert rates[:10].max() < 2 and rates[-1] == pytest.approx(6, abs=0.2)


def test_capacity_without_a_known_length_is_at_c():
    terms = batch()[0]
    terms.epochs = 0.0
    assert Capacity(c=7, rise=1.0).capacity(terms) == 7
    terms.epoch, terms.epochs = 5.0, 20.0
    assert Capacity(c=8, rise=0.5).capacity(terms) == 4 and Capacity(c=8, rise=0.5).settles(20) == 10
    terms.epoch = math.inf  # as for validation
    assert Capacity(c=8, rise=0.5).capacity(terms) == 8


def test_minimum_desired_rate_rests_at_the_target_with_the_slope_as_its_price():
    """Pelsmaeker & Aziz: RMSprop from 1.01 keeps R >= c, no more than needed; lam*(c) = 1 - 10 exp(-2c) exactly."""
    found = descend(DualAscent.as_published(c=1.5), 6000)
    assert found["lam"][0] == 1.01 and found["rate"][-1000:] == pytest.approx(1.5, abs=0.002)
    assert found["lam"][-1000:].mean() == pytest.approx(1 - 10 * math.exp(-3), abs=0.005)


def test_its_step_is_that_of_rmsprop_on_the_size_of_a_free_parameter():
    """As their code has it: a parameter u, the loss with |u|, the sign of the gradient turned round."""
    u = torch.nn.Parameter(torch.tensor(0.05, dtype=torch.double))
    rmsprop = torch.optim.RMSprop([u], lr=0.01)
    objective = DualAscent(c=2, lam=0.05, eta=0.01, update="rmsprop")
    for rate in [3.0, 9.0, 2.5, 2.2, 1.0, 0.1, 1.9, 2.4, 30.0]:  # lam is thrown off 0 on the way
        rmsprop.zero_grad()
        (u.abs() * (2 - rate)).backward()
        u.grad.neg_()
        rmsprop.step()
        objective.after_step(Terms(torch.zeros(1), torch.tensor([rate], dtype=torch.double)))
        assert objective.lam == pytest.approx(abs(u.item()), rel=1e-9)


@pytest.mark.parametrize("cycles, epochs", [(4, 8), (2, 8), (5, 10)])
def test_cycles_are_shares_of_the_whole_training(cycles, epochs):
    """Fu et al.: the weight goes back to 0 as often as there are cycles, and the rate grows while it is low."""
    seen = []
    trainer = make(CyclicalAnnealing(cycles=cycles, ratio=0.5))

    def told(trainer):
        seen.append(trainer.objective.weight(Terms(*[torch.zeros(1)] * 2, epoch=trainer.steps / 3, epochs=epochs)))

    told(trainer)
    trainer.fit(epochs, progress=False, on_step=told)
    assert seen[:-1].count(0.0) == cycles and max(seen) == 1.0
    assert trainer.objective.settles(epochs) == pytest.approx(epochs * (1 - 0.5 / cycles))


def test_the_rate_swells_in_every_cycle():
    cycles, steps = 4, 4000
    rate = descend(CyclicalAnnealing.as_published(cycles=cycles), steps, lr=0.01)["rate"].reshape(cycles, -1)
    elbo = 0.5 * math.log(10)  # R of the ELBO's optimum
    assert rate[:, -1] == pytest.approx(elbo, abs=0.03)  # at the end of each cycle, with its full weight
    assert (rate[1:].max(1) > elbo + 0.2).all() and (rate[1:].argmax(1) < 0.3 * steps / cycles).all()


def test_the_last_rise_is_waited_for_also_with_a_fixed_period():
    assert CyclicalAnnealing(period=2.5, ratio=0.4).settles(10) == pytest.approx(7.5 + 1)
    assert CyclicalAnnealing(period=30).settles(10) == 10  # it does not come
    terms = batch()[0]
    terms.epoch = math.inf
    assert CyclicalAnnealing(cycles=3).weight(terms) == CyclicalAnnealing().weight(terms) == 1


@pytest.mark.parametrize("nats", [1.5, pytest.param(1.0, marks=long_only), pytest.param(2.0, marks=long_only)])
def test_geco_brings_the_distortion_to_its_tolerance(nats):
    """Rezende & Viola; and 1/lam comes to rest at the slope of the rate-distortion curve, 10 exp(-2R)."""
    tau = 5 * math.exp(-2 * nats)
    found = descend(GECO(tau=tau, eta=0.01, decay=0.9), 8000, lr=0.01)
    assert found["distortion"][-500:] == pytest.approx(tau, rel=0.02)
    assert 1 / found["lam"][-1] == pytest.approx(10 * math.exp(-2 * nats), rel=0.02)


@long_only
def test_geco_brings_a_networks_distortion_to_its_tolerance():
    reached = {}
    for tau in (200.0, 300.0):
        trainer = make(GECO(tau=tau, eta=0.002, decay=0.9))
        trainer.fit(400, progress=False)
        last = trainer.history[-150:]
        reached[tau] = np.mean([row["distortion"] for row in last]), np.mean([row["rate"] for row in last])
        assert reached[tau][0] == pytest.approx(tau, abs=10), reached
        assert 0.001 < trainer.objective.lam < 10
    assert reached[200.0][1] > reached[300.0][1] + 0.5  # less distortion costs more rate


def test_geco_averages_before_it_steps():
    objective = GECO(tau=10, eta=0.1, decay=0.5)
    for rec, average in (14.0, 14.0), (10.0, 12.0), (6.0, 9.0):
        before = objective.lam
        objective.after_step(Terms(torch.tensor([rec]), torch.ones(1)))
        assert objective.average == average and objective.lam == pytest.approx(before * math.exp(0.1 * (average - 10)))
    for rec, end in (1e9, 10.0), (0.0, 10.0):
        objective.after_step(Terms(torch.tensor([rec]), torch.ones(1)))
        assert objective.lam == end
    assert objective.reading(0) == "λ has come to 10.00, slope ≈ 1/λ = 0.10"


@pytest.mark.parametrize("objective", [GECO(tau=83), DualAscent(c=2, beta=1.5), BagOfWords()], ids=lambda o: o.name)
def test_validation_compares_epochs_by_something_that_stays(objective):
    """By the constrained problem itself, as an exact penalty; by the ELBO where the helper is no part of the model."""
    terms = for_objective(objective, batch()[0])
    before = objective.validation_loss(terms).item()
    for _ in range(3):
        objective.after_step(terms)
    assert objective.validation_loss(terms).item() == before
    rec, rate = terms.rec.mean().item(), terms.kl.mean().item()
    expected = {"geco": rate + 10 * max(rec - 83, 0), "dual": rec + 1.5 * max(rate, 2), "bow": rec + rate}[objective.name]
    assert before == pytest.approx(expected)


@pytest.mark.parametrize("of", ["latent", "example"])
def test_free_bits_of_an_example_stop_its_gradient_and_no_others(of):
    """Li et al.: no gradient at all where the KL is below, the KL's own where it is above."""
    terms, mu, logvar = batch(n=8, d=3)
    objective = FreeBitsEach(c=1.2, of=of)
    loss = objective(terms) - terms.rec.mean()
    slope = torch.autograd.grad(loss, mu, retain_graph=True)[0]
    full = torch.autograd.grad(gaussian_kl(mu, logvar).mean(), mu)[0]
    each = gaussian_kl_by_latent(mu, logvar)
    below = each < 0.4 if of == "latent" else (each.sum(1, keepdim=True) < 1.2).expand(-1, 3)
    assert below.any() and not below.all()
    assert (slope[below] == 0).all()
    torch.testing.assert_close(slope[~below], full[~below])
    assert objective.penalty_on(terms) == pytest.approx(below.double().mean().item())


def test_free_bits_of_examples_hold_more_rate_than_those_of_the_mean():
    """One example that tells much cannot pay for one that tells nothing: the loss is never below the batch's."""
    for seed in range(5):
        terms = batch(seed)[0]
        by_latent = FreeBitsEach(c=2)(terms)
        assert by_latent >= kl.objectives.FreeBitsPerDim(c=2)(terms) - 1e-12
        assert by_latent >= FreeBitsEach(c=2, of="example")(terms) - 1e-12
        assert FreeBitsEach(c=2, of="example")(terms) >= kl.objectives.FreeBits(c=2)(terms) - 1e-12


@pytest.mark.parametrize("objective", [FreeBitsEach(c=0, warmup=5), BagOfWords(lam=0, warmup=5)], ids=str)
def test_a_warm_up_is_that_of_annealing(objective):
    assert_same(objective, LinearAnnealing(warmup=5))
    assert objective.settles(20) == 5


def test_the_words_network_learns_only_if_z_tells():
    """Zhao et al.: what it saves over the words' frequencies is information about the words in z."""
    torch.manual_seed(0)
    kinds = torch.randint(0, 2, (400,))  # sentences of words 4 and 5, and of words 6 and 7
    x = torch.where(torch.rand(400, 3) < 0.5, 4, 5) + 2 * kinds[:, None]
    told, untold = torch.randn(400, 2) + 4.0 * kinds[:, None], torch.randn(400, 2)
    frequencies, best = 3 * math.log(4), 3 * math.log(2)
    found = {}
    for name, z in ("told", told), ("untold", untold):
        objective = BagOfWords()
        network = objective.build_helper(Sizes(2, 16, 8, lambda n: None))
        descent = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(150):
            loss = objective.words(Terms(torch.zeros(400), torch.zeros(400), z=z, x=x, helper=network)).mean()
            descent.zero_grad()
            loss.backward()
            descent.step()
        found[name] = loss.item()
    assert found["told"] == pytest.approx(best, abs=0.15) and found["untold"] > frequencies - 0.2


def test_words_after_the_end_are_not_asked_for():
    assert words.PAD == PAD
    x = torch.tensor([[4, 2, PAD, PAD], [5, 6, 7, 2]])
    logits = torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
    loss = BagOfWords().words(Terms(torch.zeros(2), torch.zeros(2), z=torch.zeros(2, 1), x=x, helper=lambda z: logits))
    log_f = logits.log_softmax(1)
    assert loss[0].item() == pytest.approx(-(log_f[0, 4] + log_f[0, 2]).item(), rel=1e-6)
    assert loss[1].item() == pytest.approx(-log_f[1, [5, 6, 7, 2]].sum().item(), rel=1e-6)


def test_bag_of_words_puts_information_into_z_where_the_elbo_leaves_it_empty():
    """On sentences of four kinds, which a decoder tells from their first word: there are log 4 = 1.39 nats to be had."""
    held = {objective.name: of_words(objective).history[-1]["mi"] for objective in (ELBO(), BagOfWords())}
    assert held["elbo"] < 0.2 and held["bow"] > 1.0, held


def test_images_have_no_words():
    message = "objective bow tells the words of a sentence from z: images have none, choose text data"
    with pytest.raises(RunError, match=message):
        build_trainer(Run(objective="bow", limit=100), load("mnist", limit=100))
    trainer = make(ELBO())
    with pytest.raises(ValueError, match=message):
        trainer.objective = BagOfWords()
    assert trainer.objective.name == "elbo"
    with pytest.raises(ValueError, match="the batch came without Terms"):
        BagOfWords()(Terms(torch.ones(2), torch.ones(2)))


# ------------------------------------------------------------------------------------------------ state and resume

STATEFUL = {
    "geco": lambda: make(GECO(tau=200, eta=0.01)),
    "rmsprop": lambda: make(DualAscent.as_published(c=3)),
    "capacity": lambda: make(Capacity.as_published(c=3)),
    "cyclical": lambda: make(CyclicalAnnealing.as_published()),
    "free bits": lambda: make(FreeBitsEach.as_published()),
    "bow": lambda: make(BagOfWords.as_published(), text=True, x=sentences()),
}


@pytest.mark.parametrize("name", STATEFUL)
def test_resume_is_bit_exact(name, tmp_path):
    whole, first, second = (STATEFUL[name]() for _ in range(3))
    whole.fit(5, progress=False)
    first.epochs = 5
    for _ in range(7):
        first.step()
    first.save(tmp_path / "c.safetensors")
    second.load(tmp_path / "c.safetensors")
    assert second.objective == first.objective and second.objective.state() == first.objective.state()
    second.fit(5, progress=False)
    assert torch.equal(weights(whole), weights(second)) and second.objective == whole.objective


def test_what_training_remembers_is_no_knob():
    objective = DualAscent.as_published()
    objective.after_step(batch()[0])
    assert objective.square > 0 and "square" not in knobs_of(DualAscent) and "square" not in repr(objective)
    with pytest.raises(TypeError, match="square"):
        DualAscent(square=1.0)
    with pytest.raises(ValueError, match="does not use square"):
        kl.objectives.make_objective("dual", square=1.0)


# ------------------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("cls", OBJECTIVES.values(), ids=lambda cls: cls.name)
def test_the_papers_knobs_make_an_objective_of_it(cls):
    made = cls.as_published()
    assert all(getattr(made, name) == value for name, value in cls.published.items())
    assert len(cls.deviation) < 125 and not cls.deviation.endswith(".")


def test_every_method_is_in_the_table_with_its_deviation():
    table = kl.deviations().set_index("name")
    assert list(table.index[:-1]) == list(kl.methods()["name"]) and len(table) == len(OBJECTIVES) + len(SWITCHES) + 1
    assert table.loc["dual", "as_published"] == "update = rmsprop, eta = 0.001, lam = 1.01"
    assert "41 forward and backward passes" in table.loc["–", "deviation"]
    assert table.loc[["elbo", "beta", "rate-hinge", "freebits", "tc"], "deviation"].eq("").all()
    assert (table["deviation"] != "").sum() > 8


@pytest.mark.parametrize("cls", OBJECTIVES.values(), ids=lambda cls: cls.name)
def test_a_run_takes_the_papers_knobs(cls):
    assert Run(data="text", objective=cls.name, **cls.published).make_objective() == cls.as_published()


def test_a_beta_vae_has_no_paper_to_differ_from():
    assert BetaVAE.published == {} and BetaVAE.deviation == ""
