"""The machine-code cache: who compiles, what is kept, and what is not trusted."""

import json
import os
import shutil

import pytest
from processes import PACKAGE, finish, run, start

from digitnn_fast.kernels.machine.jit import LEVELS, levels_below, settings_for

RELU = """
import numpy as np
from digitnn_fast.kernels import KERNELS
out = np.full(3, np.nan, np.float32)
KERNELS["inference.relu"](np.float32([-1, 0.5, 2]), out)
assert out.tolist() == [0, 0.5, 2], out
"""
WRITE = "from digitnn_fast.kernels.machine import cache; cache.write('new', b'code')\n"  # as a kernel does
# A kernel that nobody keeps, again and again, each time as in a process that has linked none yet.
UNKEPT = """
import sys
import numpy as np
from digitnn_fast.kernels import arguments as things
from digitnn_fast.kernels.machine.kernel import Kernel
from digitnn_fast.kernels.machine.linking import Engine

def check():
    Engine._instance, out = None, np.full(3, np.nan, np.float32)
    Kernel("inference.relu", things.Vector)(np.float32([-1, 0.5, 2]), out)
    assert out.tolist() == [0, 0.5, 2] and "numba" in sys.modules

"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder that holds the kernels relu and softmax."""
    folder = tmp_path_factory.mktemp("cache")
    code = RELU + 'KERNELS["inference.softmax"].load()'
    run(code, NUMBA_CACHE_DIR=str(folder))
    assert sorted(path.name.split("-")[0] for path in folder.iterdir()) == ["inference.relu", "inference.softmax"]
    return folder


def files(folder):
    """The machine code of relu and of softmax."""
    return [next(folder.glob(f"inference.{name}-*.o")) for name in ("relu", "softmax")]


CACHED = 'from digitnn_fast.kernels import KERNELS; print(int(KERNELS["inference.relu"].is_cached()))'


def test_the_cache_is_used(cache):
    relu, _ = files(cache)
    before = relu.stat()
    assert run(RELU + 'import sys; print(int("numba" in sys.modules))', NUMBA_CACHE_DIR=str(cache)) == 0
    assert relu.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.skipif(not levels_below(), reason="this processor is none of those that code is made for in advance")
