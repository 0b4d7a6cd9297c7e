"""A real headless Chromium with the page in it."""

from __future__ import annotations

import pytest

from bench import chromium
from digitnn_fast.commands import app


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    if not chromium.is_here():
        pytest.skip("no chromium and chromium-driver here")
    out = tmp_path_factory.mktemp("page") / "draw.html"
    assert app.run(["draw", "--no-open", "--out", str(out)]) == 0
    with chromium.opened(out, tmp_path_factory.mktemp("profile")) as running:
        yield running
