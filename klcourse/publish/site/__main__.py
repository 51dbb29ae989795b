"""Build the site: `make site`, or python -m klcourse.publish.site [NAME ...] [--out FOLDER]."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from klcourse.publish.site import links
from klcourse.publish.site.stage import HERE, ROOT, stage


def build(out: Path, names: list[str] | None = None) -> int:
    """Write the site into a folder, in place of what was there; Sphinx's exit status, 0 if all is well."""
    with tempfile.TemporaryDirectory() as folder:
        source, trees = Path(folder) / "pages", Path(folder) / "trees"
        notebooks = stage(source, names)
        shutil.copyfile(HERE / "conf.py", source / "conf.py")
        shutil.rmtree(out, ignore_errors=True)
        # Only some pages have links to the others: no warnings then.
        strict = [] if names else ["--fail-on-warning", "--keep-going"]
        command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", *strict, *addresses()]
        status = subprocess.run([*command, "-d", str(trees), str(source), str(out)]).returncode
    for page in out.glob("*.html"):  # an empty corner of a table is no heading
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace('<th class="head"><p></p></th>', "<td></td>"), encoding="utf-8")
    for path in notebooks:  # the download button gives the notebook itself, with links that work in JupyterLab
        if (out / "_sources" / path.name).exists():
            shutil.copyfile(path, out / "_sources" / path.name)
    for spare in (".buildinfo", "objects.inv"):
        (out / spare).unlink(missing_ok=True)
    return status


def addresses() -> list[str]:
    """Where source and site are, for Sphinx; nothing before `python -m klcourse.publish.home` has written it."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls")
    if not urls:
        return []
    theme = {"repository_url": urls["Repository"], "use_repository_button": "true"}
    options = [f"html_theme_options.{name}={value}" for name, value in theme.items()]
    return [part for option in [*options, f"html_baseurl={urls['Documentation']}"] for part in ("-D", option)]


def main(arguments: list[str] | None = None) -> int:
    """Command line; not 0 if Sphinx complains or a link is broken."""
    parser = argparse.ArgumentParser(description="Build the course as a static site that needs no network.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="for example 01_elbo; default: all")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="folder for the site")
    options = parser.parse_args(arguments)
    if status := build(options.out, options.names):
        return status
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out / 'index.html'}: {size / 1e6:.1f} MB in all. Open it in a browser.")
    return 0 if options.names else links.main([str(options.out)])


if __name__ == "__main__":
    sys.exit(main())
