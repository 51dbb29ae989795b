"""What `measure.evaluate` puts into its table, number by number, for a model whose every quantity is known."""

import math

import pytest
import torch

from klcourse import measure
from klcourse.gaussians import log_normal
from klcourse.models import VAE, Decoder, build_vae


class Decode(Decoder):
    """p(x|z) = N(0.8 z, 0.3 I)."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(0.8))

    def log_px(self, x, h, generator=None):
        return log_normal(x, self.w * h, torch.full_like(x, math.log(0.3)))

    def sample(self, h, generator=None, **options):
        return h

    def cells(self, x):
        return x.shape[1]


class Encode(torch.nn.Module):
    """q(z|x) = N(x + 0.5, 0.4 I): narrow and shifted, so that R, its information and its waste all differ."""

    def forward(self, x, extra):
        return torch.cat([x + 0.5, torch.full_like(x, math.log(0.4))], -1)


@pytest.fixture(scope="module")
def found():
    x = torch.randn(1500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = VAE(Encode(), Decode(), latent_dim=2).double()
    return x, measure.evaluate(model, x, iw_samples=0, seed=0)


def test_bounds_of_the_marginal_kl_belong_to_those_of_the_information(found) -> None:
    """M lies in [R - upper, R - lower]: each bound of I_q gives the other bound of M; the exact values lie between."""
    _, out = found
    assert out["marginal_kl"] == pytest.approx(out["rate"] - out["mi"], abs=1e-12)
    assert out["marginal_kl_lower"] == pytest.approx(out["rate"] - out["mi_upper"], abs=1e-12)
    info = 2 * 0.5 * math.log(1 + 1 / 0.4)
    waste = 2 * 0.5 * (1.4 + 0.25 - 1 - math.log(1.4))  # q(z) = N(.5, 1.4) in each of two dimensions
    assert out["mi"] < info + 0.05 and out["mi_upper"] > info - 0.05
    assert out["marginal_kl_lower"] - 0.05 < waste < out["marginal_kl"] + 0.05
    assert out["marginal_kl_lower"] > 0.3 * waste and out["mi_cap"] == pytest.approx(math.log(1500))


def test_rate_distortion_and_elbo_are_the_closed_forms(found) -> None:
    x, out = found
    rate = 0.5 * ((x + 0.5).square() + 0.4 - 1 - math.log(0.4)).sum(1).mean().item()
    miss = (x - 0.8 * (x + 0.5)).square() + 0.64 * 0.4
    distortion = 0.5 * (miss / 0.3 + math.log(2 * math.pi * 0.3)).sum(1).mean().item()
    assert out["rate"] == pytest.approx(rate, abs=1e-9) and out["distortion"] == pytest.approx(distortion, abs=0.1)
    assert out["elbo"] == -(out["rate"] + out["distortion"])


def test_prior_gap_keeps_the_labels(monkeypatch) -> None:
    """A conditional decoder is asked with the label of each example, also when z is drawn from the prior."""
    from klcourse.measure import use

    x, y = torch.zeros(6, 2, dtype=torch.float64), torch.arange(6)
    asked = []

    def record(model, x, z, y=None):
        asked.append(y)
        return torch.zeros(len(x), dtype=torch.float64)

    monkeypatch.setattr(use, "log_px", record)
    model = VAE(Encode(), Decode(), latent_dim=2).double()
    use.prior_gap(model, x, torch.zeros(6, dtype=torch.float64), y, torch.Generator().manual_seed(0))
    assert asked and all(labels is not None and torch.equal(labels, y) for labels in asked)


def test_the_likelihood_of_a_conditional_model_is_that_under_its_labels():
    """Without z and with the prior as encoder every weight is p(x|y) itself: the bound is exact, and depends on y."""
    torch.manual_seed(0)
    options = {"latent_dim": 2, "hidden": 8, "n_labels": 3, "without_z": True, "prior_encoder": True}
    model = build_vae("image", "mlp", **options).eval()
    x, y = torch.randint(0, 2, (12, 784)).float(), torch.arange(12) % 3
    found = measure.importance_weighted(model, x, y, samples=8)
    exact = -measure.log_px(model, x, torch.zeros(12, 2), y).mean().item()
    assert found.mean == pytest.approx(exact, abs=1e-3)
    assert abs(found.mean - measure.importance_weighted(model, x, y.flip(0), samples=8).mean) > 0.01
