"""What every decoder p(x|z) can do, whatever network it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class Decoder(nn.Module, ABC):
    """p(x|z); h (B, d + n_labels) is all that it is told: z, and the label's code in a conditional model."""

    @abstractmethod
    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """log p(x|h) per example, (B,), nats; `generator` drives word dropout."""

    @abstractmethod
    def sample(self, h: Tensor, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        """Draw x ~ p(x|h), one for every row of h."""

    @abstractmethod
    def cells(self, x: Tensor) -> int:
        """How many numbers log_px holds at a time for one example like x: measuring keeps its memory within bounds by it."""

    def check(self, x: Tensor) -> None:
        """Raise ValueError unless x are examples that this decoder can have made; one look at all of them."""

    def mean(self, h: Tensor) -> Tensor:
        """E[x|h], (B, 784); NotImplementedError for a decoder that has no closed form of it."""
        raise NotImplementedError

    @property
    def factorised(self) -> bool:
        """Whether the parts of x are independent once z is known, so that `mean` is what the decoder paints."""
        return type(self).mean is not Decoder.mean
