"""The command `export --to c`: what it says, what it refuses, and that nothing is left when it fails."""

import os
import re
import shutil

import numpy as np
import pytest
from command_line import write_table
from programs import needs

from digitnn_fast import Network
from digitnn_fast.bundled import MODELS
from digitnn_fast.commands import exporting
from digitnn_fast.export.c import boards, tools
from digitnn_fast.predictor import Predictor
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.sample import load_sample

SAMPLE = load_sample()
INPUTS = "28x28 or 7x7x16 or 16x16 or 6x5x16 or 5x5x12"


@pytest.mark.once
def test_it_says_what_was_written_and_what_it_costs(command, tmp_path):
    needs("gcc", boards.COMPILER, boards.EMULATOR)
    code, text, _ = command("small", "--out", tmp_path / "c", "--clock", "100")
    assert code == 0
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"digits.h", "digits.c", "selftest.c"}
    assert "2,000 of 2,000 labels, all integers equal" in text
    assert "compiled by cc and passed" in text
    assert "instead of 50,816" in text
    for board in boards.BOARDS:
        assert any(line.startswith(board.name) and line.endswith("ms at 100 MHz") for line in text.splitlines())


@pytest.mark.once
@pytest.mark.parametrize(("limit", "what"), [("--max-flash", "flash"), ("--max-ram", "ram")])
def test_limits(command, tmp_path, limit, what):
    needs(boards.COMPILER, boards.EMULATOR)
    code, _, error = command("small", "--out", tmp_path / "c", limit, 200)
    assert code == exporting.FAILED
    assert f"bytes of {what}, allowed are 200; nothing was written" in error
    assert not list(tmp_path.iterdir())
    assert command("small", "--out", tmp_path / "c", limit, 60_000)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bits", "3"), "--bits must be 8 or 4 or 2, got 3"),
        (("--prefix", "two words"), "--prefix must be a name of up to 31 of a-z, 0-9 and _, a letter first"),
        (("--prefix", "../x"), "a letter first, not '../x'"),
        (("--layout", "sketch"), "--layout must be plain or arduino, got sketch"),
        (("--train", "x.csv"), "--train goes with --bits 4 or 2, or --inputs"),
        (("--inputs", "16x16"), "--inputs needs --train"),
        (("--inputs", "16x16", "--bits", "2"), "--inputs needs --train"),
        (
            ("--inputs", "8x8", "--train", "x.csv"),
            f"--inputs must be {INPUTS}, got 8x8",
        ),
        (("--inputs", "", "--train", "x.csv"), f"--inputs must be {INPUTS}, got"),
        (("--inputs", "16x16", "--train", "nothing.csv"), "nothing.csv: no such file"),
        (("--inputs", "16x16", "--train", "x.csv", "--hidden", "0"), "--hidden"),
        (("--hidden", "32", "--bits", "2"), "--hidden goes with --inputs"),
        (("--seeds", "2"), "--seeds goes with --inputs"),
        (("--seed", "3"), "--seed goes with --bits 4 or 2, or --inputs"),
        (("--seeds", "0"), "--seeds"),
        (("--clock", "0"), "--clock"),
        (("--clock", "nan"), "--clock must be a number of MHz, not nan"),
        (("--max-loss", "nan"), "--max-loss must be a number of percent, not nan"),
        (("--max-ram", "-1"), "--max-ram"),
        (("--bits", "2", "--train", "nothing.csv"), "nothing.csv: no such file"),
    ],
)
def test_users_mistakes(command, tmp_path, arguments, message):
    code, _, error = command("small", "--out", tmp_path / "c", *arguments)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_any_tool_it_is_written_untested(command, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    code, text, _ = command("small", "--out", tmp_path / "c")
    assert code == 0
    assert "not run: there is no C compiler here" in text
    assert "not measured: there is no arm-none-eabi-gcc here" in text
    code, _, error = command("small", "--out", tmp_path / "d", "--max-flash", 60_000)
    assert code == 2
    assert "need a compiler for boards: there is no arm-none-eabi-gcc here" in error


def test_a_network_that_is_too_wide(command, tmp_path):
    shape = np.zeros((784, 22_000), np.float32)
    Network(shape, shape[0], np.zeros((22_000, 10), np.float32), np.zeros(10, np.float32)).save(tmp_path / "wide.npz")
    code, _, error = command(tmp_path / "wide.npz", "--out", tmp_path / "c")
    assert code == 2
    assert "C is for at most 21,399 hidden units, not 22,000" in error
    write_table(tmp_path / "rows.csv", SAMPLE.train_images[:10], SAMPLE.train_labels[:10])
    arguments = "--inputs", "16x16", "--hidden", 30_000, "--train", tmp_path / "rows.csv"
    code, _, error = command("small", "--out", tmp_path / "c", *arguments)
    assert code == 2
    assert "C is for at most 21,399 hidden units, not 30,000" in error


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_hostile_text_in_a_model_does_not_reach_the_code(command, no_boards, tmp_path, preprocessing):
    network = Network.load(MODELS["small"].file)
    record = network.training
    assert record is not None
    object.__setattr__(record, "recipe", "*/ int evil; /*")
    Network(*network.parameters, preprocessing, record).save(tmp_path / "evil.npz")
    assert command(tmp_path / "evil.npz", "--out", tmp_path / "c", "--max-loss", 100)[0] == 0
    assert not any("evil" in path.read_text() for path in (tmp_path / "c").iterdir())


def test_the_compiler_of_the_environment_is_used(monkeypatch):
    needs("gcc")
    monkeypatch.setenv("CC", "gcc -m64")
    assert tools.compiler() == ["gcc", "-m64"]
    assert tools.words(r'"C:\Program Files\LLVM\clang.exe" -m64', posix=False) == [
        r"C:\Program Files\LLVM\clang.exe",
        "-m64",
    ]
    monkeypatch.setenv("CC", "no-such-compiler")
    assert tools.compiler() == [next(name for name in ("cc", "gcc", "clang") if shutil.which(name))]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_temporary_folder_where_nothing_may_be_run(command, tmp_path, monkeypatch):
    """As on servers whose /tmp is mounted so: here the compiler leaves a file that may not be run."""
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\nuntil [ "$1" = -o ]; do shift; done\n: > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    code, _, error = command("small", "--out", tmp_path / "c")
    assert code == 1
    assert re.fullmatch(
        "error: selftest.c does not pass: /.*/selftest can't be started: Permission denied; nothing was written\n",
        error,
    )


BOTH = """
#include "small_one.h"
#include "d.h"
int main(void)
{
    static const uint8_t image[SMALL_ONE_PIXELS] = {0};
    return small_one_selftest() + d_selftest() + (small_one_predict(image) > 9) + (d_predict(image) >= D_CLASSES);
}
"""


def test_two_networks_in_one_program(command, no_boards, tmp_path):
    needs("gcc")
    names = []
    for model, prefix in (("small", "small_one"), (tmp_path / "other.npz", "d")):
        if prefix == "d":
            Network(*Predictor.load("small").network.parameters, "pooled").save(model)
        code, text, _ = command(model, "--out", tmp_path / prefix, "--prefix", prefix, "--max-loss", 100)
        assert code == 0
        assert "2,000 of 2,000 labels, all integers equal" in text
        files = {path.name: path for path in (tmp_path / prefix).iterdir()}
        assert set(files) == {f"{prefix}.h", f"{prefix}.c", f"{prefix}_selftest.c"}
        assert not any(re.search(r"\bdigits[_.]|DIGITS_", path.read_text()) for path in files.values())
        names += [files[f"{prefix}.c"], files[f"{prefix}_selftest.c"]]
    (tmp_path / "both.c").write_text(BOTH)
    own = ["-DSMALL_ONE_NO_MAIN", "-DD_NO_MAIN", "-I", tmp_path / "small_one", "-I", tmp_path / "d"]
    tools.run_tool(["gcc", *tools.STRICT, *own, "-o", tmp_path / "both", tmp_path / "both.c", *names])
    tools.run_tool([tmp_path / "both"])
