"""What all objectives share, and the list of them all.

A class becomes known when it is defined. That is all it takes to add a method, here or in a file or notebook of your own:

    @dataclass
    class Squared(Objective, name="squared"):
        \"\"\"Minimise D + omega R^2.\"\"\"

        title, formula, paper = "squared rate", "D + ω R²", "nobody's"
        omega: float = knob(0.1, "weight ω of the squared rate", symbol="ω")

        def __call__(self, t: Terms) -> Tensor:
            return t.rec.mean() + self.omega * t.kl.mean() ** 2

Command line, grid files, cockpit, tables and tests take it from there.
"""

from __future__ import annotations

import difflib
import importlib
import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import Field, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from .knobs import SHARED, Knob, Value, knobs_of, memory_of
from .terms import Sizes, Terms

if TYPE_CHECKING:
    from torch import Tensor, nn


class Objective:
    """What all objectives share. A subclass is a dataclass whose fields are its knobs, and says how a batch becomes a loss.

    About itself it says: `title`, a name for people; `formula`, what it minimises, and `tex`, the same in LaTeX; `paper`;
    `published`, that paper's knobs where they are not the defaults, and `deviation`, how it differs from there even so;
    `constrains`, what is held at the target c ("rate", "information" or nothing); in the class statement `name`, that of
    the command line (by default the class's own in lower case), and `aliases`, older names, the oldest first.

    Where it needs to, it overrides: penalty_on, after_step, settles, validation_loss, state, check_batch_size, check_sizes,
    build_helper, helper_alternates, helper_loss, rate_weight, reading. Numbers that training moves and that are no knobs are
    fields with `memory()`. Values of knobs are checked whenever they are set, because live controls change them while a run
    trains.

    >>> import torch
    >>> from dataclasses import dataclass
    >>> from klcourse.objectives import knob
    >>> @dataclass
    ... class Half(Objective, name="half-a-rate"):
    ...     share: float = knob(0.5, "share of the rate that is charged", high=1.0)
    ...
    ...     def __call__(self, t):
    ...         return t.rec.mean() + self.share * t.kl.mean()
    >>> Half()(Terms(rec=torch.tensor([80.0]), kl=torch.tensor([4.0])))
    tensor(82.)
    >>> make_objective("half-a-rate", share=0.25)
    Half(share=0.25)
    >>> _ = OBJECTIVES.pop("half-a-rate")      # off the list again
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    tex: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    published: ClassVar[dict[str, Value]] = {}
    deviation: ClassVar[str] = ""
    constrains: ClassVar[Literal["rate", "information"] | None] = None

    def __init_subclass__(cls, *, name: str | None = None, aliases: tuple[str, ...] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.name = name or vars(cls).get("name") or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        cls.aliases = aliases
        if "title" not in vars(cls):
            cls.title = cls.name
        register(cls)

    def __new__(cls, *args: Any, **knobs: Any) -> Self:
        if cls is Objective:
            raise TypeError("Objective is abstract: use make_objective(name), or write a class of your own")
        if not is_dataclass(cls) or any(isinstance(value, Field) for value in vars(cls).values()):
            raise TypeError(f"write @dataclass above `class {cls.__name__}`: it makes the knobs out of its fields")
        return super().__new__(cls)

    def __call__(self, t: Terms) -> Tensor:
        """The loss of a mini-batch, a scalar in nats: sums over dimensions, means over examples."""
        raise NotImplementedError(f"objective {self.name} has no __call__(self, t): it says how a batch becomes a loss")

    @classmethod
    def as_published(cls, **knobs: Value) -> Self:
        """With the knobs of its paper; those given here take precedence.

        >>> find_objective("capacity").as_published(c=10)
        Capacity(lam=1000.0, c=10, rise=1.0)
        """
        return cls(**(cls.published | knobs))

    # ----------------------------------------------------------------------------------------------- the penalty

    def penalty_on(self, t: Terms) -> float:
        """How much of the penalty acts on this batch: 0 or 1 for a hinge, a share for a hinge a latent; else 0."""
        return 0.0

    @property
    def target(self) -> float:
        """The target c of what is constrained, nats; nan without one."""
        return getattr(self, "c", math.nan) if self.constrains else math.nan

    @property
    def has_branches(self) -> bool:
        """Whether `penalty_on` says something: the loss has a branch with its penalty and one without."""
        return type(self).penalty_on is not Objective.penalty_on

    @property
    def penalty_weight(self) -> float:
        """lam, where there is one; else nan."""
        return getattr(self, "lam", math.nan)

    weight_formula: ClassVar[str] = ""  # of `rate_weight`, for people

    def rate_weight(self, duty: float) -> float:
        """The mean weight of R in the loss when a share `duty` of the mini-batches is on the penalty branch; nan: not known.

        Where training has settled this is the slope s(R) of the rate-distortion curve: so a duty cycle measures it.
        """
        return math.nan

    def reading(self, duty: float) -> str:
        """What the last mini-batches, a share `duty` of them on the penalty branch, say about the constraint, in words."""
        if self.constrains is None:
            return f"{self.title} has no constraint"
        if self.has_branches and duty == 0:
            return "duty 0: the constraint is inactive"
        weight = self.rate_weight(duty)
        known = f"{self.weight_formula and self.weight_formula + ' = '}{signed(weight)}" if math.isfinite(weight) else ""
        if duty == 1:
            return f"duty 1: on at every step{known and ', β_eff = ' + known}"
        pull = f", λ·duty = {self.penalty_weight * duty:.2f}" if math.isfinite(self.penalty_weight) else ""
        return f"duty {duty:.2f}{pull}{known and ', slope ≈ ' + known}"

    # ----------------------------------------------------------------------------------------------- training

    def after_step(self, t: Terms) -> None:
        """Called once after the training step on t; here an objective may move its own knobs."""

    def settles(self, epochs: float) -> float:
        """The epoch after which no schedule changes the loss any more, of `epochs` planned: validation counts from it on."""
        return 0.0

    def validation_loss(self, t: Terms) -> Tensor:
        """What is compared between epochs on the validation part: the loss itself, with t.epoch = infinity for schedules.

        An objective whose knobs move while it trains says something here that does not move with them.
        """
        return self(t)

    def state(self) -> dict[str, float]:
        """The knobs that training itself moves, and its memory, with their values: what a checkpoint must keep."""
        return {name: getattr(self, name) for name in memory_of(type(self))}

    def check_batch_size(self, size: int) -> None:
        """Raise ValueError if the objective cannot do its work with full mini-batches of `size` examples."""

    def check_sizes(self, sizes: Sizes) -> None:
        """Raise ValueError if the objective makes no sense for a model of these sizes (vocab_size 0: of images)."""

    def build_helper(self, sizes: Sizes) -> nn.Module | None:
        """A network the objective needs beside the model, trained with it: `Terms.helper` in the loss. None: needs none."""
        return None

    @property
    def needs_helper(self) -> bool:
        """Whether there is such a network."""
        return type(self).build_helper is not Objective.build_helper

    @property
    def helper_alternates(self) -> bool:
        """Whether that network learns from `helper_loss` and not from the objective itself."""
        return False

    def helper_loss(self, x: Tensor, log_px: Callable[[Tensor], Tensor], helper: Callable[..., Tensor]) -> Tensor:
        """What the helper minimises on a mini-batch x of its own, if it alternates; log_px(z) is the decoder's, frozen."""
        raise NotImplementedError(f"the helper of objective {self.name} alternates: write its helper_loss")

    # ----------------------------------------------------------------------------------------------- knobs

    def __setattr__(self, field: str, value: Any) -> None:
        known = knobs_of(type(self))
        if field in memory_of(type(self)):
            super().__setattr__(field, float(value))
            return
        if field not in known:
            names = ", ".join(known) or "none"
            raise AttributeError(f"objective {self.name} has no knob {field!r}; it has: {names}")
        super().__setattr__(field, known[field].check(field, value, f"of objective {self.name}"))


