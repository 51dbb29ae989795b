"""Search in Chinese without a dictionary: text and question are cut into pairs of neighbouring characters.

Sphinx's own Chinese search leaves all Chinese out of the index unless jieba is installed, 19 MB of word lists. Pairs need
nothing, find every phrase of two characters or more, and take names of methods in Latin letters as they are.
"""

from __future__ import annotations

import re

RUNS = re.compile(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+")
# The same in the browser, for what the reader types.
SPLIT_QUERY = r"""
function splitQuery(query) {
  const runs = query.match(/\p{Script=Han}+|(?:(?!\p{Script=Han})[\p{Letter}\p{Number}_])+/gu) || [];
  return runs.flatMap(run => /\p{Script=Han}/u.test(run) && run.length > 1
    ? Array.from({length: run.length - 1}, (_, at) => run.slice(at, at + 2)) : [run]);
}
"""


def pieces(text: str) -> list[str]:
    """What of a text goes into the index: characters and pairs of Chinese ones, other words whole.

    >>> pieces("互信息 KL")
    ['互', '信', '息', '互信', '信息', 'KL']
    """
    found: list[str] = []
    for run in RUNS.findall(text):
        chinese = "\u4e00" <= run[0] <= "\u9fff"
        found += [*run, *(run[at : at + 2] for at in range(len(run) - 1))] if chinese else [run]
    return found
