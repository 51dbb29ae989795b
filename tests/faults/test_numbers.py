"""Numbers at the edges: gradients, narrow and far posteriors, rates next to nothing."""

import math

import pytest
import torch

from klcourse.gaussians import gaussian_kl, gaussian_kl_by_latent, log_normal, pairwise_log_q
from klcourse.measure import information, mutual_information, total_correlation
from klcourse.models import build_vae
from klcourse.objectives import ELBO, OBJECTIVES, BetaTC, InfoHinge, Objective, Terms, batch_information, make_objective
from klcourse.training import Trainer, TrainingDiverged

SIZES = dict(latent_dim=2, hidden=8)


def seeded(n=0):
    return torch.Generator().manual_seed(n)


def terms(logvar, far=1.0, n=6):
    mu = (far * torch.randn(n, 3, generator=seeded())).requires_grad_()
    logvar = torch.full((n, 3), logvar, requires_grad=True)
    z = mu + (0.5 * logvar).exp() * torch.randn(n, 3, generator=seeded(1))
    rec = 80 + z.square().sum(1)
    return Terms(rec=rec, kl=gaussian_kl(mu, logvar), mu=mu, logvar=logvar, z=z, dataset_size=60, batch_size=n), (mu, logvar)


@pytest.mark.parametrize("logvar", [-170.0, -100.0, -88.0, -60.0, -50.0, -20.0, 0.0, 20.0])
@pytest.mark.parametrize("objective", [BetaTC(beta=6), InfoHinge(lam=2, c=1.5), make_objective("mmd")], ids=lambda o: o.name)
@pytest.mark.parametrize("far", [0.0, 1.0, 1e3])
def test_gradients_are_finite_however_narrow_a_posterior_is(objective, logvar, far):
    t, leaves = terms(logvar, far)
    loss = objective(t)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, leaves))


def test_densities_are_those_of_the_formula():
    mu, logvar, z = (torch.randn(5, 3, generator=seeded(i), dtype=torch.double) for i in range(3))
    expected = torch.distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(z)
    torch.testing.assert_close(log_normal(z, mu, logvar), expected.sum(-1))
    torch.testing.assert_close(pairwise_log_q(z, mu, logvar).diagonal().T, expected)


@pytest.mark.parametrize("logvar", [1e-3, -1e-4, 1e-5, -3e-6])
def test_the_rate_next_to_the_prior_keeps_its_digits(logvar):
    found = gaussian_kl_by_latent(torch.zeros(1), torch.tensor([logvar])).item()
    assert found >= 0 and found == pytest.approx(logvar**2 / 4, rel=0.02, abs=1e-13)


class Poisoned(ELBO, name="poisoned"):
    """Its loss is finite, its gradient is not: sqrt at 0."""

    def __call__(self, t):
        return super().__call__(t) + (0 * t.mu).sum().abs().sqrt()


OBJECTIVES.pop("poisoned")


@pytest.mark.parametrize("clip", [None, 5.0])
def test_a_gradient_that_is_no_number_stops_before_the_step(clip):
    torch.manual_seed(0)
    x = (torch.rand(40, 784, generator=seeded()) < 0.2).to(torch.uint8)
    trainer = Trainer(build_vae("image", "mlp", **SIZES), Poisoned(), x, batch_size=20, clip=clip)
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    with pytest.raises(TrainingDiverged, match="the gradient is nan at step 0 with objective .*, though the loss is finite"):
        trainer.step()
    assert all(torch.equal(v, trainer.model.state_dict()[k]) for k, v in before.items()) and trainer.steps == 0
    trainer.objective = ELBO()
    assert math.isfinite(trainer.step()["loss"])  # and it can go on


def test_a_gradient_whose_norm_overflows_does_not_pass_for_no_gradient():
    class Steep(Objective, name="steep"):
        def __call__(self, t):
            return t.rec.mean() + 1e25 * (t.mu.sum() - t.mu.sum().detach())

    OBJECTIVES.pop("steep")
    torch.manual_seed(0)
    x = (torch.rand(40, 784, generator=seeded()) < 0.2).to(torch.uint8)
    from dataclasses import dataclass

    trainer = Trainer(build_vae("image", "mlp", **SIZES), dataclass(Steep)(), x, batch_size=20, clip=5.0)
    with pytest.raises(TrainingDiverged, match="the gradient is inf"):
        trainer.step()


# ---------------------------------------------------------------------------------------------------- information


@pytest.mark.parametrize("logvar", [0.0, -20.0, -40.0, -60.0, -100.0, -200.0])
@pytest.mark.parametrize("at", [0.0, 1.0, 1e3, 1e6])
def test_information_of_duplicated_posteriors(logvar, at):
    """Six posteriors, two of a kind, far from each other: log 3; all alike: 0. Wherever they are and however narrow."""
    apart = torch.tensor([0.0, 0.0, 1e4, 1e4, 2e4, 2e4])[:, None]
    pairs = mutual_information(at + apart, torch.full((6, 1), logvar), seeded())
    assert pairs.lower == pytest.approx(math.log(3), abs=1e-6)
    # over all others there is one of two: log of a sum over 5 that is half as large
    assert pairs.upper == pytest.approx(math.log(5), abs=1e-6) and pairs.lower <= pairs.cap
    alike = mutual_information(torch.full((6, 2), at), torch.full((6, 2), logvar), seeded())
    assert alike.lower == pytest.approx(0, abs=1e-6) and alike.upper == pytest.approx(0, abs=1e-6)


def test_both_ways_to_the_information_agree(monkeypatch):
    mu, logvar = 2 * torch.randn(50, 4, generator=seeded()), torch.randn(50, 4, generator=seeded(1))
    fast = mutual_information(mu, logvar, seeded(2))
    monkeypatch.setattr(information, "EXACT", 0.0)
    slow = mutual_information(mu, logvar, seeded(2))
    assert fast.lower == pytest.approx(slow.lower, abs=1e-9) and fast.upper == pytest.approx(slow.upper, abs=1e-9)
    assert mutual_information(mu + 1e3, logvar, seeded(2)).lower == pytest.approx(slow.lower, abs=1e-4)  # mu in float32


@pytest.mark.parametrize("logvar", [-20.0, -80.0, -200.0])
def test_total_correlation_of_narrow_posteriors(logvar):
    """Two latents that are copies of each other, in two places: log 2."""
    mu = torch.tensor([0.0, 0.0, 1.0, 1.0])[:, None].expand(4, 2) + 1e3
    assert total_correlation(mu, torch.full((4, 2), logvar), seeded()) == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("logvar", [-50.0, -100.0])
def test_the_information_of_a_batch_stays_within_its_cap(logvar):
    t, _ = terms(logvar)
    assert -1e-5 <= batch_information(t).item() <= math.log(6) + 1e-5


@pytest.mark.parametrize(
    "mu, logvar",
    [
        (torch.zeros(3, 2), torch.zeros(3, 1)),
        (torch.zeros(3), torch.zeros(3)),
        (torch.full((3, 2), math.nan), torch.zeros(3, 2)),
        (torch.zeros(3, 2), torch.full((3, 2), -math.inf)),
        (torch.zeros(0, 2), torch.zeros(0, 2)),
    ],
)
def test_posteriors_that_make_no_sense_are_refused(mu, logvar):
    for measure in mutual_information, total_correlation, information.rate:
        with pytest.raises(ValueError, match="posterior"):
            measure(mu, logvar)
