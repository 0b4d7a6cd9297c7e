"""`predict` in its plain form says and writes what typer's way does."""

from __future__ import annotations

import re

import pytest
import typer

from digitnn_fast.commands import app, plain, root


def test_its_options_are_the_command_s_own():
    command = typer.main.get_command(root.app).commands["predict"]  # type: ignore[attr-defined]
    own = {flag: parameter.name for parameter in command.params for flag in parameter.opts}
    assert plain.OPTIONS.items() <= own.items()


@pytest.mark.parametrize(
    "text",
    [
        "predict --test a --out b --test c",
        "predict --test a --out",
        "predict --test a",
        "predict --test - --out b",
        "predict --test=a --out b",
        "predict --test a --out b --help",
        "predict --test a --out b --threads 1",
        "predict small --test a --out b",
        "train --test a --out b",
        "",
    ],
)
def test_all_else_is_for_typer(text):
    assert plain.parsed(text.split()) is None


@pytest.mark.parametrize("model", ["small", "", "missing.npz"])
@pytest.mark.parametrize("test", ["test.csv", "missing.csv"])
def test_both_ways_are_the_same(test, model, folder, tmp_path, capfd):
    out = tmp_path / "out.csv"
    arguments = ["predict", "--test", str(folder.path / test), "--out", str(out), "--model", model]
    assert plain.parsed(arguments) == {"test": arguments[2], "out": arguments[4], "model": model}
    seen = []
    for more in ([], ["--threads", "1"]):
        code = app.run(arguments + more)
        said = [re.sub(r"[0-9.,]+ (m?s|µs|rows/s)", "", text) for text in capfd.readouterr()]
        seen.append((code, said, out.read_bytes() if out.exists() else None))
        out.unlink(missing_ok=True)
    assert seen[0] == seen[1]
    assert seen[0][0] == (0 if (test, model) == ("test.csv", "small") else 2)
