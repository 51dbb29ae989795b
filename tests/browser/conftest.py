"""One server and one browser for all tests of this folder; where there is no browser, they are skipped and say why."""

from __future__ import annotations

import pytest

from klcourse.publish import chromium
from tests.browser.lab import Lab
from tests.browser.notebook import Browser


@pytest.fixture(scope="package")
def chrome():
    """A headless Chromium. Not for the session: while it runs, its event loop is in the way of notebook clients."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is missing")
    with playwright.sync_playwright() as driver:
        try:
            browser = chromium.launch(driver)
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(chrome, tmp_path_factory):
    """A JupyterLab with copies of the notebooks."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="package")
def browser(chrome, lab):
    """JupyterLab in the browser."""
    page = chrome.new_page(viewport={"width": 1440, "height": 900})
    yield Browser(page, lab)
    page.close()
