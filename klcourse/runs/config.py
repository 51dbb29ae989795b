"""What a run is: the settings that decide its numbers, and the objective with its knobs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from typing import Any

from klcourse.data import Dataset, load
from klcourse.objectives import (
    OBJECTIVES,
    Knob,
    Objective,
    all_knobs,
    canonical,
    find_objective,
    first_name,
    knobs_of,
    make_objective,
)
from klcourse.objectives.knobs import Value
from klcourse.objectives.switches import BN, DELTA, LAGGING, PRETRAIN, SKIP, WORD_DROPOUT


class RunError(Exception):
    """A run cannot start or go on; the message says why and what to do."""


def setting(default: Value | None, help: str, **limits: Any) -> Any:
    """A field of `Run`: its default (None: what fits the data), what it is, and its limits as `Knob` takes them."""
    return field(default=default, metadata={"knob": Knob(default, help, **limits)})


@dataclass(frozen=True, init=False, repr=False)
class Run:
    """Everything that decides a run's numbers, by keywords. None means the default for the data, or an objective's own.

    An objective's knobs stand beside the other settings, `Run(objective="rate-hinge", lam=1, c=5)`, or come with an
    instance, `Run(objective=RateHinge(lam=1, c=5))`; one it does not have is an error. `objective` may be any name on
    the list, an older one, or the dotted name of a class of your own ("my_module.Mine"). Every field says in its
    metadata what it is for; `klcourse run --help` prints that. Raises RunError for a value that makes no sense.

    >>> run = Run(data="text", objective="rate-hinge", lam=1, c=5)
    >>> run, run.lam, run.beta, run.epochs
    (Run(data='text', objective='rate-hinge', lam=1, c=5), 1, None, 10)
    >>> Run(objective="elbo", lam=2)
    Traceback (most recent call last):
    ...
    klcourse.runs.config.RunError: objective elbo does not use lam; objectives that do: rate-hinge, capacity, sl, ...
    """

    data: str = setting("mnist", "mnist, text, grammar, mnist-full, ptb, or a text file, one sentence a line")
    decoder: str | None = setting(None, "mlp (factorised, the default) or ar (PixelCNN) for images, lstm for text")
    objective: str = setting(
        "elbo", "what is minimised: a name that `klcourse methods` lists, or the dotted name of a class"
    )
    knobs: tuple[tuple[str, Value], ...] = field(default=())  # of the objective, those that were given
    epochs: int = setting(10, "passes over the training part (at most, with patience)", above=True)
    patience: int | None = setting(
        None, "epochs without progress on the validation part before the learning rate is halved", above=True
    )
    halvings: int = setting(4, "how often it is halved before patience ends and training stops; the best weights are kept")
    seed: int = setting(0, "decides initial weights, data order and noise", high=2**63 - 1)
    latent_dim: int | None = setting(None, "number of latents d (default: 16 for images, 32 for text)", above=True)
    hidden: int | None = setting(None, "units per layer (default: 200 for images, 256 for text)", above=True)
    batch_size: int | None = setting(None, "examples per mini-batch (default: 50 for images, 100 for text)", above=True)
    embedding: int | None = setting(None, "width of a word's vector, for text (default: half of hidden)", above=True)
    layers: int = setting(1, "LSTM layers, for text", above=True)
    dropout: float = setting(0.0, "share hidden of the text decoder's embedded words and of its outputs", high=0.95)
    lr: float | None = setting(None, "learning rate of Adam (default: 0.002 for images, 0.001 for text)", above=True)
    word_dropout: float = WORD_DROPOUT.field()
    bn_gamma: float | None = BN.field()
    delta: float = DELTA.field()
    encoder_steps: int = LAGGING.field()
    pretrain: int = PRETRAIN.field()
    skip: bool = SKIP.field()
    clip: float | None = setting(
        None, "the gradient is scaled down to this norm (default: 5 for text, 2000 for images)", above=True
    )
    conditional: bool = setting(False, "give the label to encoder and decoder")
    without_z: bool = setting(False, "hide z from the decoder: module A plays 'independent'")
    prior_encoder: bool = setting(False, "fix q(z|x) = p(z): module B plays 'q = p'")
    binarisation: str = setting(
        "static", "static, or dynamic: pixels drawn afresh at every step", choices=("static", "dynamic")
    )
    limit: int | None = setting(None, "only the first LIMIT training, validation and test examples", above=True)
    hold_out: int | None = setting(
        None, "training examples held out for validation (default: one in 8, at most 1000; PTB has its own)"
    )
    mi_every: int | None = setting(
        None, "measure rate and information every so many steps (default: at the end of every epoch)", above=True
    )
    iw_samples: int = setting(64, "samples K of the importance-weighted NLL; 0 leaves it out")
    iw_prior: float = setting(0.0, "share of those samples drawn from the prior; 0.5 is safe for lazy encoders", high=0.99)
    iw_tolerance: float | None = setting(
        None, "double K until the NLL falls by less than so many nats from K/4 to K, such as 0.1", above=True
    )
    generate: int = setting(0, "sentences a conditional text model writes per condition, to be measured; 0 leaves it out")
    device: str = setting("auto", "auto, cpu or cuda")

    def __init__(self, **settings: Any) -> None:
        knobs = dict(settings.pop("knobs", ()))
        objective = settings.pop("objective", "elbo")
        if isinstance(objective, Objective):
            knobs = {name: getattr(objective, name) for name in knobs_of(type(objective))} | knobs
            objective = listed(objective)
        for f in fields(self):
            if f.name not in ("objective", "knobs"):
                object.__setattr__(self, f.name, checked(f.name, settings.pop(f.name, f.default)))
        object.__setattr__(self, "objective", canonical(checked("objective", objective)))
        for name in settings:  # what is left is meant for the objective
            refuse_unknown(name, self.objective)
        given = {name: value for name, value in (knobs | settings).items() if value is not None}
        object.__setattr__(self, "knobs", tuple(given.items()))
        try:
            made = self.make_objective()
        except (ValueError, TypeError) as error:
            raise RunError(str(error)) from None
        if self.iw_prior and self.iw_samples == 1:
            remedy = "choose 2 or more iw_samples, or iw_prior = 0"
            raise RunError(f"iw_samples = 1: one sample cannot come from both encoder and prior: {remedy}")
        if self.patience and self.hold_out == 0:
            remedy = "leave hold_out = 0 out, or patience"
            raise RunError(f"patience = {self.patience} reads the loss on a validation part, and hold_out is 0: {remedy}")
        if self.halvings != Run.halvings and not self.patience:
            raise RunError(
                f"halvings = {self.halvings} ends the patience with a plateau: give patience too, or leave it out"
            )
        if self.mi_every and self.hold_out == 0:
            remedy = "leave hold_out = 0 out, or mi_every"
            raise RunError(f"mi_every = {self.mi_every} measures on the validation part, and hold_out is 0: {remedy}")
        if self.iw_samples == 0 and (self.iw_prior or self.iw_tolerance):
            name = "iw_prior" if self.iw_prior else "iw_tolerance"
            raise RunError(
                f"{name} = {getattr(self, name)} with iw_samples = 0, which leaves the likelihood out: leave it out"
            )
        if self.pretrain >= self.epochs:
            raise RunError(f"pretrain = {self.pretrain} of {self.epochs} epochs leaves none for the model: choose fewer")
        in_order = [name for name in knobs_of(type(made)) if name in given]
        object.__setattr__(self, "knobs", tuple((name, getattr(made, name)) for name in in_order))

    def with_objective(self, objective: Objective | str) -> Run:
        """The same run with another objective: an instance with its knobs, or a name with that one's defaults."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("objective", "knobs")}
        return Run(objective=objective, **kept)

    def load_data(self) -> Dataset:
        """What it trains on. Raises DataError."""
        return load(self.data, limit=self.limit, hold_out=self.hold_out)

    def make_objective(self) -> Objective:
        """The objective with the knobs that were given; ValueError for one that it does not have or a value it refuses."""
        return make_objective(self.objective, **dict(self.knobs))

    def __getattr__(self, name: str) -> Any:
        """A knob of the objective, by its name; None if it was not given."""
        if name.startswith("_") or (name not in dict(self.knobs) and name not in all_knobs()):
            raise AttributeError(f"a run has no setting {name!r}")
        return dict(self.knobs).get(name)

    def __repr__(self) -> str:
        return f"Run({', '.join(f'{name}={value!r}' for name, value in self.given().items())})"

    def as_dict(self) -> dict[str, Any]:
        """All settings, and the knobs that were given, by name: what is stored, and what `Run(**...)` takes."""
        found: dict[str, Any] = {}
        for f in fields(self):
            found |= dict(self.knobs) if f.name == "knobs" else {f.name: getattr(self, f.name)}
        return found

    def given(self) -> dict[str, Any]:
        """The settings that differ from their default, and the knobs that were given."""
        defaults = {f.name: f.default for f in fields(self)}
        return {name: value for name, value in self.as_dict().items() if name not in defaults or value != defaults[name]}

    def identity(self) -> dict[str, Any]:
        """What tells this run from others, for keys: as `given`, whole numbers where numbers are wanted as 1.0, old names.

        Fields at their default do not count, so a new field leaves old keys as they are; an objective goes by its first
        name, so a new name does too.
        """
        kinds = {name: what.kind for name, what in (names() | knobs_of(find_objective(self.objective))).items()}
        found = self.given()
        found |= {name: float(value) for name, value in found.items() if kinds[name] is float}
        if "objective" in found:
            found["objective"] = first_name(self.objective)
        return found


