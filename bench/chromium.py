"""Chromium without a window, for a page in a file (Debian's packages chromium and chromium-driver)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

OPTIONS = "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=800,900"


def is_here() -> bool:
    """Whether both programs are."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def opened(page: Path, profile: Path) -> Iterator[Chrome]:
    """The browser with the page in it; AssertionError at the end if the page had errors."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))) as running:
        running.get(page.as_uri())
        yield running
        errors = [entry for entry in running.get_log("browser") if entry["level"] == "SEVERE"]
        assert not errors, errors
