"""Models small enough to be solved exactly (NumPy and SciPy only, nothing here is trained).

linear_gaussian   the linear-Gaussian VAE in one dimension: every quantity in closed form, optima, best replies
ppca              the same in n dimensions with d latents (probabilistic PCA): the rate-distortion curve
regimes           when the constraint R >= c holds: four regimes, four thresholds of lam
selflabel         SLVAE's objective: the tilted prior, and the linear model with jointly trained labels
dynamics          gradient descent on the linear-Gaussian VAE: growth rates, the lazy point, dual ascent, duty cycle
discrete          tables: x in K symbols, z in L codes, everything by enumeration
discrete_optima   the best encoders for such a table, with a penalty or without, and its rate-distortion curve
equilibria        the linear-Gaussian game with a hinge on R or on I_q: all its equilibria, by formula and by search
channels          the same with several latents: which directions are open, and what a diagonal encoder adds
table_games       the same on tables: equilibria named by theorems, and who gains by leaving them
threshold         s(0), the weight of the rate from which collapse is stable, before anything is trained

Import the module you need, e.g. ``from klcourse.exact.ppca import PPCA``.
"""
