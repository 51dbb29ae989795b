"""Every knob turns something, the scale is sum over dimensions and mean over examples, the article's objectives agree.

What the baselines of the literature do is in test_baselines.py.
"""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, Normal

from klcourse.gaussians import gaussian_kl
from klcourse.objectives import (
    ELBO,
    OBJECTIVES,
    BagOfWords,
    BetaTC,
    BetaVAE,
    Capacity,
    CyclicalAnnealing,
    DualAscent,
    FreeBits,
    FreeBitsPerDim,
    InfoHinge,
    InfoVAE,
    Objective,
    RateHinge,
    SelfLabelling,
    Terms,
    knobs_of,
    make_objective,
    minibatch_total_correlation,
)
from klcourse.plots import STYLES, style_of


def batch(seed: int = 0, n: int = 6, d: int = 3, spread: float = 1.0):
    """Terms that depend on leaf tensors, so that gradients can be looked at: (terms, mu, logvar)."""
    g = torch.Generator().manual_seed(seed)
    mu = (spread * torch.randn(n, d, generator=g, dtype=torch.double)).requires_grad_()
    logvar = (0.3 * torch.randn(n, d, generator=g, dtype=torch.double)).requires_grad_()
    z = mu + (0.5 * logvar).exp() * torch.randn(n, d, generator=g, dtype=torch.double)
    x = torch.randn(n, d, generator=g, dtype=torch.double)
    rec = 80 + (z - 1).square().sum(-1)
    known = {"x": x, "helper": lambda x: x, "dataset_size": 100, "epoch": 1.3, "epochs": 4}  # g(x) = x
    return Terms(rec, gaussian_kl(mu, logvar), mu, logvar, z, **known), mu, logvar


