"""The article's argument as games: two players, a table of payoffs, and who wants to leave which cell.

`Game` holds a table and solves it; the constructors build the article's four matrices and measured ones; the
conditions (1), (2), (5), (6) come back with their numbers. Nothing here needs torch; nashpy is imported when
used.
"""

from klcourse.games.conditions import (
    Condition,
    collapse_is_equilibrium,
    condition_1,
    condition_2,
    condition_5,
    condition_6,
    corrected_5,
    corrected_6,
    informative_is_equilibrium,
    target_keeps_encoder,
)
from klcourse.games.game import Game
from klcourse.games.learning import mixed_equilibria, replicator, reply_path
from klcourse.games.matrices import (
    Quantities,
    constrained_game,
    measured_game,
    profile_game,
    self_labelling_f,
    slvae_game,
    vae_game,
)
from klcourse.games.render import describe, formulas, to_html
from klcourse.games.table import Equilibrium, PayoffTable

__all__ = [
    "Condition",
    "Equilibrium",
    "Game",
    "PayoffTable",
    "Quantities",
    "collapse_is_equilibrium",
    "condition_1",
    "condition_2",
    "condition_5",
    "condition_6",
    "constrained_game",
    "corrected_5",
    "corrected_6",
    "describe",
    "formulas",
    "informative_is_equilibrium",
    "measured_game",
    "mixed_equilibria",
    "profile_game",
    "replicator",
    "reply_path",
    "self_labelling_f",
    "slvae_game",
    "target_keeps_encoder",
    "to_html",
    "vae_game",
]
