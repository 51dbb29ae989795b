"""The self-test: its numbers are right, every question has its answer, and notebooks lead there."""

import re

import numpy as np
import pytest

from klcourse.publish.normalise import NOTEBOOKS

TEXT = (NOTEBOOKS / "PREREQUISITES.md").read_text(encoding="utf-8")


def test_every_question_has_one_folded_answer():
    asked = re.findall(r"^\*\*(\d+)\. ", TEXT, re.M)
    assert asked == [str(n) for n in range(1, 11)] == re.findall(r"<summary>Answer of (\d+)</summary>", TEXT)


@pytest.mark.parametrize(
    "value, said",
    [
        (0.2 * 0.5 / (0.2 * 0.5 + 0.8 * 0.05), "= 0.71$"),
        (4 + 1**2, "=5$"),
        (0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75), "=0.144$ nats"),
        (0.25 * np.log(0.25 / 0.5) + 0.75 * np.log(0.75 / 0.5), "=0.131$"),
        (np.log(5), r"\log 5=1.61$"),
        (0.5 * np.log(9), "=1.10$"),
        (0 - 0.1 * 2 * (0 - 3), "=0.6$"),
        (1 / np.log(2), "1 nat = 1.44 bits"),
    ],
)
def test_numbers_of_the_answers(value, said):
    assert said in TEXT
    number = re.search(r"(?<![\d.])\d+(?:\.\d+)?(?=\$| bits)", said)[0]
    assert round(float(value), len(number.partition(".")[2])) == float(number)


def test_the_saddle_and_the_least_price():
    values, vectors = np.linalg.eigh([[2, -3], [-3, 2]])
    assert values.tolist() == pytest.approx([-1, 5]) and vectors[0, 0] * vectors[1, 0] > 0 > vectors[0, 1] * vectors[1, 1]
    x = np.linspace(0, 2, 20001)
    for lam, best in ((1.0, 0.5), (1.9, 0.95), (2.0, 1.0), (5.0, 1.0)):
        assert x[(x**2 + lam * np.maximum(1 - x, 0)).argmin()] == pytest.approx(best, abs=1e-4)
