"""Models that a sweep kept."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open

from klcourse.data import Dataset, load
from klcourse.models import VAE
from klcourse.runs import Run, build_trainer


def load_model(path: str | Path, data: Dataset | None = None) -> VAE:
    """A trained model from the model.safetensors of a run, or from the folder that has it; ready to sample from.

    `data` saves loading what it was trained on, which decides the size of its vocabulary. Raises ValueError if
    that differs from the data of the training.
    """
    path = Path(path)
    with safe_open(path / "model.safetensors" if path.is_dir() else path, framework="pt") as file:
        meta, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    config = Run(**json.loads(meta["config"]))
    data = load(config.data, limit=config.limit) if data is None else data
    if data.fingerprint != meta["fingerprint"]:
        raise ValueError(
            f"{path} was trained on {config.data} with fingerprint {meta['fingerprint']}, here it is {data.fingerprint}: "
            "install the versions in requirements.txt, or train the model anew"
        )
    model = build_trainer(config, data).model
    model.load_state_dict(tensors)
    return model.eval()