def signed(value: float) -> str:
    """A number with two digits and a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


# ------------------------------------------------------------------------------------------------------- the list

OBJECTIVES: dict[str, type[Objective]] = {}
"""Every objective by its name on the command line, in the order of definition."""


def register(cls: type[Objective]) -> None:
    """Put a class on the list. ValueError if another one has the name, unless that is the same class defined again."""
    for name in (cls.name, *cls.aliases):
        other = OBJECTIVES.get(canonical(name))
        if other and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            where = f"{other.__module__}.{other.__qualname__}"
            raise ValueError(f"the name {name!r} of objective {cls.__qualname__} is taken by {where}: choose another")
    OBJECTIVES[cls.name] = cls


def canonical(name: str) -> str:
    """Today's name of an objective, for one that had another name once; any other name as it is.

    >>> canonical("mi"), canonical("mi-hinge"), canonical("elbo")
    ('rate-hinge', 'info-hinge', 'elbo')
    """
    return next((cls.name for cls in OBJECTIVES.values() if name in cls.aliases), name)


def first_name(name: str) -> str:
    """The oldest name of an objective: the one that stored runs have in their keys.

    >>> first_name("rate-hinge"), first_name("elbo")
    ('mi', 'elbo')
    """
    cls = OBJECTIVES.get(canonical(name))
    return cls.aliases[0] if cls and cls.aliases else name


def find_objective(name: str) -> type[Objective]:
    """The class of that name: on the list, or by its dotted name ("my_module.Mine") in a module that can be imported.

    Modules are looked for where Python does, then in the current folder. ValueError with the nearest known name.

    >>> find_objective("rate-hing")
    Traceback (most recent call last):
    ...
    ValueError: unknown objective 'rate-hing'. Did you mean 'rate-hinge'?
    """
    if (known := canonical(name)) in OBJECTIVES:
        return OBJECTIVES[known]
    module, _, attribute = name.rpartition(".")
    if module:
        try:
            found = getattr(import_from_here(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"cannot load objective {name!r}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, Objective)):
            raise ValueError(f"{name} is no objective: write `class {attribute}(Objective)`")
        return found
    names = [*OBJECTIVES, *(alias for cls in OBJECTIVES.values() for alias in cls.aliases)]
    meant = {re.sub(r"[\W_]", "", word.lower()): cls.name for cls in OBJECTIVES.values() for word in words_for(cls)}
    plain = re.sub(r"[\W_]", "", name.lower())
    close = [meant[plain]] if plain in meant else difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}?" if close else f"Choose one of {', '.join(OBJECTIVES)}, or a dotted name"
    raise ValueError(f"unknown objective {name!r}. {hint}")


def words_for(cls: type[Objective]) -> tuple[str, ...]:
    """What people may call an objective by: its names, its class, its title."""
    return (cls.name, *cls.aliases, cls.__name__, cls.title)


def import_from_here(module: str) -> Any:
    """Import a module; one that Python does not find may also lie in the current folder."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        here = os.getcwd()
        if here in sys.path:
            raise
        sys.path.append(here)
        try:
            return importlib.import_module(module)
        finally:
            sys.path.remove(here)


