"""Exercises, predictions and quiz of notebook 02, build a VAE: the five parts of one, each judged by what it does."""

from __future__ import annotations

from .exercise import Exercise, Mistake
from .forms import Options, Range
from .guesses import Guess
from .judges import Build, Code
from .networks import (
    DECODER,
    ENCODER,
    SAMPLE,
    SETUP,
    TERMS,
    TRAIN,
    changed,
    look_at_decoder,
    look_at_encoder,
    look_at_training,
    made,
    sample_cases,
    terms_cases,
)
from .quiz import Quiz

EXERCISES = (
    Exercise(
        id="2.1",
        asks="A network from 784 pixels to mu and logvar, eight numbers each.",
        stub='''class Encoder(nn.Module):
    """Digits x, (B, 784), to the parameters of q(z|x): mu and logvar, (B, d) each."""

    def __init__(self, d=8, hidden=200):
        super().__init__()
        ...  # layers from 784 pixels to 2 d numbers

    def forward(self, x):
        ...  # return mu, logvar''',
        worked=ENCODER,
        judge=Build(
            look_at_encoder,
            {"parts that come back": 2, "shapes are (6, 8)": 1, "mu has both signs": 1, "logvar has both signs": 1},
            takes="a class",
        ),
        mistakes=(
            Mistake(
                changed(ENCODER, "return mu, logvar", "return self.net(x)", "Encoder"),
                "One tensor comes back. Cut its last dimension in two, with .chunk(2, dim=-1), and return both halves.",
            ),
            Mistake(
                changed(ENCODER, "return mu, logvar", "return mu, F.softplus(logvar)", "Encoder"),
                "Your logvar is never negative, so no posterior is narrower than the prior: leave it free.",
            ),
            Mistake(
                changed(ENCODER, "return mu, logvar", "return mu.relu(), logvar", "Encoder"),
                "Your mu is never negative: leave out the activation after the last layer.",
            ),
        ),
        hints=(
            "nn.Linear and nn.Tanh in turn: 784 to hidden, hidden to hidden, hidden to 2 * d; nothing after the last.",
            "In forward: mu, logvar = self.net(x).chunk(2, dim=-1), then return both.",
        ),
        name="Encoder",
        setup=SETUP,
        lends=True,
    ),
    Exercise(
        id="2.2",
        asks="A sample of q(z|x), made from standard normal noise.",
        stub='''def sample(mu, logvar, noise):
    """z ~ N(mu, diag exp(logvar)) from standard normal noise: all of shape (B, d)."""
    ...''',
        worked=SAMPLE,
        judge=Code(made(SAMPLE, "sample"), sample_cases),
        mistakes=(
            Mistake(
                changed(SAMPLE, "(0.5 * logvar).exp()", "logvar.exp()", "sample"),
                "exp(logvar) is the variance. Noise is multiplied by the standard deviation, its square root.",
            ),
            Mistake(
                changed(SAMPLE, "(0.5 * logvar).exp()", "logvar", "sample"),
                "logvar is a logarithm: the standard deviation is exp(logvar / 2).",
            ),
            Mistake(changed(SAMPLE, "mu + ", "", "sample"), "The mean is missing."),
        ),
        hints=(
            "Section 6 of notebook 01: z = mu + sigma times noise.",
            "sigma is the square root of exp(logvar): exp(logvar / 2).",
        ),
        name="sample",
        setup=SETUP,
        lends=True,
    ),
    Exercise(
        id="2.3",
        asks="A network from eight numbers to 784 logits.",
        stub='''class Decoder(nn.Module):
    """Codes z, (B, d), to the logits of p(x|z), (B, 784): sigmoid(logit) is the chance of a black pixel."""

    def __init__(self, d=8, hidden=200):
        super().__init__()
        ...  # layers from d numbers to 784

    def forward(self, z):
        ...  # return the logits''',
        worked=DECODER,
        judge=Build(look_at_decoder, {"logits have both signs": 1, "codes matter": 1}, takes="a class"),
        mistakes=(
            Mistake(
                changed(DECODER, "self.net(z)  #", "self.net(z).sigmoid()  #", "Decoder"),
                "These are probabilities. Return what stands before the sigmoid: the loss takes logits, exact near 0 and 1.",
            ),
            Mistake(
                changed(DECODER, "self.net(z)  #", "self.net(0 * z)  #", "Decoder"),
                "The same comes back for every code: this decoder ignores z.",
            ),
        ),
        hints=(
            "The encoder turned round: d to hidden, hidden to hidden, hidden to 784.",
            "forward returns self.net(z), nothing else: no sigmoid.",
        ),
        name="Decoder",
        setup=SETUP,
        lends=True,
    ),
    Exercise(
        id="2.4",
        asks="The two terms of the loss, per digit: reconstruction and KL, in nats.",
        stub='''def loss_terms(x, mu, logvar, logits):
    """Reconstruction and KL of each digit, in nats: (B,) each."""
    ...  # return rec, kl''',
        worked=TERMS,
        judge=Code(made(TERMS, "loss_terms"), terms_cases),
        mistakes=(
            Mistake(
                changed(TERMS, '"none").sum(-1)', '"none").mean(-1)', "loss_terms"),
                "The reconstruction is a mean over the pixels: sum them. (Section 10 shows what this mistake does.)",
            ),
            Mistake(
                changed(TERMS, "kl = 0.5 * ", "kl = ", "loss_terms"),
                "The KL is twice too large: the formula begins with a half.",
            ),
            Mistake(
                changed(TERMS, "kl = 0.5", "kl = -0.5", "loss_terms"),
                "The KL has the wrong sign: it is never negative.",
            ),
            Mistake(
                changed(TERMS, "rec = ", "rec = -", "loss_terms"),
                "The reconstruction has the wrong sign: it is minus the log-likelihood, a positive number of nats.",
            ),
            Mistake(
                changed(TERMS, "logvar).sum(-1)", "logvar).mean(-1)", "loss_terms"),
                "The KL is a mean over the latent dimensions: sum them.",
            ),
        ),
        hints=(
            'F.binary_cross_entropy_with_logits(logits, x, reduction="none") gives a number a pixel: sum them.',
            "kl: half the sum, over the last dimension, of mu² + exp(logvar) − 1 − logvar.",
        ),
        name="loss_terms",
        setup=SETUP,
        lends=True,
    ),
    Exercise(
        id="2.5",
        asks="The training loop: batches of 100, Adam with the step size 0.001, both networks.",
        stub='''def train(encoder, decoder, x, epochs, terms, seed=0):
    """Train both networks on digits x, (N, 784); D and R of every batch."""
    generator = torch.Generator().manual_seed(seed)  # all chance: batches and noise
    history = []  # a pair (D, R) for every batch, in nats per digit
    ...  # an optimiser; then for each epoch and each batch: codes, terms, one step, a note in history
    return history''',
        worked=TRAIN,
        judge=Build(
            look_at_training,
            {
                "steps in 10 epochs of 250 digits": 30,
                "encoder learns": 1,
                "decoder learns": 1,
                "loss falls": 1,
                "gradients of earlier batches are added": 0,
            },
            takes="a function",
        ),
        mistakes=(
            Mistake(
                changed(TRAIN, "[*encoder.parameters(), *decoder.parameters()]", "decoder.parameters()", "train", SAMPLE),
                "The encoder does not learn: the optimiser was given the decoder's weights only.",
            ),
            Mistake(
                changed(TRAIN, "            optimiser.step()\n", "", "train", SAMPLE),
                "No weight changes: optimiser.step() is missing.",
            ),
            Mistake(
                changed(TRAIN, "            optimiser.zero_grad()\n", "", "train", SAMPLE),
                "Gradients pile up from batch to batch: call optimiser.zero_grad() before backward().",
            ),
            Mistake(
                changed(TRAIN, "(rec + kl).mean().backward()", "(-rec - kl).mean().backward()", "train", SAMPLE),
                "The loss does not fall: it is D + R that is minimised, not its negative.",
            ),
        ),
        hints=(
            "torch.randperm(len(x), generator=generator).split(100) gives the batches of one epoch.",
            "Per batch: encoder, sample, terms(x[batch], mu, logvar, decoder(z)); backward on the mean of rec + kl; step.",
        ),
        name="train",
        setup=f"{SETUP}\n{SAMPLE}",
        lends=True,
    ),
)