def for_objective(objective, terms):
    """The same terms, with words and a network from z to words for an objective of sentences."""
    if isinstance(objective, BagOfWords):
        terms.x = torch.tensor([[4, 5, 2], [6, 2, 0]]).repeat(len(terms.kl) // 2, 1)
        terms.helper = lambda z: torch.cat([z, 2 * z, -z], 1)
    return terms


def loss_and_gradient(objective, **options):
    terms, mu, logvar = batch(**options)
    terms = for_objective(objective, terms)
    loss = objective(terms)
    return loss.item(), torch.cat(torch.autograd.grad(loss, [mu, logvar])).flatten()


TARGETS = [  # objectives with a target c: one value far above what the batch has, one a little lower, one below
    (RateHinge(lam=0.5), (50, 40, 0.01)),
    (FreeBits(), (50, 40, 0.01)),
    (FreeBitsPerDim(), (50, 40, 0.01)),
    (Capacity(lam=0.5), (50, 40, 0.01)),
    (InfoHinge(lam=0.5), (1.75, 1.7, 0.01)),
]
ASCENT = [DualAscent(c=5, eta=0.1), RateHinge(lam=0, c=5, eta=0.1)]


def bases(cls):
    """Settings at which a knob of that class may matter: targets near what the batch has, a multiplier that pulls."""
    options = {"c": (50, 1.7, 0.3), "lam": (0.5, 2), "eta": (0.1,), "ratio": (0.8,), "tau": (80.0,)}
    known = {name: values for name, values in options.items() if name in knobs_of(cls)}
    return [dict(zip(known, values)) for values in product(*known.values())]


def effect(objective) -> tuple:
    """All that an objective does to a batch: loss, gradients (of g too), the state after two steps; rounded."""
    terms, mu, logvar = batch()
    terms = for_objective(objective, terms)
    scale = torch.ones((), dtype=torch.double, requires_grad=True)
    plain = terms.helper
    terms.helper = lambda x: scale * plain(x)
    loss = objective(terms)
    slopes = torch.autograd.grad(loss, [mu, logvar, scale], allow_unused=True)
    objective.after_step(terms)
    terms.rec = terms.rec + 1
    objective.after_step(terms)
    numbers = [loss.detach(), *(s for part in slopes if part is not None for s in part.flatten())]
    return tuple(round(float(number), 6) for number in numbers), tuple(objective.state().items())


ANY_KNOB = [(cls, knob) for cls in OBJECTIVES.values() for knob in knobs_of(cls)]


@pytest.mark.parametrize("cls, knob", ANY_KNOB, ids=lambda v: getattr(v, "name", v))
def test_every_knob_turns_something(cls, knob):
    """At some setting near this batch, other values of the knob mean another loss, gradient or step."""
    what = knobs_of(cls)[knob]
    values = what.choices or [v for v in (0.01, 0.4, 0.7, 1.3, 3.0, 40.0) if what.low <= v <= what.high]
    for base in bases(cls):
        found = set()
        for value in values:
            try:
                found.add(effect(cls(**(base | {knob: value}))))
            except ValueError:  # c above log B
                pass
        if len(found) > 1:
            return
    pytest.fail(f"{knob} changes nothing in {cls.name}")


@pytest.mark.parametrize("cls", OBJECTIVES.values(), ids=lambda cls: cls.name)
def test_every_objective_says_what_it_is(cls):
    assert cls.title and cls.formula and cls.tex and cls.paper and cls.__doc__.startswith("Minimise ")
    assert cls.constrains in (None, "rate", "information") and ("c" in knobs_of(cls)) == bool(cls.constrains)
    assert all(what.help and what.kind in (float, str) for what in knobs_of(cls).values())
    assert math.isnan(cls().target) == (cls.constrains is None)


@pytest.mark.parametrize("objective, targets", TARGETS, ids=lambda v: getattr(v, "name", ""))
def test_c_changes_the_loss_below_it_and_the_gradient_across_it(objective, targets):
    losses, slopes = [], []
    for objective.c in targets:
        loss, slope = loss_and_gradient(objective)
        losses.append(loss)
        slopes.append(slope)
    assert losses[0] - losses[1] == pytest.approx(getattr(objective, "lam", 1) * (targets[0] - targets[1]))
    torch.testing.assert_close(slopes[0], slopes[1])  # the hinge is straight: only the side of c matters
    assert (slopes[0] - slopes[2]).abs().max() > 1e-6
    if objective.name != "capacity":  # which has a price above c as well
        assert losses[2] == pytest.approx(loss_and_gradient(ELBO())[0])


@pytest.mark.parametrize("objective", ASCENT, ids=lambda o: o.name)
def test_c_and_eta_move_lam_after_a_step(objective):
    terms, *_ = batch()
    rate = terms.kl.mean().item()
    for c, eta in [(rate + 2, 0.1), (rate + 3, 0.1), (rate + 3, 0.2)]:
        objective.lam, objective.c, objective.eta = 0.1, c, eta
        objective.after_step(terms)
        assert objective.lam == pytest.approx(0.1 + eta * (c - rate))
        assert objective.state()["lam"] == objective.lam


@settings(derandomize=True, deadline=None)
@given(st.floats(0, 5), st.floats(0, 20), st.floats(0, 5), st.integers(0, 50))
def test_the_hinge_is_the_article_formula(lam, c, beta, seed):
    """The switched form equals rec + beta kl + lam max(c - mean kl, 0), in value and, off the kink, in gradient."""
    terms, mu, logvar = batch(seed)
    literal = terms.rec.mean() + beta * terms.kl.mean() + lam * torch.clamp(c - terms.kl.mean(), min=0)
    switched = RateHinge(lam=lam, c=c, beta=beta)(terms)
    assert switched.item() == pytest.approx(literal.item(), rel=1e-12)
    if abs(c - terms.kl.mean().item()) > 1e-9:
        for a, b in zip(
            torch.autograd.grad(literal, [mu, logvar], retain_graph=True), torch.autograd.grad(switched, [mu, logvar])
        ):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "neutral",
    [BetaVAE(beta=1), RateHinge(lam=0, c=5), RateHinge(lam=2, c=0), SelfLabelling(lam=0), BetaTC(beta=1)],
    ids=str,
)
def test_neutral_settings_are_the_elbo(neutral):
    loss, slope = loss_and_gradient(neutral)
    expected, expected_slope = loss_and_gradient(ELBO())
    assert loss == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(slope, expected_slope)


def test_below_c_only_beta_minus_lam_matters():
    _, a = loss_and_gradient(RateHinge(beta=40, lam=30, c=500))
    _, b = loss_and_gradient(BetaVAE(beta=10))
    assert torch.equal(a, b)


def test_penalty_on_tells_the_branch():
    terms, *_ = batch()
    mean = terms.kl.mean().item()
    assert RateHinge(lam=1, c=mean + 0.1).penalty_on(terms)
    assert not RateHinge(lam=1, c=mean - 0.1).penalty_on(terms)
    assert not ELBO().penalty_on(terms)


