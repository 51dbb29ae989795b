"""Thousands of bad inputs, hundreds of kills and damaged files: `python -m tests.stress`. Not part of the test suite."""
