"""The claims: the article's words, where they stand, and what the computed verdict refers to.

No verdict is typed here: `check` computes it; tests/test_ledger.py holds the expected ones.
"""

from __future__ import annotations

from klcourse.ledger import beta_checks as beta
from klcourse.ledger import choice_checks as choice
from klcourse.ledger import constraint_checks as constraint
from klcourse.ledger import games_checks as games
from klcourse.ledger import new_game_checks as new_game
from klcourse.ledger.record import Claim

DISCRETE, GAMES, LEDGER = "tests/exact/test_discrete.py::", "tests/test_games.py::", "tests/test_ledger.py::"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "A0",
        "The ideal solution has KL(q(z|x)||p(z)) = 0 while z and x are dependent.",
        "KL vanishing from a game-theoretic point of view",
        games.a0,
        reading="under the encoder, q(z|x)p_D(x)",
        reason="KL = 0 for every x means q(z|x) = p(z), so z tells nothing about x under q: I_q <= R = 0.",
        notebook="03_kl_vanishing.ipynb#A0",
        test=DISCRETE + "test_identities_1_2_4",
        rescue="the dependence is the decoder's, I of p(z)p(x|z); it then costs the Jensen gap J > 0",
    ),
    Claim(
        "A1",
        "If KL(q(z|x)||p(z)) = 0 and z is independent of x, then ELBO = log p(x) and q(z|x) = p(z|x).",
        "KL vanishing problem; Supplement 1",
        games.a1,
        reading="z is independent of x in the model p(z)p(x|z)",
        reason="Under q, independence follows from KL = 0 already and proves nothing about the decoder.",
        notebook="03_kl_vanishing.ipynb#A1",
        test=LEDGER + "test_collapse_is_optimal_only_if_the_decoder_agrees",
    ),
    Claim(
        "A2",
        "E_p(z)[log p(x|z)] <= log p(x), with equality if and only if x and z are independent.",
        "The VAE's payoff matrix; Supplement 1",
        games.a2,
        reading="independent means: p(x|z) is constant in z for p_D-almost every x",
        reason="Jensen; the gap J averages over p_D and cannot see what p_D never shows.",
        notebook="03_kl_vanishing.ipynb#A2",
        test=DISCRETE + "test_quantities_are_their_definitions",
    ),
    Claim(
        "A3",
        "The VAE's payoffs are log p(x), log p(x) - KL(q(z)||p(z)); E_p(z)[log p(x|z)], ELBO.",
        "The VAE's payoff matrix; Supplement 2",
        games.a3,
        reading="A's decoder without z is its own marginal p(x) and q becomes x-free in the cell (independent, q != p)",
        reason="log p(x) is the model's own and differs between the rows; an unchanged encoder pays R, not M.",
        notebook="04_payoff_matrices.ipynb#A3",
        test=GAMES + "test_vae_matrix_cells_are_the_models",
    ),
    Claim(
        "A4",
        "(z independent of x, q(z|x) = p(z)) is a Nash equilibrium of the VAE's game.",
        "The VAE's payoff matrix",
        games.a4,
        reading="A's decoder without z is its own marginal or the best one",
        reason="Each slice p(.|z) is itself a decoder without z, so none beats the best; a strict "
        "equilibrium of single moves, yet a saddle of joint ones where Lambda > beta sigma2.",
        notebook="04_payoff_matrices.ipynb#A4",
        test=GAMES + "test_vae_matrix_letter_and_readings",
    ),
    Claim(
        "A5",
        "So the Nash equilibrium is (z independent of x, q(z|x) = p(z)), and at this point the so-called KL vanishing "
        "problem arises.",
        "The VAE's payoff matrix",
        games.a5,
        reading="a statement about where training ends, given that (independent, q = p) is a Nash equilibrium",
        reason="A coordination game: (dependent, q != p) is an equilibrium too when z pays, and joint "
        "gradient steps leave the collapsed one.",
        notebook="04_payoff_matrices.ipynb#A5",
        test=GAMES + "test_coordination_both_ways",
        rescue="at that point KL = 0, by its definition; training of the linear model gets there iff "
        "Lambda <= beta sigma2; the informative cell is payoff-dominant iff ELBO > L0",
    ),
    Claim(
        "A6",
        "For SLVAE f(00) = f(10), so condition (1) fails.",
        "SLVAE's payoff matrix, condition (1)",
        games.a6,
        reading="the same g is used in both cells",
        reason="With q = p the penalty depends on g alone; the SLCVAE paper trains g through the decoder, "
        "so the two cells have different g and (1) is open.",
        notebook="05_self_labelling.ipynb#A6",
        test=GAMES + "test_slvae_matrix_and_conditions_1_2",
    ),
    Claim(
        "A7",
        "SLVAE's Nash equilibrium is still (z independent of x, q(z|x) = p(z)): the method cannot completely avoid "
        "(并不能完全避免) that the model converges to it.",
        "SLVAE's payoff matrix",
        games.a7,
        reading="the loss as the article writes it, g trained jointly",
        reason="Against a decoder without z, B's best reply is the tilted prior p(z)exp(-lam ||z - g||^2): "
        "the KL does not vanish.",
        notebook="05_self_labelling.ipynb#A7",
        test=DISCRETE + "test_self_labelling_encoder",
        rescue="read 'the information vanishes': with joint g, I_q = 0 at the equilibrium, so 'cannot completely avoid' is "
        "true of it (not so for the paper's g)",
    ),
    Claim(
        "A8",
        "The constraint keeps the problem equivalent to min KL(q(z|x)||p(z|x)).",
        "A new objective function",
        constraint.a8,
        reading="the decoder is fixed: the encoder's step",
        reason="log p(x) is no constant in the decoder's parameters: minimising KL(q||p(z|x)) alone fits no data.",
        notebook="06_rate_is_not_information.ipynb#A8",
        test=DISCRETE + "test_identities_1_2_4",
        rescue="-ELBO is KL(p_D q || p(z)p(x|z)) + H(p_D), to be minimised under the constraint",
    ),
    Claim(
        "A9",
        "I(x, z) = KL(q(x, z)||p(x)p(z)) = E_p(x) KL(q(z|x)||p(z)).",
        "A new objective function, before eq. (4)",
        constraint.a9,
        reading="the encoder's q(x, z) = p(x)q(z|x); the article names no condition",
        reason="The second equal sign is an identity. The first is the error: the product of the encoder's marginals is "
        "p(x)q(z), so R = I_q + M, equal iff q(z) = p(z); one posterior for every x has R = c and I_q = 0.",
        notebook="06_rate_is_not_information.ipynb#A9",
        test=LEDGER + "test_a9_both_equal_signs",
        rescue="define I(x, z) as that KL: then both signs hold, the constraint is one on the rate, and 'dependent' is the "
        "wrong word for what it buys",
    ),
    Claim(
        "A10",
        "min max_lam KL + lam (c - I) is approximately KL + lam max(c - I, 0).",
        "A new objective function",
        constraint.a10,
        reading="lam >= lam*(c) = (beta - s(c))+",
        reason="A fixed weight is an exact penalty, not a Lagrangian: below lam*(c) the minimum misses the constraint.",
        notebook="07_the_constraint.ipynb#A10",
        test=DISCRETE + "test_hinge_is_exact_from_lam_star_on",
    ),
    Claim(
        "A11",
        "In training let E_p(x) KL(q(z|x)||p(z)) ≈ the mini-batch mean, and switch between the gradients of (3) and (4) "
        "by it.",
        "The algorithm",
        constraint.a11,
        reading="the objective is the expected hinge of the batch mean",
        reason="Batches blur the kink: training settles at R = c - tau Phi^-1(lam*/lam), not at c.",
        notebook="07_the_constraint.ipynb#A11",
        test=LEDGER + "test_batch_switch",
    ),
    Claim(
        "A12",
        "Under (5) and (6) the Nash equilibrium is (I >= c, q(z|x) = p(z)).",
        "The algorithm analysed, conditions (5), (6)",
        new_game.a12,
        reading="(5) and (6) hold",
        reason="The cell is empty for I under q; for the decoder's I, B leaves it for any encoder better "
        "than the prior (G < J), a condition the article drops.",
        notebook="08_the_new_game.ipynb#A12",
        test=GAMES + "test_constraint_matrix_letter",
        rescue="read B's column as q(z) = p(z): the constrained optimum of the linear model is a pair of "
        "best replies with M = 0",
    ),
    Claim(
        "A13",
        "β-VAE lowers the mutual information I(x, z).",
        "Comparison with β-VAE",
        beta.a13,
        reading="q(z) = p(z) throughout",
        reason="A larger beta lowers the rate R; I_q = R - M may rise while M falls.",
        notebook="10_beta_vae.ipynb#A13",
        test=DISCRETE + "test_a13_beta_lowers_the_rate_and_raises_the_information",
    ),
    Claim(
        "A14",
        "With β > 1 added, the same conditions (5), (6) give the equilibrium with I >= c.",
        "Comparison with β-VAE",
        beta.a14,
        reading="(5) and (6) hold",
        reason="They do not mention beta; with lam < beta - s(c) the optimum has R < c and is that of beta - lam.",
        notebook="10_beta_vae.ipynb#A14",
        test=LEDGER + "test_beta_minus_lam",
        rescue="ask for lam >= beta - s(c)",
    ),
    Claim(
        "A15a",
        "(5) and (6) can be met: reasonable values of lam and c are enough.",
        "The algorithm analysed, conditions (5), (6)",
        choice.a15a,
        reading="J is finite: no z of the prior rules an x of the data out",
        reason="(6) holds by the definition of its row, (5) for every lam > J/c; the better the decoder listens, "
        "the larger J.",
        notebook="07_the_constraint.ipynb#A15a",
        test=LEDGER + "test_conditions_can_be_met_unless_j_is_infinite",
    ),
    Claim(
        "A15b",
        "And where (5) and (6) are met the constraint does its work.",
        "The algorithm analysed, conditions (5), (6)",
        choice.a15b,
        reading="(5) and (6) hold",
        reason="They do not contain the slope s(c): below lam*(c) = beta - s(c) the rate is not held. Above beta rate "
        "without information is rewarded; where the model fits and beta = 1, (5) asks for lam > 1.",
        notebook="07_the_constraint.ipynb#A15b",
        test=LEDGER + "test_reasonable_values",
        rescue="ask for lam*(c) <= lam <= beta instead",
    ),
    Claim(
        "A16",
        "The largest payoff of the cell (I < c, q(z|x) = p(z)) is -lam c, at I = 0.",
        "The algorithm analysed, and Supplement 3",
        new_game.a16,
        reading="always",
        reason="The payoff is -J - lam c, and J >= 0 with equality iff p(x|z) is constant in z for p_D-almost every x.",
        notebook="08_the_new_game.ipynb#A16",
        test=LEDGER + "test_independent_payoff",
    ),
    Claim(
        "A17",
        "Objectives that change the ELBO are neither fish nor fowl (四不像), no longer equivalent to the original one; with "
        "the constraint instead, the solution is guaranteed to be equivalent to the original problem's.",
        "A new method",
        choice.a17,
        reading="the penalised objective at any lam >= 0, c > 0",
        reason="Below c the penalised objective is a changed ELBO too: D + (beta - lam) R + lam c.",
        notebook="07_the_constraint.ipynb#A17",
        test=LEDGER + "test_below_c_the_hinge_is_a_changed_elbo",
        rescue="for lam >= lam*(c) its minimum is that of -ELBO under R >= c",
    ),
    Claim(
        "A18",
        "The method adjusts the penalty on KL(q(z|x)||p(z)) dynamically and so avoids lowering I(x, z).",
        "Comparison with β-VAE",
        choice.a18,
        reading="q(z) = p(z) throughout (for the rate: always)",
        reason="It never lowers R; what comes out is a plain VAE with one weight t in [beta - lam, beta], which nobody has "
        "to know. Where M > 0 more rate may mean less I_q.",
        notebook="07_the_constraint.ipynb#A18",
        test=LEDGER + "test_the_penalty_is_a_weight_in_disguise",
    ),
    Claim(
        "A19",
        "β-VAE can learn disentangled latents, of small correlation, but lowers I(x, z), and so the reconstruction suffers.",
        "Comparison with β-VAE",
        beta.a19,
        reading="can means: for beta large enough, TC <= M <= R <= [D(0) - D]/beta",
        reason="D never falls with beta, by the definition of an optimum, whatever I_q does. TC may rise on the way where "
        "the decoder's directions overlap.",
        notebook="10_beta_vae.ipynb#A19",
        test=LEDGER + "test_total_correlation_against_beta",
    ),
    Claim(
        "A20",
        "With β > 1 added to the constrained objective a good disentangled representation can be learned as well.",
        "Comparison with β-VAE, last sentence",
        beta.a20,
        reading="the constraint is held, and β is to do the disentangling",
        reason="Held at c the optimum is the plain VAE of weight s(c), whatever beta: the larger beta is undone.",
        notebook="10_beta_vae.ipynb#A20",
        test=LEDGER + "test_held_at_c_beta_changes_nothing",
        rescue="it is as disentangled as the plain β-VAE with the same rate, no more and no less",
    ),
)
