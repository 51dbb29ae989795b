"""What of a trainer a file keeps: weights and optimiser as tensors, the rest as JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from klcourse.seals import SEAL, Altered
from klcourse.system import reason, write_atomically

Helpers = dict[str, nn.Module]


class CheckpointError(Altered):
    """A checkpoint is damaged, or of another training; the message says which file, and how it differs."""


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
        """Make their tensors these ones; a helper that came later stays as it is.

        Raises CheckpointError, before anything is changed, if they are those of other networks.
        """
        self.check(model, helpers, optimizer)
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

    def check(self, model: nn.Module, helpers: Helpers, optimizer: torch.optim.Optimizer) -> None:
        """Raise CheckpointError unless names and shapes of all tensors are those of these networks."""
        parts = {"model.": model} | {f"helper.{name}.": helper for name, helper in helpers.items()}
        wanted = {prefix + k: v.shape for prefix, part in parts.items() for k, v in part.state_dict().items()}
        here = {k: v.shape for k, v in self.items() if not k.startswith("adam.")}
        later = tuple(prefix for prefix in parts if prefix != "model." and not self.under(prefix))
        for name in wanted.keys() | here.keys():
            if wanted.get(name) != here.get(name) and not (later and name.startswith(later)):
                then, now = (tuple(shapes[name]) if name in shapes else "missing" for shapes in (here, wanted))
                raise CheckpointError(f"the weights are of another model: {name} was {then}, is {now}")
        sizes = [weight.shape for group in optimizer.param_groups for weight in group["params"]]
        for key, value in self.under("adam.").items():
            i, _, name = key.partition(".")
            if not (i.isdigit() and int(i) < len(sizes) and (value.dim() == 0 or value.shape == sizes[int(i)])):
                raise CheckpointError(f"the optimiser is of another model: {name} of weight {i} does not fit")

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, by the rest of their names."""
        return {k.removeprefix(prefix): v for k, v in self.items() if k.startswith(prefix)}

    @property
    def finite(self) -> bool:
        """Whether all weights are finite numbers."""
        return bool(torch.stack([v.isfinite().all() for k, v in self.items() if not k.startswith("adam.")]).all())


def seal(tensors: dict[str, Tensor], meta: dict[str, str]) -> bytes:
    """A safetensors file of these tensors and texts that carries a checksum of both; `unseal` is the inverse."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return to_bytes(tensors, meta | {SEAL: digest(tensors, meta)})


def digest(tensors: dict[str, Tensor], meta: dict[str, str]) -> str:
    """The sha256 of names, types, shapes and bytes of tensors, and of texts."""
    total = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def unseal(path: Path, keys: tuple[str, ...] | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and texts of a file that `seal` made; if `keys` are given, these are what its texts must be.

    Raises CheckpointError if it is damaged, or no such file. One from before there were checksums is believed.
    """
    try:
        content = path.read_bytes()
        tensors = from_bytes(content)
        length = int.from_bytes(content[:8], "little")
        meta = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {reason(error)}") from None
    except Exception as error:  # the bytes of a damaged file make the reader raise nearly anything
        raise CheckpointError(f"{path} is damaged: {error}") from None
    kept = meta.pop(SEAL, None)
    if (keys is not None and set(meta) != set(keys)) or kept not in (None, digest(tensors, meta)):
        raise CheckpointError(f"{path} is damaged: it is not what was written")
    return tensors, meta


def write(path: Path, states: dict[str, State], meta: dict[str, Any]) -> None:
    """Write several states, each under its prefix, and the rest to one file, atomically."""
    tensors = {prefix + k: v for prefix, state in states.items() for k, v in state.items()}
    write_atomically(path, seal(tensors, {"klcourse": json.dumps(meta)}))


def read(path: Path, prefixes: tuple[str, ...]) -> tuple[dict[str, State], dict[str, Any]]:
    """What `write` wrote: the states by prefix (a tensor belongs to the first prefix that fits), and the rest.

    Raises CheckpointError as `unseal` does.
    """
    states = {prefix: State() for prefix in prefixes}
    tensors, meta = unseal(path, ("klcourse",))
    for key, tensor in tensors.items():
        prefix = next(p for p in prefixes if key.startswith(p))
        states[prefix][key.removeprefix(prefix)] = tensor
    return states, json.loads(meta["klcourse"])
