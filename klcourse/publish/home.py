"""Give the course its home: one command writes where the repository is into every file that should say so.

    python -m klcourse.publish.home ada/klcourse                on GitHub; links lead to the branch main
    python -m klcourse.publish.home ada/klcourse --ref v0.2.0   or to a tag, so that they show what they showed

README.md gets badges and the address for Binder, every notebook a line that opens it in Binder or Colab or downloads it, and
a cell that installs the course on Colab; CITATION.cff, pyproject.toml and the site get the addresses. Run again with another
home or ref, it replaces what it wrote.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from klcourse.publish.slides import assign
from klcourse.system import print_anything

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- home -->", "<!-- /home -->"
BLOCK = re.compile(rf"\n*{BEGIN}.*?{END}", re.S)
COLAB = """# On Colab only: fetch the course and install it (about a minute).
import sys

if "google.colab" in sys.modules:
    !git clone -q --depth 1 --branch {ref} {git} klcourse-course
    %pip install -q -e "./klcourse-course[train]"
    sys.path.insert(0, "klcourse-course")"""


class Home:
    """Where the repository is: GitHub's owner and name, and the branch or tag that links lead to.

    >>> Home("ada/klcourse").site
    'https://ada.github.io/klcourse/'
    """

    def __init__(self, repository: str, ref: str = "main"):
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[\w.-]+", repository):
            raise ValueError(f"{repository!r} is no repository on GitHub: give OWNER/NAME, such as ada/klcourse")
        if not re.fullmatch(r"[\w./-]+", ref):
            raise ValueError(f"{ref!r} is no branch or tag: give one, such as main or v0.2.0")
        self.repository, self.ref = repository, ref
        self.owner, self.name = repository.split("/")

    @property
    def url(self) -> str:
        """The repository's page."""
        return f"https://github.com/{self.repository}"

    @property
    def site(self) -> str:
        """Where GitHub Pages publishes the site."""
        return f"https://{self.owner.lower()}.github.io/{self.name}/"

    def binder(self, notebook: str) -> str:
        """The address at which Binder opens a notebook in JupyterLab."""
        return f"https://mybinder.org/v2/gh/{self.repository}/{self.ref}?urlpath=lab/tree/notebooks/{notebook}.ipynb"

    def colab(self, notebook: str) -> str:
        """The address at which Colab opens a notebook."""
        return f"https://colab.research.google.com/github/{self.repository}/blob/{self.ref}/notebooks/{notebook}.ipynb"

    def file(self, notebook: str) -> str:
        """The address of the notebook file itself."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.ref}/notebooks/{notebook}.ipynb"


def in_block(text: str, block: str) -> str:
    """The text with the lines between its marks replaced; ValueError if it has no marks."""
    if not BLOCK.search(text):
        raise ValueError(f"there is no place for the home: put {BEGIN} and {END} where it belongs")
    return BLOCK.sub(lambda found: found[0][: found[0].index(BEGIN)] + f"{BEGIN}\n{block}\n{END}", text)


def readme(text: str, home: Home) -> str:
    """README.md with badges below its title and the address for Binder."""
    first = "00_start_here"
    badges = (
        f"[![Tests]({home.url}/actions/workflows/ci.yml/badge.svg)]({home.url}/actions/workflows/ci.yml)\n"
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({home.binder(first)})\n"
        f"[![Read the pages](https://img.shields.io/badge/read-the%20pages-0072B2)]({home.site})\n\n"
        f"One click and nothing to install: [open the course in Binder]({home.binder(first)}) (it starts in a\n"
        f"minute or two), or [read it]({home.site}). At home: `git clone {home.url}.git`, then as below."
    )
    return in_block(text, badges)


def page(notebook: NotebookNode, name: str, home: Home) -> NotebookNode:
    """A notebook with its line of links and its cell for Colab, changed in place. Stored outputs stay."""
    links = f"[Binder]({home.binder(name)}) · [Colab]({home.colab(name)}) · [file]({home.file(name)})"
    title = notebook.cells[0]
    title.source = BLOCK.sub("", title.source) + f"\n\n{BEGIN}\nOpen this page in {links}\n{END}"
    cells = [cell for cell in notebook.cells if cell.get("id") != "colab"]
    place = 1 + next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    cell = nbformat.v4.new_code_cell(COLAB.format(ref=home.ref, git=f"{home.url}.git"), id="colab")
    notebook.cells = [*cells[:place], cell, *cells[place:]]
    count = 0
    for each in notebook.cells:
        if each.cell_type == "code" and each.source.strip():
            count += 1
            each.execution_count = count
            for output in each.outputs:
                if "execution_count" in output:
                    output.execution_count = count
    return assign(notebook)


def citation(text: str, home: Home) -> str:
    """CITATION.cff with the addresses of repository and site."""
    kept = re.sub(r"^(?:repository-code|url):.*\n", "", text, flags=re.M)
    return kept.replace("type: software\n", f'type: software\nrepository-code: "{home.url}"\nurl: "{home.site}"\n')


def project(text: str, home: Home) -> str:
    """pyproject.toml with the package's addresses; the site's button to the source is made from them."""
    kept = re.sub(r"^\[project\.urls\]\n(?:\w+ = .*\n)+\n", "", text, flags=re.M)
    urls = f'[project.urls]\nRepository = "{home.url}"\nDocumentation = "{home.site}"\n\n'
    return kept.replace("[project.scripts]\n", urls + "[project.scripts]\n")


def write(home: Home, root: Path = ROOT) -> list[Path]:
    """Write the home into the files of a copy of the course; the files that say it now."""
    changed = []
    for name, change in {"README.md": readme, "CITATION.cff": citation, "pyproject.toml": project}.items():
        path = root / name
        path.write_text(change(path.read_text(encoding="utf-8"), home), encoding="utf-8")
        changed.append(path)
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        nbformat.write(page(nbformat.read(path, as_version=4), path.stem, home), path)
        changed.append(path)
    return changed


def main(arguments: list[str] | None = None) -> int:
    """The command line; 2 for what is no repository."""
    print_anything()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", metavar="OWNER/NAME")
    parser.add_argument("--ref", default="main", help="branch or tag that the links lead to")
    options = parser.parse_args(arguments)
    try:
        changed = write(Home(options.repository, options.ref))
    except ValueError as error:
        print(f"{error}", file=sys.stderr)
        return 2
    print(f"{len(changed)} files say {options.repository} ({options.ref}) now: look at them with git diff, then commit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
