"""What makes the course out of its notebooks: run and normalise them, check their rules, build slide decks.

    python -m klcourse.publish.normalise         run the notebooks, store their outputs       (make notebooks)
    python -m klcourse.publish.decks             slide decks that need no network             (make slides)

For those who write the course: it works on the notebooks of the folder that the package is in, nothing else of the package
imports it, and what it needs comes with `pip install -e ".[publish]"`.
"""
