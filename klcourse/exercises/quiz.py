"""Five questions at the end of a notebook: every option has its explanation, also on a page without a kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from . import diary
from .page import Card, show_live
from .registry import page

LETTERS = "abcdef"


@dataclass(frozen=True)
class Option:
    """An answer to choose, whether it is right, and why."""

    text: str
    because: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with a few options, one of them right."""

    text: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Quiz:
    """The quiz of one notebook."""

    number: int
    questions: tuple[Question, ...]

    @classmethod
    def read(cls, number: int, text: str) -> Quiz:
        """A quiz from text: questions with an empty line between them; + before the right option, - before the others.

        >>> quiz = Quiz.read(0, "Is a KL ever negative?\\n+ no | By Jensen.\\n- yes | It would\\n  have to be.")
        >>> [(option.text, option.right, option.because) for option in quiz.questions[0].options]
        [('no', True, 'By Jensen.'), ('yes', False, 'It would have to be.')]
        """
        questions = []
        for block in text.strip().split("\n\n"):
            asked, *lines = re.sub(r"\n\s+", " ", block.strip()).split("\n")
            options = []
            for line in lines:
                chosen, because = line[2:].split(" | ", 1)
                options.append(Option(chosen, because, line[0] == "+"))
            questions.append(Question(asked, tuple(options)))
        return cls(number, tuple(questions))

    def answer(self, question: int, letter: str) -> Card:
        """Answer one question in code: its number from 1, the option's letter. Never raises for what is not there."""
        if not (isinstance(question, int) and 1 <= question <= len(self.questions)):
            return Card("bad", f"There is no question {question!r}: give a number from 1 to {len(self.questions)}.")
        options = self.questions[question - 1].options
        if not (isinstance(letter, str) and len(letter) == 1 and letter in LETTERS[: len(options)]):
            return Card("bad", f"There is no option {letter!r}: give one of {', '.join(LETTERS[: len(options)])}.")
        option = options[LETTERS.index(letter)]
        diary.keep("quizzes", f"{self.number}.{question}", letter)
        word = "Right." if option.right else "Not so."
        return Card("good" if option.right else "bad", f"{question}{letter}. {word}", (option.because, self.score))

    @property
    def given(self) -> dict[int, str]:
        """Question -> the letter that was chosen last."""
        kept = diary.read()["quizzes"]
        return {i: kept[key] for i in range(1, len(self.questions) + 1) if (key := f"{self.number}.{i}") in kept}

    @property
    def score(self) -> str:
        """How it stands, in a line."""
        right = sum(
            self.questions[i - 1].options[LETTERS.index(letter)].right
            for i, letter in self.given.items()
            if letter in LETTERS[: len(self.questions[i - 1].options)]
        )
        return f"{right} of {len(self.questions)} right."

    def __repr__(self) -> str:
        lines = []
        for i, question in enumerate(self.questions, 1):
            lines.append(f"{i}. {question.text}")
            lines += [f"   {letter}) {option.text}" for letter, option in zip(LETTERS, question.options)]
        return "\n".join([*lines, f'Answer with quiz("{self.number}").answer(1, "a").'])

    def _repr_html_(self) -> str:
        """Without a kernel: every option unfolds to its explanation. Enter or Space opens what Tab has reached."""
        parts = []
        for i, question in enumerate(self.questions, 1):
            folds = "".join(
                f"<details><summary>{escape(option.text)}</summary>"
                f"<p style='margin: 0.2em 0 0.4em 1.2em'><strong>{'Right.' if option.right else 'Not so.'}</strong> "
                f"{escape(option.because)}</p></details>"
                for option in question.options
            )
            parts.append(f"<p style='margin: 0.8em 0 0.2em'><strong>{i}.</strong> {escape(question.text)}</p>{folds}")
        return f"<div role='group' aria-label='Quiz of notebook {self.number:02d}'>{''.join(parts)}</div>"

    def box(self) -> Any:
        """The live quiz, an ipywidgets box: radio buttons, and what there is to say about the chosen one."""
        import ipywidgets as ipw

        score = ipw.HTML()
        rows: list[Any] = []

        def tell(number: int, said: Any, text: str) -> None:
            options = [option.text for option in self.questions[number - 1].options]
            card = self.answer(number, LETTERS[options.index(text)])
            word = card.head.split(". ", 1)[1]
            said.value = f"<span role='status'><strong>{word}</strong> {escape(card.text[0])}</span>"
            score.value = f"<strong>{escape(card.text[1])}</strong>"

        for i, question in enumerate(self.questions, 1):
            said = ipw.HTML()
            texts = [option.text for option in question.options]
            radio = ipw.RadioButtons(options=texts, value=None, tooltip=question.text, layout={"width": "max-content"})
            radio.observe(lambda change, i=i, said=said: tell(i, said, change["new"]), names="value")
            rows += [ipw.HTML(f"<strong>{i}.</strong> {escape(question.text)}"), radio, said]
        return ipw.VBox([*rows, score], layout={"overflow": "visible"}).add_class("kle-quiz")

    def _ipython_display_(self) -> None:
        show_live(self.box(), self._repr_html_(), repr(self))


def quiz(number: int | str) -> Quiz:
    """The quiz of a notebook. ValueError if it has none.

    >>> len(quiz("1").questions)
    5
    """
    found = getattr(page(int(number)), "QUIZ", None)
    if found is None:
        raise ValueError(f"notebook {int(number):02d} has no quiz")
    return found
