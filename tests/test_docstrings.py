"""What `help` shows: every public name has an example, and the examples run."""

import doctest
import importlib
import inspect

import pytest

import digitnn_fast
from digitnn_fast import evaluation, kaggle, reference, sample, utils
from digitnn_fast.kernels.machine.jit import DISABLE_JIT

ROOMS = evaluation, kaggle, reference, sample, utils  # where the tour and the READMEs send people, too
MODULES = (
    *("", ".classifier", ".evaluation", ".images", ".kaggle", ".kaggle.form", ".kaggle.stream", ".kaggle.submission"),
    *(".kaggle.validation", ".network"),
    *(".predictor", ".reference.inference", ".reference.int8", ".reference.learning", ".sample", ".training.loop"),
    ".utils",
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public():
    things = {name: getattr(digitnn_fast, name) for name in digitnn_fast.__all__ if not name.startswith("_")}
    for room in ROOMS:
        for name, function in inspect.getmembers(room, inspect.isfunction):
            own = function.__module__.startswith(room.__name__) and not name.startswith("_")
            if own and name in getattr(room, "__all__", [name]):
                things[f"{room.__name__}.{name}"] = function
    return things


@pytest.mark.parametrize("name", public())
def test_a_public_name_has_an_example(name):
    assert ">>> " in inspect.getdoc(public()[name])


def test_every_method_of_a_public_class_is_explained():
    classes = [thing for thing in public().values() if inspect.isclass(thing)]
    methods = [
        (thing.__name__, name, method)
        for thing in classes
        for name, method in inspect.getmembers(thing, callable)
        if not name.startswith("_")
    ]
    assert len(methods) > 15
    assert not [(owner, name) for owner, name, method in methods if not inspect.getdoc(method)]


@pytest.mark.skipif(DISABLE_JIT, reason="trains, which takes minutes in plain Python")
@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module("digitnn_fast" + module), optionflags=OPTIONS)
    assert tried
    assert not failed


def test_help_gives_the_tour():
    tour = inspect.getdoc(digitnn_fast)
    for name in digitnn_fast.__all__:
        assert name in tour or name in ("__version__", "predict")
