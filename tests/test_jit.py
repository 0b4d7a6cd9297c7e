"""The machine-code cache, what a kernel refuses, and the same results on processors that can do less."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import digitnn_fast
from digitnn_fast import Network, Predictor
from digitnn_fast.kernels import KERNELS
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters

PACKAGE = Path(digitnn_fast.__file__).parent
RELU = """
import numpy as np
from digitnn_fast.kernels import KERNELS
out = np.full(3, np.nan, np.float32)
KERNELS["inference.relu"](np.float32([-1, 0.5, 2]), out)
assert out.tolist() == [0, 0.5, 2], out
"""


def start(code, *arguments, folder=PACKAGE.parent, **environment):
    """A Python process that imports the package in `folder`, and sees none of this one's settings for numba."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, env=inherited | environment, **pipes)


def finish(process):
    """What the process printed, as JSON."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(out or "null")


def run(code, *arguments, **environment):
    return finish(start(code, *arguments, **environment))


# What is imported


def test_import_loads_nothing_heavy():
    assert (
        run("""
import sys, json
import digitnn_fast
digitnn_fast.__version__, dir(digitnn_fast)
print(json.dumps(sorted({"numba", "llvmlite", "pandas", "numpy", "PIL"} & set(sys.modules))))
""")
        == []
    )


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="there is no machine code")
def test_a_warm_process_predicts_without_numba(tmp_path):
    Network(*initialize_parameters(1, 8)).save(tmp_path / "model.npz")
    code = """
import sys, json
import numpy as np
from digitnn_fast import Predictor
predictor = Predictor.load(sys.argv[1])
made = "llvmlite" in sys.modules
predictor.predict(np.zeros((2000, 784), np.uint8)), predictor.predict_proba(np.zeros(784))
print(json.dumps([made, "numba" in sys.modules, "pandas" in sys.modules]))
"""
    run(code, tmp_path / "model.npz")  # compiles, if nobody has yet
    made, *heavy = run(code, tmp_path / "model.npz")
    assert heavy == [False, False]
    assert made, "a predictor must have its kernels before anybody can fork"


# The cache


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


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()  # below a file nobody can write, not even root
    run(RELU, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_beside_the_source_or_else_in_the_users_folder(tmp_path):
    """With a package folder that cannot be written, the user's is used; with neither, none."""
    kernels = tmp_path / "digitnn_fast" / "kernels"
    shutil.copytree(PACKAGE / "kernels", kernels, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "utils.py"):
        shutil.copy(PACKAGE / name, kernels.parent)
    (kernels / "__pycache__").touch()
    code = RELU + "import digitnn_fast, sys; assert digitnn_fast.__file__.startswith(sys.argv[1]), digitnn_fast"

    def run_copy(code, user):
        run(code, tmp_path, folder=tmp_path, PYTHONDONTWRITEBYTECODE="1", XDG_CACHE_HOME=str(user))

    run_copy(code, tmp_path / "user")
    assert len(list((tmp_path / "user" / "digitnn-fast").glob("inference.relu-*.o"))) == 1
    run_copy(code + '; assert "numba" not in sys.modules', tmp_path / "user")
    run_copy(code, kernels / "__pycache__")

    (kernels / "__pycache__").unlink()
    run_copy(code, tmp_path / "unused")
    assert len(list((kernels / "__pycache__").glob("inference.relu-*.o"))) == 1
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
    assert run(CACHED, NUMBA_CACHE_DIR=str(folder)) == 1
    run(RELU + 'import sys; assert "numba" not in sys.modules', NUMBA_CACHE_DIR=str(folder))