def test_code_made_for_many_machines_is_used(tmp_path):
    level = next(name for name, made in LEVELS.items() if made == levels_below()[0])
    run(RELU, NUMBA_CACHE_DIR=str(tmp_path), **settings_for(level))
    assert len(list(tmp_path.iterdir())) == 1
    assert run(RELU + 'import sys; print(int("numba" in sys.modules))', NUMBA_CACHE_DIR=str(tmp_path)) == 0
    assert len(list(tmp_path.iterdir())) == 1
    run(RELU, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic")  # another one than is here: nothing stands in
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()  # below a file nobody can write, not even root
    run(RELU, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_beside_the_source_or_else_in_the_users_folder(tmp_path):
    """With a package folder that cannot be written, the user's is used; with neither, none."""
    kernels = tmp_path / "digitnn_fast" / "kernels"
    shutil.copytree(PACKAGE, kernels.parent, ignore=shutil.ignore_patterns("__pycache__", "models", "sample", "kernel"))
    (kernels / "__pycache__").touch()
    where = "import digitnn_fast, sys; assert digitnn_fast.__file__.startswith(sys.argv[1]), digitnn_fast\n"

    def run_copy(code, user):
        run(where + code, tmp_path, folder=tmp_path, PYTHONDONTWRITEBYTECODE="1", XDG_CACHE_HOME=str(user))

    run_copy(RELU, tmp_path / "user")
    assert len(list((tmp_path / "user" / "digitnn-fast").glob("inference.relu-*.o"))) == 1
    run_copy(RELU + 'assert "numba" not in sys.modules', tmp_path / "user")
    run_copy(WRITE, kernels / "__pycache__")

    (kernels / "__pycache__").unlink()
    run_copy(WRITE, tmp_path / "unused")
    assert [path.name for path in (kernels / "__pycache__").iterdir()] == ["new.o"]
    assert not (tmp_path / "unused").exists()


def test_damaged_files_are_not_loaded(cache, tmp_path):
    folder = shutil.copytree(cache, tmp_path / "cache")
    relu, softmax = files(folder)
    sound = relu.read_bytes()
    middle = len(sound) // 2
    damaged = [
        b"",
        sound[:31],
        sound[:32],
        sound[:-1],
        sound[:middle],
        sound + b"\0",
        sound[32:],
        sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :],
        bytes(len(sound)),
        softmax.read_bytes()[32:],
        b"\x7fELF" + bytes(500),
    ]
    code = """
import json, sys, pathlib
from digitnn_fast.kernels import KERNELS
relu = KERNELS["inference.relu"]
answers = []
for content in json.load(open(sys.argv[2])):
    pathlib.Path(sys.argv[1]).write_bytes(bytes.fromhex(content))
    answers.append(relu.is_cached())
print(json.dumps(answers))
"""
    (tmp_path / "contents").write_text(json.dumps([content.hex() for content in [*damaged, sound]]))
    answers = run(code, relu, tmp_path / "contents", NUMBA_CACHE_DIR=str(folder))
    assert answers == [False] * len(damaged) + [True]


@pytest.mark.parametrize(
    "damage",
    [
        lambda relu, _: relu.read_bytes()[:-100],
        pytest.param(
            lambda _, softmax: softmax.read_bytes(),
            id="another kernel's",
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_compiled_anew(damage, cache, tmp_path):
    folder = shutil.copytree(cache, tmp_path / "cache")
    relu, softmax = files(folder)
    relu.write_bytes(damage(relu, softmax))
    run(RELU, NUMBA_CACHE_DIR=str(folder))
    run(RELU + 'import sys; assert "numba" not in sys.modules', NUMBA_CACHE_DIR=str(folder))


def test_two_processes_compile_at_the_same_time(tmp_path):
    processes = [start(RELU, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    for process in processes:
        finish(process)
    assert len(list(tmp_path.iterdir())) == 1
    assert run(CACHED, NUMBA_CACHE_DIR=str(tmp_path)) == 1


def test_numba_is_loaded_by_another_process(tmp_path):
    code = "import sys\nfrom digitnn_fast.kernels import start_compiling\n"
    code += (
        "assert start_compiling('inference.relu', 'inference.softmax')\n" + RELU + 'print(int("numba" in sys.modules))'
    )
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)) == 0
    assert len(list(tmp_path.iterdir())) == 1, "what nobody asked for is not kept, and not waited for"
    assert (
        run(
            code.replace("assert start", "assert not start").replace(", 'inference.softmax'", ""),
            NUMBA_CACHE_DIR=str(tmp_path),
        )
        == 0
    )


@pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")
def test_compiles_here_if_the_other_process_cannot(tmp_path):
    (tmp_path / "file").touch()  # below a file nothing is kept
    programs = [tmp_path / "missing" / "python3"]
    for name, script in (("fails", "exit 1"), ("lies", "echo 'not machine code'"), ("dies", "kill -9 $$")):
        programs.append(tmp_path / name / "python3")
        programs[-1].parent.mkdir()
        programs[-1].write_text(f"#!/bin/sh\n{script}\n")
        programs[-1].chmod(0o755)
    code = UNKEPT + "for sys.executable in sys.argv[1:]:\n    check()"
    run(code, *programs, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))


def test_starts_no_process_where_it_may_not_be_python(tmp_path):
    """In a frozen application, without a name, and under another name than Python's."""
    (tmp_path / "file").touch()
    program = tmp_path / "application"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    code = UNKEPT + (
        "for sys.executable, sys.frozen in ((sys.executable, True), ('', False), (sys.argv[1], False)):\n    check()"
    )
    run(code, program, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert not (tmp_path / "started").exists()


# Who may be trusted

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs users and modes")
ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be others")
WARNED = """
import json, sys, warnings
from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.machine import cache
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = [KERNELS["inference.relu"].is_cached() for _ in range(2)]
    cache.write("new", b"code")
print(json.dumps([found, [str(warning.message) for warning in caught]]))
"""


@POSIX
@pytest.mark.parametrize(
    ("whose", "mode", "owner", "reason"),
    [
        ("folder", 0o777, 0, "every user may write it"),
        ("file", 0o666, 0, "every user may write it"),
        pytest.param("folder", 0o755, 4321, "another user owns it", marks=ROOT),
        pytest.param("file", 0o644, 4321, "another user owns it", marks=ROOT),
        pytest.param("folder", 0o775, (0, 4321), "other users of its group may write it", marks=ROOT),
        ("folder", 0o755, 0, ""),
        ("file", 0o644, 0, ""),
    ],
)
def test_what_others_could_have_written_is_not_loaded(whose, mode, owner, reason, cache, tmp_path):
    folder = shutil.copytree(cache, tmp_path / "cache")
    relu, _ = files(folder)
    changed = relu if whose == "file" else folder
    if owner:
        os.chown(changed, *(owner if isinstance(owner, tuple) else (owner, -1)))
    changed.chmod(mode)
    found, warnings = run(WARNED, NUMBA_CACHE_DIR=str(folder))
    assert found == [not reason] * 2
    assert len(warnings) == bool(reason)  # once
    assert all(str(changed) in text and reason in text for text in warnings)
    assert (folder / "new.o").exists() == (whose == "file" or not reason)  # nothing is put into such a folder


@POSIX
@pytest.mark.parametrize(
    "environment", [{"NUMBA_CACHE_DIR": "cache"}, {"HOME": "here", "XDG_CACHE_HOME": "here"}, {"HOME": "~"}]
)
def test_nothing_is_loaded_from_the_current_folder(environment, cache, tmp_path):
    """Neither by a relative path, nor by the `~` of a user without a home."""
    kernels = tmp_path / "digitnn_fast" / "kernels"
    shutil.copytree(PACKAGE, kernels.parent, ignore=shutil.ignore_patterns("__pycache__", "models", "sample", "kernel"))
    (kernels / "__pycache__").touch()  # below a file nobody can write
    for place in ("cache", "here/digitnn-fast", "~/.cache/digitnn-fast", "here/.cache/digitnn-fast"):
        shutil.copytree(cache, tmp_path / place)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    code = "import warnings; warnings.simplefilter('ignore')\n" + WRITE + CACHED
    assert run(code, folder=tmp_path, PYTHONDONTWRITEBYTECODE="1", **environment) == 0
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


@POSIX
def test_others_may_read_what_is_kept(tmp_path):
    old = os.umask(0o022)
    try:
        run(WRITE, NUMBA_CACHE_DIR=str(tmp_path / "new"))
    finally:
        os.umask(old)
    [kept] = (tmp_path / "new").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o644 and kept.parent.stat().st_mode & 0o777 == 0o755


@POSIX
@pytest.mark.parametrize("in_its_place", [os.mkdir, os.mkfifo])
def test_what_stands_in_a_files_place_does_no_harm(in_its_place, cache, tmp_path):
    folder = shutil.copytree(cache, tmp_path / "cache")
    relu, softmax = files(folder)
    relu.unlink()
    in_its_place(relu)
    litter = folder / ".digitnn-fast-code-1-00000000.tmp"
    others = folder / ".digitnn-fast-code-2-00000000.tmp", folder / "mine.tmp"
    for path in (litter, *others):
        path.touch()
    os.utime(litter, (0, 0))
    os.utime(others[1], (0, 0))
    code = "import sys; from digitnn_fast.kernels.machine import cache\nassert cache.find(sys.argv[1]) is None\n"
    run(code + "cache.write(sys.argv[1], b'code')", relu.stem, NUMBA_CACHE_DIR=str(folder))
    assert sorted(folder.iterdir()) == sorted([relu, softmax, *others])
