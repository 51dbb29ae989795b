"""Stored measurements: studies of many runs, made once by a command and read by the notebooks.

    python -m klcourse.studies phase_diagram      # writes notebooks/results/phase_diagram.csv and .json
    load_study("phase_diagram")                   # the table, a row a run

Reading needs no torch. `definitions` holds what each study runs, `runner` runs it, `store` reads the files.
"""

from .store import StudyError, load_history, load_provenance, load_study

__all__ = ["StudyError", "load_history", "load_provenance", "load_study"]