def test_two_processes_compile_at_the_same_time(tmp_path):
    processes = [start(RELU, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    for process in processes:
        finish(process)
    assert len(list(tmp_path.iterdir())) == 1
    assert run(CACHED, NUMBA_CACHE_DIR=str(tmp_path)) == 1


# What a kernel takes

ROWS, OUT = np.zeros((2, 4, 10), np.float32)
TAKES = "inference.softmax takes a C-contiguous float32 array with 2 axes, not "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ROWS.astype(np.float64), OUT), TAKES + "float64(4, 10)"),
        ((ROWS.astype(">f4"), OUT), TAKES + ">f4(4, 10)"),
        ((ROWS, np.zeros((4, 10), np.int32)), TAKES + "int32(4, 10)"),
        ((ROWS[0], OUT), TAKES + "float32(10,)"),
        ((ROWS[None], OUT), TAKES + "float32(1, 4, 10)"),
        ((ROWS[::2], OUT), TAKES + "float32(2, 10)"),
        ((ROWS, np.asfortranarray(OUT)), TAKES + "float32(4, 10)"),
        ((ROWS[:, ::-1], OUT), TAKES + "float32(4, 10)"),
        ((ROWS.tolist(), OUT), TAKES + "list"),
        ((ROWS, None), TAKES + "NoneType"),
        ((ROWS, np.float32(1)), TAKES + "float32"),
        ((ROWS,), "inference.softmax takes 2 arguments, not 1"),
        ((ROWS, OUT, OUT), "inference.softmax takes 2 arguments, not 3"),
    ],
)
def test_wrong_arrays_are_refused(arguments, message):
    with pytest.raises(TypeError) as refusal:
        KERNELS["inference.softmax"](*arguments)
    assert str(refusal.value) == message


@pytest.mark.parametrize("number", [None, [1, 2], 1j, "x", 1.5])
def test_wrong_numbers_are_refused(number):
    images = np.zeros((1, 784), np.uint8)
    arrays = np.zeros(5, np.int64), np.zeros(800, np.uint8), np.zeros(512, np.int32), images.copy()
    with pytest.raises(TypeError):
        KERNELS["augment.distort_all"](images, number, *arrays)


# The processes that compile

WITHOUT_NUMBA = RELU + 'print(int("numba" in sys.modules))'


def test_numba_is_loaded_by_another_process(tmp_path):
    code = "import sys\nfrom digitnn_fast.kernels import start_compiling\n"
    code += "assert start_compiling('inference.relu', 'inference.softmax')\n" + WITHOUT_NUMBA
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
@pytest.mark.parametrize("script", ["exit 1", "echo 'not machine code'", "kill -9 $$", None])
def test_compiles_here_if_the_other_process_cannot(script, tmp_path):
    program = tmp_path / "python3"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    code = f"import sys; sys.executable = {str(program)!r}" + WITHOUT_NUMBA
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == 1


