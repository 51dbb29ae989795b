"""States of the latent explorer: what four trained decoders draw, as `python -m klcourse.sweep.tiles` stored it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from klcourse.seals import read_sealed

STORED = Path(__file__).parents[3] / "notebooks" / "results" / "latent_tiles.json"
SHOWN = ("rate", "mi", "mi_upper", "mi_cap", "distortion", "codes", "tiles")


def latent() -> dict[str, Any]:
    """The tables of the latent explorer's page. Raises OSError or klcourse.seals.Altered if the stored file is not there.

    >>> sorted(latent()["models"])[0]
    'ELBO, β = 1'
    """
    record = read_sealed(STORED)
    models = {name: {key: model[key] for key in SHOWN} for name, model in record["models"].items()}
    return {key: record[key] for key in ("reach", "step", "side", "labels")} | {"models": models}
