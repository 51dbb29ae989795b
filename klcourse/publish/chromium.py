"""Which Chromium is driven, by the tests and to print the PDF, and how it is started."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
MISSING = (
    "no Chromium found: install it (Debian, Ubuntu: apt install chromium; elsewhere: python -m playwright install "
    "chromium), or name one in KLCOURSE_CHROMIUM"
)


def find(playwright: Any) -> str | None:
    """The browser's path: KLCOURSE_CHROMIUM, one on the PATH, or Playwright's own; None if there is none.

    Raises ValueError if KLCOURSE_CHROMIUM names nothing: who sets it does not want another one.
    """
    if named := os.environ.get("KLCOURSE_CHROMIUM"):
        if found := shutil.which(named):
            return found
        raise ValueError(f"KLCOURSE_CHROMIUM = {named!r} is not a program")
    for name in NAMES:
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def main() -> int:
    """Say which browser there is; 1, and how to get one, if there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("the Python package playwright is missing: pip install -r requirements.txt")
        return 1
    with sync_playwright() as playwright:
        try:
            print(f"browser: {find(playwright) or MISSING}")
            return int(find(playwright) is None)
        except ValueError as error:
            print(error)
            return 1


def launch(playwright: Any) -> Any:
    """A headless browser with a fresh profile; FileNotFoundError says how to get one."""
    path = find(playwright)
    if path is None:
        raise FileNotFoundError(MISSING)
    return playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)


if __name__ == "__main__":
    sys.exit(main())