@pytest.mark.parametrize("setting", ["sys.frozen = True", "sys.executable = ''", "sys.executable = sys.argv[1]"])
def test_starts_no_process_where_it_may_not_be_python(setting, tmp_path):
    program = tmp_path / "application"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    code = f"import sys; {setting}" + WITHOUT_NUMBA
    assert run(code, program, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == 1
    assert not (tmp_path / "started").exists()


# Other processors

CHECK = """
import json, sys, warnings
import numpy as np
from digitnn_fast import Network, Predictor, deskewing, directions, distortion, pooling, reference, train
from digitnn_fast.engines import prepare
from digitnn_fast.sample import load_sample
from digitnn_fast.recipes import Distortion, Recipe
from digitnn_fast.utils import Parameters, initialize_parameters

warnings.filterwarnings("ignore", "overflow", RuntimeWarning)  # of the hash, in pure Python
rows, hidden = map(int, sys.argv[1:])
sample = load_sample()
images, labels = sample.train_images[:rows], sample.train_labels[:rows]
network = Network(*initialize_parameters(1, hidden))

def far(got, wanted, share=1.0):
    distances = np.concatenate([np.abs(a - b).ravel() for a, b in zip(got, wanted)])
    return float(np.quantile(distances, share)) if np.isfinite(distances).all() else 1e9

expected = reference.forward(network.parameters, images).probabilities
answers = {"probabilities": far([Predictor(network, threads=1).predict_proba(images)], [expected])}
answers["alone"] = far([Predictor(network, threads=1).predict_proba(images[0])], [expected[0]])
answers["int8"] = Predictor(network, threads=1, precision="int8").predict(images).tolist()
answers["deskewed"] = float(np.mean(prepare(images, "deskewed") != deskewing.deskew(images)))
answers["directions"] = float(np.mean(prepare(images, "directions") != directions.describe_upright(images)))
answers["pooled"] = float(np.mean(prepare(images, "pooled") != pooling.pool_upright(images)))

# Two steps of descent on distorted images; the key of each epoch as training.py draws it.
distorting = Recipe("", "", hidden, 2, 0.1, distortion=Distortion(0.1, 0.1, 0.1, 2.0, 3.0))
wanted, random = initialize_parameters(0, hidden), np.random.default_rng((0, 2))
for _ in range(2):
    seen = distortion.distort(images, int(random.integers(2**62)), distorting.distortion.limits())
    wanted = reference.train(wanted, seen, labels, 1, 0.1)
answers["descent"] = far(train(images, labels, distorting, heldout=0, threads=1).parameters, wanted)

wanted = reference.train(initialize_parameters(0, hidden), images, labels, 3, 0.1)
got = train(images, labels, Recipe("", "", hidden, 3, 0.1), heldout=0, threads=1).parameters
answers["full batch"] = far(got, wanted)

start = initialize_parameters(0, hidden)
nothing = Parameters(*(np.zeros(array.shape) for array in start))
gradients, moments = reference.backward(start, images, labels), reference.Moments(nothing, nothing)
wanted, _ = reference.adam_step(start, gradients, moments, 1, reference.cosine_rate(1, 1, 0.01))
got = train(images, labels, Recipe("", "", hidden, 1, 0.01, batch=rows, adam=True), heldout=0, threads=1).parameters
answers["adam"] = far(got, wanted, 0.999)  # all but those that float32 may turn round: see test_training.py
print(json.dumps(answers))
"""


def host_has(*features):
    import llvmlite.binding as llvm

    return all(llvm.get_host_cpu_features().get(feature, False) for feature in features)


def variant(name, features=None, needs=()):
    settings = {} if name is None else {"NUMBA_CPU_NAME": name}
    if features is not None:
        settings["NUMBA_CPU_FEATURES"] = features
    lacking = pytest.mark.skipif(not host_has(*needs), reason=f"this processor lacks one of {needs}")
    return pytest.param(
        settings, marks=lacking, id=f"{name or 'host'}, {features or ('its own', 'none')[features == '']}"
    )


AVX512 = "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"


@pytest.mark.parametrize(
    "settings",
    [
        variant(None),
        variant(None, ""),
        variant("generic"),
        variant("generic", "+avx2,+fma", needs=("avx2", "fma")),
        variant("generic", ",".join(f"+{feature}" for feature in AVX512), needs=AVX512),
    ],
)
def test_other_processors_agree_with_the_reference(settings):
    """Also in their int8 labels, which are the same on every machine."""
    answers = run(CHECK, 200, 40, **settings)
    images = load_sample().train_images[:200]
    int8 = Predictor(Network(*initialize_parameters(1, 40)), precision="int8")
    assert answers.pop("int8") == int8.predict(images).tolist()
    for name, distance in answers.items():
        assert distance < 1e-5, name


def test_pure_python_agrees_with_the_reference():
    """NUMBA_DISABLE_JIT: the same functions, with NumPy in the place of vector instructions."""
    answers = run(CHECK, 5, 10, NUMBA_DISABLE_JIT="1")
    images = load_sample().train_images[:5]
    int8 = Predictor(Network(*initialize_parameters(1, 10)), precision="int8")
    assert answers.pop("int8") == int8.predict(images).tolist()
    for name, distance in answers.items():
        assert distance < 1e-5, name
