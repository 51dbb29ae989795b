"""What of a trainer a file keeps: weights and optimiser as tensors, the rest as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from klcourse.system import write_atomically

Helpers = dict[str, nn.Module]


class State(dict[str, Tensor]):
    """All tensors of a training by name: model.*, helper.<objective>.*, adam.<i>.*; empty if nothing is kept yet."""

    @classmethod
    def of(cls, model: nn.Module, helpers: Helpers, optimizer: torch.optim.Optimizer) -> State:
        """A copy of the tensors as they are now."""
        found = cls({f"model.{k}": v for k, v in model.state_dict().items()})
        for name, helper in helpers.items():
            found |= {f"helper.{name}.{k}": v for k, v in helper.state_dict().items()}
        for i, state in optimizer.state_dict()["state"].items():
            found |= {f"adam.{i}.{k}": v for k, v in state.items()}
        return cls({k: v.detach().clone() for k, v in found.items()})

    def put_back(self, model: nn.Module, helpers: Helpers, optimizer: torch.optim.Optimizer) -> None:
        """Make their tensors these ones; a helper that came later stays as it is."""
        model.load_state_dict(self.under("model."))
        for name, helper in helpers.items():
            if kept := self.under(f"helper.{name}."):
                helper.load_state_dict(kept)
        state = optimizer.state_dict()
        state["state"] = {}
        for key, value in self.under("adam.").items():
            i, name = key.split(".")
            state["state"].setdefault(int(i), {})[name] = value.clone()  # the optimiser changes them in place
        optimizer.load_state_dict(state)

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, by the rest of their names."""
        return {k.removeprefix(prefix): v for k, v in self.items() if k.startswith(prefix)}

    @property
    def finite(self) -> bool:
        """Whether all weights are finite numbers."""
        return bool(torch.stack([v.isfinite().all() for k, v in self.items() if not k.startswith("adam.")]).all())


def write(path: Path, states: dict[str, State], meta: dict[str, Any]) -> None:
    """Write several states, each under its prefix, and the rest to one file, atomically."""
    tensors = {prefix + k: v.contiguous() for prefix, state in states.items() for k, v in state.items()}
    write_atomically(path, to_bytes(tensors, {"klcourse": json.dumps(meta)}))


def read(path: Path, prefixes: tuple[str, ...]) -> tuple[dict[str, State], dict[str, Any]]:
    """What `write` wrote: the states by prefix (a tensor belongs to the first prefix that fits), and the rest."""
    states = {prefix: State() for prefix in prefixes}
    with safe_open(path, framework="pt") as file:
        for key in file.keys():
            prefix = next(p for p in prefixes if key.startswith(p))
            states[prefix][key.removeprefix(prefix)] = file.get_tensor(key)
        return states, json.loads(file.metadata()["klcourse"])