@pytest.mark.parametrize("objective", [cls() for cls in OBJECTIVES.values()], ids=lambda o: o.name)
def test_scale_is_mean_over_examples_and_sum_over_dimensions(objective):
    """The same examples twice: the same loss. (An estimate over the batch depends on it: that part is switched off.)"""
    for cls, knob, off in (BetaTC, "beta", 1), (InfoHinge, "lam", 0), (InfoVAE, "lam", 0):
        if isinstance(objective, cls):
            setattr(objective, knob, off)
    if isinstance(objective, InfoHinge):
        objective.c = 1
    terms = for_objective(objective, batch()[0])
    twice = Terms(*(torch.cat([v, v]) if isinstance(v, torch.Tensor) else v for v in vars(terms).values()))
    assert objective(twice).item() == pytest.approx(objective(terms).item(), rel=1e-12)


def test_loss_of_a_dimension_adds():
    """d equal dimensions cost d times one: nothing is averaged over dimensions."""
    one, *_ = batch(d=1)
    many = Terms(one.rec, 4 * one.kl, *(v.repeat(1, 4) for v in (one.mu, one.logvar, one.z, one.x)), helper=one.helper)
    for objective in (ELBO(), BetaVAE(beta=2), SelfLabelling(lam=0.7)):
        assert (objective(many) - one.rec.mean()).item() == pytest.approx(4 * (objective(one) - one.rec.mean()).item())


def test_self_labelling_expectation_is_the_sampled_one():
    """E_q ||z - g||^2 in closed form against a large sample."""
    terms, mu, logvar = batch()
    z = Independent(Normal(mu, (0.5 * logvar).exp()), 1).sample((200_000,))
    sampled = (z - terms.x).square().sum(-1).mean().item()
    closed = (SelfLabelling(lam=1)(terms) - ELBO()(terms)).item()
    assert closed == pytest.approx(sampled, rel=0.01)


def test_minibatch_total_correlation_sees_dependence():
    """Two latents that copy each other against two that do not: the estimate rises by about the true TC."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 500, 1, generator=g, dtype=torch.double)
    noise = torch.full((500, 2), math.log(0.1), dtype=torch.double)

    def estimate(mu):
        z = mu + (0.5 * noise).exp() * torch.randn(mu.shape, generator=g, dtype=torch.double)
        return minibatch_total_correlation(Terms(mu[:, 0], mu[:, 0], mu, noise, z, dataset_size=500)).item()

    true = -0.5 * math.log(1 - (1 / 1.1) ** 2)  # two Gaussians with correlation 1/1.1
    assert estimate(torch.cat([a, a], 1)) - estimate(torch.cat([a, b], 1)) == pytest.approx(true, abs=0.25)


def test_every_objective_has_a_look_of_its_own():
    assert all(style_of(name).label for name in OBJECTIVES)
    for looks in ([s.label for s in STYLES.values()], [s.marker for s in STYLES.values()]):
        assert len(set(looks)) == len(looks)
    assert len({(s.colour, s.dash) for s in STYLES.values()}) == len(STYLES)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_made_by_name(name):
    assert make_objective(name) == OBJECTIVES[name]()


@pytest.mark.parametrize(
    "action, error, message",
    [
        (lambda: make_objective("nll"), ValueError, "unknown objective 'nll'.*elbo"),
        (lambda: make_objective("elbo", beta=2), ValueError, "does not use beta; objectives that do: beta, rate-hinge, "),
        (lambda: RateHinge(lam=-1), ValueError, "lam = -1 .*>= 0"),
        (lambda: setattr(RateHinge(), "c", math.nan), ValueError, "c = nan"),
        (lambda: setattr(BetaVAE(), "lam", 1), AttributeError, "no knob 'lam'; it has: beta"),
        (lambda: SelfLabelling(label="both"), ValueError, "'both'.*joint"),
        (lambda: CyclicalAnnealing(period=0), ValueError, "period = 0 .*>= 0.001"),
        (lambda: CyclicalAnnealing(ratio=1.5), ValueError, "ratio = 1.5 .*from 0 to 1"),
        (lambda: setattr(DualAscent(), "eta", -1), ValueError, "eta = -1"),
        (lambda: InfoHinge(c=3)(batch()[0]), ValueError, "c = 3 .* 6 examples .* log 6 = 1.79 .*more than 20"),
        (lambda: InfoHinge(c=1e9).check_batch_size(50), ValueError, "c = 10+.* log 50"),
        (lambda: Objective(), TypeError, "make_objective"),
        (lambda: SelfLabelling()(Terms(torch.ones(2), torch.ones(2))), ValueError, "needs a labelling network"),
    ],
)
def test_bad_values_are_refused(action, error, message):
    with pytest.raises(error, match=message):
        action()


def test_a_refused_value_leaves_the_old_one():
    objective = RateHinge(lam=1)
    with pytest.raises(ValueError):
        objective.lam = -3
    assert objective.lam == 1
