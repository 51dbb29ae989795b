"""Turns a named check of tests/exact/checks.py into a hypothesis test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.exact.checks import CHECKS
from tests.limits import examples


def property_test(*names: str):
    """A pytest function that runs the named checks on 200 random models each; on the first 50 but in the long run."""

    @pytest.mark.parametrize("name", names)
    def run(name):
        check = CHECKS[name]

        @settings(
            max_examples=examples(200),
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
        )
        @given(check.strategy())
        def against_brute_force(values):
            error = check.error(**values)
            assume(error is not None)
            assert error < check.tolerance, f"relative error {error:.2e} for {values}"

        against_brute_force()

    return run


def names(*starts: str) -> list[str]:
    """Names of the checks that begin with one of `starts`; fails if there is none: no test runs empty."""
    found = [name for name in CHECKS if name.startswith(starts)]
    assert found, starts
    return found
