"""The VAE: an encoder and a decoder of any kind behind one interface."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .decoder import Decoder
from .floors import Floor


class VAE(nn.Module):
    """An encoder and a decoder with a standard normal prior; see the module's first lines for the interface.

    `encoder(x, extra)` returns (B, 2d); `decoder` has `log_px(x, h)` and `sample(h)`, where h = (z, label) is all the
    decoder is told. `extra` and the label part of h have width 0 in an unconditional model.

    Two switches make the cells of the article's game: `without_z` gives the decoder zeros instead of z (module A plays
    "independent"), `prior_encoder` makes q(z|x) = p(z) for every x (module B plays "q = p").

    `floor` is what puts a floor under the rate in two baselines of the literature; see klcourse.models.floors.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: Decoder,
        latent_dim: int,
        *,
        n_labels: int = 0,
        without_z: bool = False,
        prior_encoder: bool = False,
        floor: Floor | None = None,
    ):
        super().__init__()
        if prior_encoder and floor is not None:
            raise ValueError("prior_encoder fixes q(z|x) = p(z), rate 0: leave out bn_gamma and delta, which forbid it")
        self.encoder, self.decoder, self.floor = encoder, decoder, floor
        self.latent_dim, self.n_labels = latent_dim, n_labels
        self.without_z, self.prior_encoder = without_z, prior_encoder

    def label_code(self, y: Tensor | None, rows: int) -> Tensor:
        """The label as a one-hot row, (B, n_labels); (B, 0) for an unconditional model, whatever y is."""
        if not self.n_labels:
            return next(self.parameters()).new_zeros(rows, 0)
        if y is None:
            raise ValueError(f"this model is conditional on {self.n_labels} labels: pass y, one label per example")
        return F.one_hot(y, self.n_labels).float()

    def check(self, x: Tensor, y: Tensor | None = None) -> None:
        """Raise ValueError unless x, and the labels y of a conditional model, are what this model is for."""
        self.decoder.check(x)
        if y is not None and self.n_labels:
            if y.shape != (len(x),) or y.is_floating_point() or not (len(y) and 0 <= y.min() and y.max() < self.n_labels):
                raise ValueError(f"labels must be {len(x)} whole numbers from 0 to {self.n_labels - 1}, one an example")

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The parameters of q(z|x): mu, logvar, (B, d) each."""
        mu, logvar = self.encoder(x, self.label_code(y, len(x))).chunk(2, dim=-1)
        if self.prior_encoder:
            return 0 * mu, 0 * logvar
        return (mu, logvar) if self.floor is None else self.floor(mu, logvar)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """The weights that q(z|x) depends on; the rest are the decoder's."""
        return [*self.encoder.parameters(), *([] if self.floor is None else self.floor.parameters())]

    def told(self, z: Tensor, y: Tensor | None) -> Tensor:
        """What the decoder is told, (B, d + n_labels): z and the label's code."""
        return torch.cat([0 * z if self.without_z else z, self.label_code(y, len(z))], -1)

    def log_px(self, x: Tensor, z: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """log p(x|z) per example, (B,), nats. `generator` drives word dropout, which acts only in training mode."""
        return self.decoder.log_px(x, self.told(z, y), generator)

    @torch.no_grad()
    def sample(self, z: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None, **options) -> Tensor:
        """Draw x ~ p(x|z) for every row of z. Text decoders take `greedy=True` and `max_words`."""
        return self.decoder.sample(self.told(z, y), generator, **options)

    @torch.no_grad()
    def mean(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """E[x|z] in (0, 1), (B, 784): what the factorised decoder paints. Only decoders with a closed form have it."""
        if not self.decoder.factorised:
            raise ValueError(f"{type(self.decoder).__name__} has no closed-form E[x|z]; use sample(z)")
        return self.decoder.mean(self.told(z, y))
