"""A real headless Chromium (Debian's packages chromium and chromium-driver) with the page in it."""

from __future__ import annotations

import shutil

import pytest

from digitnn_fast.commands import app


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromium-driver here")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=800,900",
    ):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    out = tmp_path_factory.mktemp("page") / "draw.html"
    assert app.run(["draw", "--no-open", "--out", str(out)]) == 0
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as running:
        running.get(out.as_uri())
        yield running
        errors = [entry for entry in running.get_log("browser") if entry["level"] == "SEVERE"]
        assert not errors, errors
