"""What the tests of the commands share: a command in this process, and a folder with a trained model."""

from __future__ import annotations

import pytest
from command_line import TEST_ROWS, TRAIN_ROWS, Folder, Outcome, write_table

from digitnn_fast.commands import app
from digitnn_fast.sample import load_sample


@pytest.fixture
def command(capsys):
    """The command inside this process, which saves starting one: arguments -> Outcome."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = app.run([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Folder:
    digits = load_sample()
    path = tmp_path_factory.mktemp("digits")
    content = digits.train_images[:TRAIN_ROWS], digits.train_labels[:TRAIN_ROWS], digits.test_images[:TEST_ROWS]
    write_table(path / "train.csv", *content[:2])
    write_table(path / "test.csv", content[2])
    assert app.run(["train", "--train", f"{path}/train.csv", "--out", f"{path}/model.npz"]) == 0
    return Folder(path, *content)
