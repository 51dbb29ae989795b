"""English that is already on the disk: the first docstring sentences of the installed scientific packages."""

from __future__ import annotations

import ast
import gc
import importlib.metadata
import importlib.util
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from klcourse.system import is_piped

from .cache import cached, given
from .dataset import DataError, Dataset, tokenise
from .text import SEED, build_vocab, rank, text_dataset

FORMAT = 1  # part of the cache key: raise it when anything below changes the numbers
# distribution -> package to read; the order decides who owns a sentence that two of them share
PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "scikit-learn": "sklearn",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "torch": "torch",
    "seaborn": "seaborn",
    "mlxtend": "mlxtend",
    "sympy": "sympy",
    "networkx": "networkx",
}
MIN_WORDS, MAX_WORDS = 4, 20
MIN_COUNT = 3  # rarer words become <unk>, and a sentence may have one of them
N_TEST = 1_000

_TESTS_AND_VENDORED = {"test", "tests", "testing", "vendor", "extern", "external", "externals"}
_ROLE = re.compile(r":[a-z:]+:`~?(?:[^`]*\.)?([^`]*)`")  # :func:`~a.b.name` -> name
_MARKUP = re.compile(r"[`*\"]| ?\([^()]*\)")  # quotes and emphasis; what is in brackets can be left out
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ,'-]*")  # anything else is code, a formula or a link
# An abbreviation does not end a sentence; its dots then make it no plain one.
_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?:\s|$)")
_WORD = re.compile(r"[a-z]+(?:['-][a-z0-9]+)*|[0-9]+(?:-?d|-[a-z]+|st|nd|rd|th)?|,")
# A sentence that ends so was cut off, mostly before a formula.
_NO_END = set(", a an the of and or to in with for is are be by on from as at that".split())


def docstring_sentences(where: Path) -> Dataset:
    """About 20 000 English sentences, labelled with the package they describe; 1 000 of them for testing.

    Read with `ast`, nothing is imported. Equal for equal versions of PACKAGES, on every machine; a machine with others
    can be given the file of one that has them, as text.npz in its cache folder.
    Raises DataError where too few of the packages are installed.
    """
    if (found := given("text", where)) is not None:
        return found
    versions: dict[str, str | None] = {}
    for distribution in PACKAGES:
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            versions[distribution] = None
    key = (FORMAT, SEED, MIN_WORDS, MAX_WORDS, MIN_COUNT, N_TEST, versions)
    missing = [distribution for distribution, version in versions.items() if version is None]
    if missing:
        warnings.warn(
            f"'text' is smaller than usual and has another fingerprint: {', '.join(missing)} not "
            f"installed. Remedy: pip install {' '.join(missing)}",
            stacklevel=3,
        )
    return cached("text", key, lambda: _corpus([d for d in PACKAGES if d not in missing]), where)


def _corpus(distributions: list[str]) -> Dataset:
    files = [(PACKAGES[d], file) for d in distributions for file in source_files(package_folder(PACKAGES[d]))]
    return corpus(files, tuple(PACKAGES[d] for d in distributions), N_TEST)


def corpus(files: list[tuple[str, Path]], label_names: tuple[str, ...], n_test: int) -> Dataset:
    """The dataset of (package, file) pairs: sentences read, cleaned, made unique, split, encoded."""
    from tqdm.auto import tqdm

    label: dict[tuple[str, ...], int] = {}  # sentence -> index of the first package that has it
    bar = tqdm(files, "reading docstrings (once)", unit="file", delay=2, mininterval=0.5, leave=False, disable=is_piped())
    collecting = gc.isenabled()
    gc.disable()  # syntax trees are many objects without cycles; looking for some takes a fifth of the time
    try:
        for package, file in bar:
            for docstring in docstrings(file.read_bytes()):
                sentence = first_sentence(docstring)
                if sentence:
                    at = label_names.index(package)
                    label[sentence] = min(at, label.get(sentence, at))
    finally:
        if collecting:
            gc.enable()
    counts = Counter(word for sentence in label for word in sentence)
    sentences = sorted((s for s in label if sum(counts[word] < MIN_COUNT for word in s) <= 1), key=rank)
    if len(sentences) < 2 * n_test:
        raise DataError(
            f"found only {len(sentences)} sentences in {', '.join(label_names) or 'no package'}, "
            f"fewer than {2 * n_test}. Remedy: pip install {' '.join(PACKAGES)}"
        )
    test, train = sentences[:n_test], sentences[n_test:]
    return text_dataset(
        "text",
        train,
        test,
        build_vocab(train, MIN_COUNT),
        ([label[s] for s in train], [label[s] for s in test]),
        label_names,
    )


def package_folder(package: str) -> Path:
    """Where a package lies, without importing it. Raises DataError where it is not installed.

    >>> package_folder("mlxtend").name
    'mlxtend'
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = next((name for name, module in PACKAGES.items() if module == package), package)
        raise DataError(f"cannot find the package {package}. Remedy: pip install --force-reinstall {distribution}")
    return Path(spec.submodule_search_locations[0])


def source_files(folder: Path) -> list[Path]:
    """The Python files of a package, but no tests, vendored packages and internals (`_` folders), sorted."""

    def wanted(file: Path) -> bool:
        *folders, name = file.relative_to(folder).parts
        return not (
            name == "conftest.py"
            or name.startswith("test_")
            or any(f.startswith("_") or f in _TESTS_AND_VENDORED for f in folders)
        )

    return sorted(
        (file for file in folder.rglob("*.py") if wanted(file)), key=lambda file: file.relative_to(folder).as_posix()
    )


def docstrings(source: bytes) -> Iterator[str]:
    """The docstring of every module, class and function in a source text; none from text that is no Python.

    >>> list(docstrings(b"'''One.'''\\nclass A:\\n    '''Two.'''\\n    def f(self):\\n        '''Three.'''"))
    ['One.', 'Two.', 'Three.']
    """
    if b'"""' not in source and b"'''" not in source:  # parsing is what takes the time
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            todo: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError):
        return
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                yield docstring
        # definitions stand in statements only, so the many expressions need no visit
        todo += [
            child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case))
        ]


def first_sentence(docstring: str) -> tuple[str, ...]:
    """The words of a docstring's first sentence; none where it is no plain English one of 4 to 20 words.

    >>> " ".join(first_sentence("Return the *mean* (average) of a :class:`~torch.Tensor`.\\n\\nx: array"))
    'return the mean of a tensor'
    >>> first_sentence("Return x**2 + y[i].")
    ()
    """
    paragraph = " ".join(re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].split())
    paragraph = _MARKUP.sub("", _ROLE.sub(r"\1", paragraph))
    sentence = _END.split(paragraph, maxsplit=1)[0].rstrip(".!").strip()
    if not _PLAIN.fullmatch(sentence):
        return ()
    words = tuple(tokenise(sentence))
    if not MIN_WORDS <= len(words) <= MAX_WORDS or words[-1] in _NO_END:
        return ()
    return words if all(map(_WORD.fullmatch, words)) else ()