def make_objective(name: str, **knobs: Value) -> Objective:
    """The objective of that name with those knobs; a knob it does not have is an error, never silently ignored.

    >>> make_objective("rate-hinge", lam=1, c=5)
    RateHinge(lam=1, c=5, beta=1.0)
    >>> make_objective("elbo", warmup=1)
    Traceback (most recent call last):
    ...
    ValueError: objective elbo does not use warmup; objectives that do: anneal, ...
    """
    cls = find_objective(name)
    for given in knobs:
        if given not in knobs_of(cls):
            users = [n for n, other in OBJECTIVES.items() if given in knobs_of(other)]
            raise ValueError(f"objective {cls.name} does not use {given}; objectives that do: {', '.join(users) or 'none'}")
    if missing := [label for label, what in knobs_of(cls).items() if what.default is None and label not in knobs]:
        raise ValueError(f"objective {cls.name} has no default for {missing[0]}: give a value")
    return cls(**knobs)


def all_knobs() -> dict[str, dict[str, Knob]]:
    """Every knob of every objective on the list: knob -> {objective: what it is there}.

    First lam, c and beta, which mean the same to all that have them, then others in the order of definition, hidden last.
    """
    found: dict[str, dict[str, Knob]] = {name: {} for name in SHARED}
    for shown in True, False:
        for name, cls in OBJECTIVES.items():
            for label, what in knobs_of(cls).items():
                if what.shown == shown:
                    found.setdefault(label, {})[name] = what
    return {label: users for label, users in found.items() if users}