def checked(name: str, value: Any) -> Any:
    """The value of a setting if it makes sense; None where that stands for the default. Raises RunError."""
    what = settings()[name]
    try:
        return None if value is None and what.default is None else what.check(name, value)
    except ValueError as error:
        raise RunError(str(error)) from None


def settings() -> dict[str, Knob]:
    """Every setting of a run by name, but those of its objective: what it is for, its default and limits."""
    return {name: what for name, what in knobs_of(Run).items() if name != "knobs"}


def names() -> dict[str, Knob]:
    """All settings and all knobs of all objectives by name, in the order in which tables have them."""
    found = settings()
    before = list(found)[: list(found).index("objective") + 1]
    knobs = {name: next(iter(users.values())) for name, users in all_knobs().items()}
    return {name: found[name] for name in before} | knobs | found


def refuse_unknown(name: str, objective: str) -> None:
    """Raise RunError for a setting that neither a run nor any objective has, with the nearest name that one has."""
    if name in all_knobs():
        return
    try:
        if name in knobs_of(find_objective(objective)):
            return
    except ValueError:  # said by whoever makes the objective
        return
    close = difflib.get_close_matches(name, names(), n=1, cutoff=0.6)
    raise RunError(f"a run has no setting {name!r}. {f'Did you mean {close[0]!r}?' if close else 'See klcourse run --help'}")


def listed(objective: Objective) -> str:
    """The name under which the class of an instance is found again. Raises RunError if another class has it."""
    cls = type(objective)
    if OBJECTIVES.get(cls.name) is not cls:
        raise RunError(f"{cls.__qualname__} is not the objective {cls.name!r} that is on the list: run its definition again")
    return cls.name
