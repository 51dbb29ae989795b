"""Training, one mini-batch at a time.

    trainer = Trainer(model, ELBO(), x)
    trainer.fit(epochs=3)                  # progress bar; Ctrl-C stops after the current step and loses nothing
    trainer.objective = RateHinge(lam=1, c=5)
    trainer.objective.lam = 2              # live: the next step uses it
    trainer.step()

All randomness of step t (order of the data, noise of z, dropout) is a function of the seed and t alone. So there is no
generator state to save, and a run that is cut off and resumed is the same, bit for bit, as one that was not.

`trainer` has the loop, `stacked` one for many small models at once, `order` the mini-batches and random streams, `stopping`
when to slow down and stop, `checkpoint` what a file keeps.
"""

from .checkpoint import CheckpointError
from .order import ENCODER, HELPER_ORDER, NOISE, ORDER, Batches, seeded
from .stacked import Stack
from .stopping import Plateau
from .trainer import MEASURED, STEP_MEANS, Trainer, TrainingDiverged

__all__ = [
    "ENCODER",
    "HELPER_ORDER",
    "MEASURED",
    "NOISE",
    "ORDER",
    "STEP_MEANS",
    "Batches",
    "CheckpointError",
    "Plateau",
    "Stack",
    "Trainer",
    "TrainingDiverged",
    "seeded",
]
