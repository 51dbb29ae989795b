"""What keeps q(z|x) off the prior by construction: BN-VAE acts on its means, delta-VAE on its variances.

Both put a floor under the rate, whatever the objective and the decoder. A floor under the rate is not one under what the
decoder makes of z: see the two docstrings.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from scipy.special import lambertw
from torch import Tensor, nn

from klcourse.objectives.switches import BN, DELTA


class Floor(nn.Module):
    """What is done to an encoder's mu and logvar, (B, d) each, so that their rate has a floor: BN-VAE, delta-VAE, or both.

    >>> import torch
    >>> floor = Floor(2, bn_gamma=0.5)
    >>> floor(torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.zeros(2, 2))[0].detach()
    tensor([[-0.5000, -0.5000],
            [ 0.5000,  0.5000]])
    """

    def __init__(self, latent_dim: int, *, bn_gamma: float | None = None, delta: float = 0.0):
        super().__init__()
        self.norm = None if bn_gamma is None else FixedScaleNorm(latent_dim, bn_gamma)
        self.largest = largest_logvar(delta, latent_dim) if delta else None

    def forward(self, mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        """The parameters of q(z|x) with the floor under their rate."""
        if self.norm is not None:
            mu = self.norm(mu)
        if self.largest is not None:
            logvar = limit_logvar(logvar, self.largest)
        return mu, logvar


def build_floor(latent_dim: int, *, bn_gamma: float | None = None, delta: float = 0.0) -> Floor | None:
    """The floor of these settings; None if both are off."""
    return Floor(latent_dim, bn_gamma=bn_gamma, delta=delta) if bn_gamma is not None or delta else None


class FixedScaleNorm(nn.BatchNorm1d):
    """Means (B, d) to means of standard deviation gamma over the batch: BN-VAE (Zhu et al. 2020).

    mu -> gamma (mu - mean) / sd + shift, the shift learnt, gamma fixed. As the batch mean of mu_j^2 is then gamma^2 +
    shift_j^2, the rate is at least d gamma^2 / 2. Means that differ between examples do carry information, so I_q > 0 as
    well; whether the decoder listens is another matter. Training uses the statistics of the mini-batch, evaluation
    running averages of them, with which the floor holds on the average only.

    >>> import torch
    >>> FixedScaleNorm(1, gamma=0.5)(torch.tensor([[1.0], [3.0]])).detach()
    tensor([[-0.5000],
            [ 0.5000]])
    """

    def __init__(self, latent_dim: int, gamma: float):
        BN.knob.check(BN.setting, gamma)
        # With the usual 1e-5 the floor has a hole: means of a spread below 0.003 pass almost unscaled, the KL rewards
        # shrinking them, and the encoder of a text model did so within a few hundred steps.
        super().__init__(latent_dim, affine=False, eps=1e-12)
        self.gamma = gamma
        self.shift = nn.Parameter(torch.zeros(latent_dim))

    def forward(self, mu: Tensor) -> Tensor:
        if len(mu) == 1:  # the last mini-batch of an epoch: a batch of one has no spread of its own
            scaled = F.batch_norm(mu, self.running_mean, self.running_var, eps=self.eps)
        else:
            scaled = super().forward(mu)
        return self.gamma * scaled + self.shift


def largest_logvar(delta: float, latent_dim: int) -> float:
    """The log-variance at which a posterior of mean 0 is delta nats from the prior, d latents taken together.

    KL >= (v - 1 - ln v) / 2 for a variance v whatever the mean, which decreases for v < 1. So variances up to the v with
    (v - 1 - ln v) / 2 = delta / d make the rate at least delta; Lambert's W solves for v.

    >>> import torch
    >>> from klcourse.gaussians import gaussian_kl
    >>> round(gaussian_kl(torch.zeros(8), torch.full((8,), largest_logvar(5.0, 8))).item(), 4)
    5.0
    """
    DELTA.knob.check(DELTA.setting, delta)
    # v e^-v = e^-(1 + 2 delta/d), so v = -W(-e^-(1 + 2 delta/d)); and ln v from the equation, as v may underflow
    a = 1 + 2 * delta / latent_dim
    v = -lambertw(-math.exp(-a)).real
    return float(v - a)


def limit_logvar(logvar: Tensor, largest: float) -> Tensor:
    """Log-variances bent so that none exceeds `largest`: delta-VAE with independent latents (Razavi et al. 2019).

    The bend is smooth, log-sigmoid(logvar - largest) + largest, so that a gradient brings back what went too far: far
    below the limit nothing changes. The authors restrict variances to a range and push the means away to make up the
    rest; here the variances alone pay. That commits the model to a *rate*, not to information: if the means stay put, all
    of delta is marginal KL and I_q = 0.
    """
    return F.logsigmoid(logvar - largest) + largest
