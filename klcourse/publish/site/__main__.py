"""Build the site: `make site`, or python -m klcourse.publish.site [NAME ...] [--out FOLDER]."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from klcourse.publish.site import links
from klcourse.publish.site.chinese import LANG, TRANSLATED
from klcourse.publish.site.stage import ROOT, stage, stage_chinese

STATIC = re.compile(r'((?:src|href)=")(_static/[^"?]+)((?:\?[^"]*)?")')
ENGLISH = {"other_folder": "zh/", "other_lang": LANG, "other_name": "中文"}
CHINESE = {"other_folder": "../", "other_lang": "en", "other_name": "English"}


def build(out: Path, names: list[str] | None = None) -> int:
    """Write the site into a folder, in place of what was there; Sphinx's exit status, 0 if all is well.

    names   only these notebooks, in English; default: all, and those pages in Chinese that are translated, in zh/
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "pages"
        notebooks = stage(source, names)
        shutil.rmtree(out, ignore_errors=True)
        # Only some pages have links to the others, and no other language: no warnings then.
        told = [] if names else ["--fail-on-warning", "--keep-going", *_switch(ENGLISH)]
        status = _sphinx(source, out, *told, *addresses())
    for path in notebooks:  # the download button gives the notebook itself, with links that work in JupyterLab
        if (out / "_sources" / path.name).exists():
            shutil.copyfile(path, out / "_sources" / path.name)
    return status or (0 if names else build_chinese(out / "zh", out))


def build_chinese(out: Path, beside: Path) -> int:
    """Write the Chinese pages; Sphinx's exit status. Files that the English site has, in `beside`, are shared with it."""
    with tempfile.TemporaryDirectory() as folder:
        source, downloads = Path(folder) / "pages", Path(folder) / "downloads"
        say = stage_chinese(source, downloads)
        if say.left:
            print(f"{len(say.left)} texts of the Chinese pages are English: python -m klcourse.publish.site.messages --list")
        options = {"language": "zh_CN", "nb_code_prompt_show": "显示{type}", "nb_code_prompt_hide": "隐藏{type}"}
        options |= {"html_theme_options.toc_title": "本页内容"}
        told = [part for name, value in options.items() for part in ("-D", f"{name}={value}")]
        status = _sphinx(source, out, "--fail-on-warning", "--keep-going", *told, *addresses("zh/"), *_switch(CHINESE))
        shutil.copytree(downloads, out / "_sources", dirs_exist_ok=True)
    for page in out.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = text.replace('lang="zh-CN"', f'lang="{LANG}"').replace(
            '<div class="cell_input', '<div lang="en" class="cell_input'
        )
        text = text.replace('<div class="output stream', '<div lang="en" class="output stream')
        page.write_text(STATIC.sub(lambda m: m[1] + _shared(out, beside, m[2]) + m[3], text), encoding="utf-8")
    for path in sorted((out / "_static").rglob("*"), reverse=True):  # files before their folders
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and _same(path, beside / path.relative_to(out)):
            path.unlink()
    return status


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and path.read_bytes() == other.read_bytes()


def _shared(out: Path, beside: Path, file: str) -> str:
    return f"../{file}" if _same(out / file, beside / file) else file


def _switch(other: dict[str, str]) -> list[str]:
    values = {"translated": " ".join(("index", *TRANSLATED)), **other}
    return [part for name, value in values.items() for part in ("-A", f"{name}={value}")]


def _sphinx(source: Path, out: Path, *options: str) -> int:
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", *options]
    status = subprocess.run([*command, "-d", str(source.parent / "trees"), str(source), str(out)]).returncode
    for page in out.glob("*.html"):  # an empty corner of a table is no heading
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace('<th class="head"><p></p></th>', "<td></td>"), encoding="utf-8")
    for spare in (".buildinfo", "objects.inv"):
        (out / spare).unlink(missing_ok=True)
    return status


def addresses(folder: str = "") -> list[str]:
    """Where source and site are, for Sphinx; nothing before `python -m klcourse.publish.home` has written it.

    folder  of the site, for example "zh/"
    """
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls")
    if not urls:
        return []
    theme = {"repository_url": urls["Repository"], "use_repository_button": "true"}
    options = [f"html_theme_options.{name}={value}" for name, value in theme.items()]
    base = f"{urls['Documentation'].rstrip('/')}/{folder}" if folder else urls["Documentation"]
    return [part for option in [*options, f"html_baseurl={base}"] for part in ("-D", option)]


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