GUESSES = (
    Guess("2.1", "The rate R of your VAE after training, in nats per digit?", Range(0, 30, 0.5, "nats")),
    Guess(
        "2.2", "How much of that rate tells one digit from another?", Options(("nearly nothing", "about half", "most of it"))
    ),
    Guess("2.3", "The rate after training with the changed line?", Range(0, 30, 0.5, "nats")),
)

QUIZ = Quiz.read(
    2,
    """
Why does the encoder return log σ², and not σ?
+ any real number is allowed, so no constraint is needed | Yes: exp makes every output a variance.
- it makes the KL smaller | The KL depends on the Gaussian, not on how its width is written.
- σ cannot be differentiated | It can. It must be positive, though, and a layer's output need not be.

Your loss and the library's differ by 0.00001 nats of 540. What do you conclude?
- one of them has a mistake | A mistake in a formula costs nats. This is the seventh digit.
- they used different noise | Other noise would change the loss by nats.
+ they are the same, to the precision of 32-bit numbers | Yes: about seven digits.

The lower bound of I_q is 6.8 nats, the cap log N = 6.9, the upper bound 10. What do you know?
- I_q is 6.8 | The lower bound cannot exceed the cap: here it says little more than what N is.
+ I_q is between 6.8 and 10, and the lower bound may be low because of the cap | Yes: print lower, upper and cap together.
- R − 6.8 nats of the rate are waste | Never where the cap binds: the bound is low, not the information.

Which of these shows that the decoder reads z?
+ D rises when codes are shuffled among the digits | Yes: then the differences between codes matter.
- the rate is 12 nats | The encoder pays 12 nats; that the decoder reads them is another question.
- samples look like digits | A decoder can draw good digits without any z; notebook 03 has such a model.

One line collapsed the model: a mean over pixels. Why?
- the gradients became too small to train | Adam does not mind the scale, and the decoder did learn.
- the optimiser fell into a local minimum | It found the optimum of the loss it was given: D/784 + R.
+ a nat of rate now had to save 784 nats of distortion | Yes, and no nat of rate does: R = 0 is best.
""",
)
