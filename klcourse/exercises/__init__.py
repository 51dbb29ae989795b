"""What the reader does: exercises with check, hint and solution; predictions; bets; a quiz at the end of each notebook.

    exercise("5.2").check(answer)      right or not, yours beside what was expected; also .hint() and .solution()
    predict("4.1", 3.2)                a guess before an experiment; without a value, a control to set it with
    prediction("4.1")                  the guess, or None
    quiz("1")                          five questions
    bet("A7", "fails as written")      on a claim of the article; score_bets() in notebook 14

Nothing here stops a notebook: an answer that is missing, wrong or breaks gets a sentence. What was done is kept in the
reader's own file (`klcourse exercises` shows it, `--reset` forgets it). One file a notebook holds its exercises.
"""

from .bets import bet, bets, betting_slip, score_bets
from .guesses import compare, predict, prediction
from .quiz import quiz
from .registry import exercise, progress

__all__ = [
    "bet",
    "bets",
    "betting_slip",
    "compare",
    "exercise",
    "predict",
    "prediction",
    "progress",
    "quiz",
    "score_bets",
]
