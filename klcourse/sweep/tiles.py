"""What four decoders with two latents draw, for the latent explorer of the site, which needs neither PyTorch nor a kernel.

    python -m klcourse.sweep.tiles --out notebooks/results/latent_tiles.json

trains them on the embedded digits (seed 0, a few minutes on one core) and stores, for each, the mean images E[x|z] on a
square grid of codes as one picture, posterior means of some test digits, and the usual measures of the whole test part.
"""

from __future__ import annotations

import argparse
import base64
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.image import imsave

from klcourse.measure import posteriors
from klcourse.models import SIDE
from klcourse.runs import Run, test_tensors, train
from klcourse.studies.read import seal
from klcourse.system import print_anything
from klcourse.version import __version__

REACH, STEP = 3.0, 0.3  # the grid of codes: from -REACH to REACH on both latents
SHOWN = 400  # test digits whose posterior means are stored
MEASURES = ("rate", "mi", "mi_upper", "mi_cap", "distortion", "active_units")
COMMON: dict[str, Any] = {"data": "mnist", "decoder": "mlp", "latent_dim": 2, "epochs": 60, "patience": 3, "halvings": 3}
MODELS: dict[str, dict[str, Any]] = {
    "ELBO, β = 1": {"objective": "elbo"},
    "β = 10": {"objective": "beta", "beta": 10.0},
    "β = 40, collapsed": {"objective": "beta", "beta": 40.0},
    "hinge R ≥ 15 with λ = 4": {"objective": "rate-hinge", "lam": 4.0, "c": 15.0},
}


def grid() -> np.ndarray:
    """The codes (n², 2), row by row as they lie in the picture: latent 2 falls from top to bottom.

    >>> grid()[0], grid()[-1]
    (array([-3.,  3.]), array([ 3., -3.]))
    """
    ticks = np.linspace(-REACH, REACH, round(2 * REACH / STEP) + 1)
    across, up = np.meshgrid(ticks, ticks[::-1])
    return np.stack([across.ravel(), up.ravel()], 1)


def one_picture(images: np.ndarray) -> str:
    """Grey images (n², 784) with values in [0, 1], in rows, as one PNG file in base64; ink is black."""
    side = round(len(images) ** 0.5)
    tiles = images.reshape(side, side, SIDE, SIDE).swapaxes(1, 2).reshape(side * SIDE, side * SIDE)
    file = io.BytesIO()
    # Sixteen greys: nobody sees more in a digit, and the file is a third as large.
    imsave(file, np.round((1 - tiles) * 15) / 15, vmin=0, vmax=1, cmap="gray", format="png", pil_kwargs={"optimize": True})
    return base64.b64encode(file.getvalue()).decode()


def describe(config: Run) -> dict[str, Any]:
    """Train one model and say all that the page shows of it."""
    run = train(config, progress=False)
    x, _ = test_tensors(run.data, config, next(run.model.parameters()).device)
    mu, _ = posteriors(run.model, x[:SHOWN])
    codes = torch.as_tensor(grid(), dtype=torch.float32, device=x.device)
    with torch.no_grad():
        images = run.model.mean(codes, None).cpu().numpy()
    return {
        "settings": config.given(),
        "seconds": round(run.seconds, 1),
        **{name: round(float(run.metrics[name]), 4) for name in MEASURES},
        "codes": np.round(mu.cpu().numpy(), 2).tolist(),
        "tiles": one_picture(images),
    }


def main(arguments: list[str] | None = None) -> int:
    """Train the models and write the file."""
    print_anything()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("latent_tiles.json"), help="the file to write")
    parser.add_argument("--epochs", type=int, default=COMMON["epochs"], help="at most so many; fewer is a trial")
    options = parser.parse_args(arguments)
    started, models = time.perf_counter(), {}
    data = Run(**COMMON).load_data()
    for name, knobs in MODELS.items():
        models[name] = describe(Run(**COMMON | {"epochs": options.epochs} | knobs))
        print(name, {key: models[name][key] for key in (*MEASURES, "seconds")}, flush=True)
    record = {
        "about": "mean images of four decoders with two latents on a grid of codes; seed 0, one run each",
        "command": "python -m klcourse.sweep.tiles --out notebooks/results/latent_tiles.json",
        "versions": {"klcourse": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "data": data.fingerprint,
        "seconds": round(time.perf_counter() - started, 1),
        "reach": REACH,
        "step": STEP,
        "side": SIDE,
        "labels": data.test_labels[:SHOWN].tolist(),
        "models": models,
    }
    seal(options.out.stem, record, options.out.parent)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
