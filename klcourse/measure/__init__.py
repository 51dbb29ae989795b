"""What a trained VAE is measured by: rate, distortion, information, likelihood, and whether the decoder listens to z.

All are in nats per example, sums over dimensions and means over examples. Work is done in chunks, so that memory does not
grow with the number of examples squared; every random number comes from a generator that the caller may pass.

`information` has R, I_q with its bounds, total correlation, active units; `likelihood` importance weighting and
perplexity; `use` the shuffle gap and the prior gap; `text` what a conditional text model writes; `report` all of it in one
call, `evaluate`.
"""

from . import text
from .information import (
    MutualInformation,
    active_units,
    mutual_information,
    mutual_information_given,
    rate,
    total_correlation,
)
from .likelihood import Likelihood, importance_weighted, iw_nll, perplexity
from .passes import chunks, log_px, posteriors
from .report import evaluate
from .use import prior_gap, shuffle_gap

__all__ = [
    "Likelihood",
    "MutualInformation",
    "active_units",
    "chunks",
    "evaluate",
    "importance_weighted",
    "iw_nll",
    "log_px",
    "mutual_information",
    "mutual_information_given",
    "perplexity",
    "posteriors",
    "prior_gap",
    "rate",
    "shuffle_gap",
    "text",
    "total_correlation",
]
