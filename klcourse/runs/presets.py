"""Settings that belong together, by one name: what a careful run of these data takes, or what a published number is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .config import Run, RunError


@dataclass(frozen=True)
class Preset:
    """A named group of settings: `settings` by data set ("text files" for a path), and what they are for."""

    help: str
    settings: dict[str, dict[str, Any]]


_JUDGED = {"iw_samples": 512, "iw_prior": 0.5, "iw_tolerance": 0.1}
# Embedding 256, one LSTM layer each, dropout .5 on embedded words and outputs, Adam, halved on a plateau: as language models
# of this size are trained in the literature (Kim et al. 2018, He et al. 2019), with Adam where they have SGD.
_TEXT = {
    "hidden": 256, "embedding": 256, "latent_dim": 32, "dropout": 0.5, "batch_size": 64, "lr": 0.002,
    "epochs": 60, "patience": 2, "halvings": 4,
}  # fmt: skip
_DIGITS = {"epochs": 300, "patience": 10, "halvings": 3}
# Burda et al. 2016: two tanh layers of 200, 50 latents, pixels drawn afresh at every step.
_BURDA = {"decoder": "mlp", "hidden": 200, "latent_dim": 50, "binarisation": "dynamic", "batch_size": 100, "lr": 0.001}

PRESETS = {
    "converged": Preset(
        "regularised and trained until the validation loss stops falling, measured until the likelihood is tight",
        {
            "text": _TEXT | _JUDGED,
            "ptb": _TEXT | _JUDGED,
            "grammar": _TEXT | _JUDGED | {"hidden": 128, "embedding": 128},
            "text files": _TEXT | _JUDGED,
            "mnist": _DIGITS | _JUDGED,
            "mnist-full": _DIGITS | _JUDGED,
        },
    ),
    "published": Preset(
        "the size of published numbers: Burda et al. 2016 for MNIST, Kim et al. 2018 for Penn Treebank's kind of model",
        {
            "mnist-full": _BURDA | {"epochs": 3000, "patience": 60, "halvings": 4, "iw_samples": 5000},
            "ptb": _TEXT | _JUDGED | {"hidden": 512, "lr": 0.001},
        },
    ),
}


def with_preset(name: str, **given: Any) -> Run:
    """A run with a preset's settings; what is given beside it takes precedence. Raises RunError where it does not fit.

    >>> run = with_preset("converged", data="text", objective="rate-hinge", lam=1, c=5, dropout=0.3)
    >>> run.hidden, run.patience, run.dropout, run.iw_samples
    (256, 2, 0.3, 512)
    >>> with_preset("published", data="grammar")
    Traceback (most recent call last):
    ...
    klcourse.runs.config.RunError: preset published does not fit data = 'grammar': it is for mnist-full, ptb
    """
    if name not in PRESETS:
        raise RunError(f"unknown preset {name!r}: choose {' or '.join(PRESETS)}")
    data, known = given.get("data", "mnist"), PRESETS[name].settings
    kind = data if data in known or data in ALL else "text files"
    if kind not in known:
        raise RunError(f"preset {name} does not fit data = {data!r}: it is for {', '.join(known)}")
    chosen = known[kind] | given
    if chosen.get("iw_samples") == 0:  # no likelihood, so nothing about how to find it
        chosen = {name: value for name, value in chosen.items() if name in given or not name.startswith("iw_")}
    if chosen.get("patience") is None:
        chosen = {name: value for name, value in chosen.items() if name in given or name != "halvings"}
    return Run(**chosen)


ALL = {data for preset in PRESETS.values() for data in preset.settings} - {"text files"}


def to_text() -> str:
    """All presets with their settings, for `--help`."""
    lines = []
    for name, preset in PRESETS.items():
        lines.append(f"{name}: {preset.help}")
        groups: dict[str, list[str]] = {}
        for data, settings in preset.settings.items():
            groups.setdefault(" ".join(f"{k}={v}" for k, v in settings.items()), []).append(data)
        lines += [f"  {', '.join(data)}: {settings}" for settings, data in groups.items()]
    return "\n".join(lines)
