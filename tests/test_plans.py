"""Lectures: every cell a plan names is there and shows something, the clock is right, TEACHING.md says the same."""

import re

import pytest

from klcourse.publish import plans
from klcourse.publish.decks import main


@pytest.fixture(scope="module")
def lecture():
    return plans.read_plan()


def test_the_lectures_are_as_long_as_they_say(lecture):
    assert 80 <= lecture.minutes <= 92 and len(lecture.pages) == 30
    short = lecture.shortened()
    assert 40 <= short.minutes <= 45 and {page.title for page in short.pages} < {page.title for page in lecture.pages}


def test_every_cell_shows_a_picture_or_a_table(lecture):
    for page in lecture.pages:
        for name in page.show:
            kinds = {kind for output in plans.shown(name).outputs for kind in output.data}
            assert kinds & {"image/png", "text/html"}, name


def test_the_deck_has_a_slide_and_notes_with_the_clock_for_every_page(lecture):
    cells = plans.deck(lecture).cells
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in cells]
    assert kinds.count("slide") == len(lecture.pages) + 1 and kinds.count("notes") == len(lecture.pages)
    clocks = [re.match(r"\*\*Minute (\d+) to (\d+)", cell.source) for cell, kind in zip(cells, kinds) if kind == "notes"]
    times = [tuple(map(int, clock.groups())) for clock in clocks]
    assert times[0][0] == 0 and times[-1][1] == lecture.minutes
    assert all(ends == begins for (_, ends), (begins, _) in zip(times, times[1:]))


def test_the_command_writes_both(tmp_path, capsys):
    assert main(["--plan", "45", "--out", str(tmp_path)]) == 0
    body = (tmp_path / "lecture_45.html").read_text(encoding="utf-8")
    assert "Minute 0 to" in body and "Strict Nash, yet a saddle" in body and "lecture_45.html" in capsys.readouterr().out
    assert (tmp_path / "assets" / "deck.js").exists()


def test_teaching_is_up_to_date(root):
    text = (root / "TEACHING.md").read_text(encoding="utf-8")
    assert plans.up_to_date(text) == text, "python -m klcourse.publish.plans"
    assert text.count("<!-- /") == 3


@pytest.mark.parametrize(
    "text, message",
    [
        ("title = 'x'", "has no"),
        ("[[page]]\ntitle = 'x'", "page 1: a page needs a title and minutes above 0"),
        ("[[page]]\ntitle = 'x'\nminutes = 2\nshows = []", "page 1: shows is not known: choose from ask, cure"),
        ("[[page]]\ntitle = 'x'\nminutes = 2\nshow = ['01_elbo#nowhere']", "01_elbo#nowhere: no such cell"),
        ("[[page]]\ntitle = 'x'\nminutes = 2\nshow = ['99_none#a']", "there is no notebook 99_none"),
    ],
)
def test_a_plan_that_cannot_be_used_says_why(tmp_path, text, message):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(plans.PlanError, match=message):
        plans.read_plan(path)
