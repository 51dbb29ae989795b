"""Losses against sums written out with loops: the constants of beta-TCVAE's estimator, capacity on both sides of c."""

import math

import pytest
import torch

from klcourse.objectives import BetaTC, Capacity, FreeBits, RateHinge, Terms


def gaussian(z: float, mu: float, logvar: float) -> float:
    return -0.5 * (math.log(2 * math.pi) + logvar + (z - mu) ** 2 / math.exp(logvar))


def terms(dataset_size: int, size: int = 5, d: int = 3) -> Terms:
    g = torch.Generator().manual_seed(size + d)
    mu, logvar, z = (torch.randn(size, d, generator=g, dtype=torch.float64) for _ in range(3))
    rec, kl = (torch.rand(size, generator=g, dtype=torch.float64) * 9 for _ in range(2))
    return Terms(rec=rec, kl=kl, mu=mu, logvar=logvar, z=z, dataset_size=dataset_size)


@pytest.mark.parametrize("dataset_size", [1000, 5, 2, 0])
def test_beta_tc_is_minibatch_weighted_sampling(dataset_size: int) -> None:
    """Chen et al. 2018, eq. 5: log q(z) ~ log 1/(N B) sum_i q(z|x_i), for the joint and for every latent; N at least B."""
    t, beta = terms(dataset_size), 4.0
    size, d = t.z.shape
    nb = max(dataset_size, size) * size
    z, mu, logvar = (value.tolist() for value in (t.z, t.mu, t.logvar))
    total = 0.0
    for i in range(size):
        one = [[math.exp(gaussian(z[i][k], mu[j][k], logvar[j][k])) for k in range(d)] for j in range(size)]
        joint = sum(math.prod(row) for row in one) / nb
        product = math.prod(sum(one[j][k] for j in range(size)) / nb for k in range(d))
        total += (math.log(joint) - math.log(product)) / size
    expected = t.rec.mean().item() + t.kl.mean().item() + (beta - 1) * total
    assert BetaTC(beta=beta)(t).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kl", [[1.0, 7.0], [1.0, 2.0], [5.0, 7.0], [0.0, 6.0]])
def test_capacity_looks_at_the_mean_of_kls_on_both_sides(kl: list[float]) -> None:
    """|mean KL - c|, c = 3: not the mean of |KL - c|, and on both sides of c; gradient -lam below, +lam above."""
    rates = torch.tensor(kl, dtype=torch.float64, requires_grad=True)
    t = Terms(rec=torch.full((2,), 80.0, dtype=torch.float64), kl=rates)
    loss = Capacity(lam=2.0, c=3.0)(t)
    mean = sum(kl) / 2
    assert loss.item() == pytest.approx(80 + 2 * abs(mean - 3))
    if mean != 3:
        loss.backward()
        assert rates.grad.tolist() == pytest.approx([math.copysign(1.0, mean - 3)] * 2)  # 2 / B each


@pytest.mark.parametrize("kl, on", [([1.0, 7.0], False), ([1.0, 4.0], True), ([3.0, 3.0], False)])
def test_the_hinge_looks_at_the_mean_too(kl: list[float], on: bool) -> None:
    """Off at R = c exactly, as the article's algorithm has it (>= c)."""
    rates = torch.tensor(kl, dtype=torch.float64)
    t = Terms(rec=torch.full((2,), 80.0, dtype=torch.float64), kl=rates)
    objective = RateHinge(lam=5.0, c=3.0, beta=2.0)
    assert objective(t).item() == pytest.approx(80 + 2 * rates.mean().item() + 5 * max(3 - rates.mean().item(), 0))
    assert [one.penalty_on(t) for one in (objective, Capacity(c=3.0), FreeBits(c=3.0))] == [float(on)] * 3
