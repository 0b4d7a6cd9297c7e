"""What an installer is told, and what it gets."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import requires
from xml.etree import ElementTree

import pytest
from checkout import ROOT
from packaging.requirements import Requirement
from processes import PACKAGE
from programs import HANGS

from digitnn_fast import __version__

DOCUMENTED = "bench", "digitnn_fast", "kernel", "submission", "tests"
LINUX = {"platform_python_implementation": "CPython", "python_version": "3.13", "platform_machine": "x86_64"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        (LINUX, True),
        (LINUX | {"platform_machine": "AMD64"}, True),  # Windows
        (LINUX | {"platform_machine": "arm64"}, True),  # macOS
        (LINUX | {"platform_machine": "aarch64"}, True),
        (LINUX | {"platform_machine": "armv7l"}, False),  # Raspberry Pi OS with 32 bits
        (LINUX | {"platform_machine": "wasm32"}, False),  # Pyodide
        (LINUX | {"platform_python_implementation": "PyPy"}, False),
        (LINUX | {"python_version": "3.15"}, False),
    ],
)
def test_numba_is_asked_for_where_it_can_be_had(environment, wanted):
    [numba] = [need for need in map(Requirement, requires("digitnn-fast")) if need.name == "numba"]
    assert numba.marker
    assert numba.marker.evaluate(environment) == wanted


def load_setup():
    """setup.py, which does nothing when it is imported."""
    spec = importlib.util.spec_from_file_location("setup_of_digitnn_fast", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_the_description_are_absolute_once_there_is_an_address():
    description = load_setup().description
    text = '[a](kernel/x.md) [b](https://kaggle.com/c) ![c](bench/a.svg) <img src="bench/b.svg" alt="d"> [e](#here)'
    assert description(text, "") == text
    assert description(text, "https://host/name") == (
        "[a](https://host/name/blob/main/kernel/x.md) [b](https://kaggle.com/c) "
        '![c](https://host/name/raw/main/bench/a.svg) <img src="https://host/name/raw/main/bench/b.svg" alt="d"> '
        "[e](#here)"
    )


def test_links_between_documents_lead_to_files():
    documents = [ROOT / "README.md", *(path for name in DOCUMENTED for path in (ROOT / name).rglob("*.md"))]
    links = [
        (document.relative_to(ROOT).as_posix(), link)
        for document in documents
        for link in re.findall(r"""(?:\]\(|\b(?:src|srcset|href)=")([^)"\s#]+)""", document.read_text(encoding="utf-8"))
        if not re.match("[a-z]+:", link)
    ]
    assert len(links) > 15
    assert not [(name, link) for name, link in links if not (ROOT / name).parent.joinpath(link).exists()]


def test_a_citation_has_the_same_address_and_version():
    home, citation = load_setup().HOME, (ROOT / "digitnn_fast" / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall("^repository-code: (.*)", citation, re.MULTILINE) == [home] * bool(home)
    assert re.findall("^version: (.*)", citation, re.MULTILINE) == [__version__]


def test_pictures_of_the_readme_are_there_and_small():
    text = load_setup().description((ROOT / "README.md").read_text(encoding="utf-8"), "https://host/name")
    pictures = re.findall(r"https://host/name/raw/main/([^)\"\s]+)", text)
    assert len(pictures) >= 3
    for picture in pictures:
        content = (ROOT / picture).read_bytes()
        assert len(content) < 64_000
        assert ElementTree.fromstring(content).tag.endswith("svg")


CACHES = shutil.ignore_patterns(
    "__pycache__", ".*_cache", ".venv", ".git", "*.egg-info", "build", "dist", ".hypothesis"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a checkout without symbolic links, of what is built in it, and what the builder said."""
    source = shutil.copytree(ROOT, tmp_path_factory.mktemp("clone") / "source", ignore=CACHES)
    assert not [path for path in source.rglob("*") if path.is_symlink()]
    (source / "tests" / "__pycache__").mkdir()
    (source / "tests" / "__pycache__" / "left.pyc").touch()
    out = source.with_name("out")
    build = [sys.executable, "-m", "build", "--outdir", out, source]
    done = subprocess.run(build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout
    return source, out, done.stdout


@pytest.mark.once
def test_what_is_built_is_complete(built):
    source, out, said = built
    assert "warning: no" not in said and "Warning" not in said
    [wheel], [sdist] = out.glob("*.whl"), out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    package = {path.relative_to(source).as_posix() for path in (source / "digitnn_fast").rglob("*") if path.is_file()}
    notebook = {f"digitnn_fast/kernel/{path.name}" for path in (source / "kernel").iterdir()}
    assert {name for name in packed if not name.startswith("digitnn_fast-")} == package | notebook
    with tarfile.open(sdist) as archive:
        kept = {name.partition("/")[2] for name in archive.getnames()}
    folders = "digitnn_fast", "bench", "kernel", "submission", "tests", ".ci"
    every = {path.relative_to(source).as_posix() for folder in folders for path in (source / folder).rglob("*")}
    files = {name for name in every if (source / name).is_file() and "__pycache__" not in name}
    assert files | {"README.md", "LICENSE", "pyproject.toml", "setup.py"} <= kept
    assert not [name for name in kept if "__pycache__" in name]


@pytest.mark.once
def test_types_are_seen_in_an_editable_install(built, tmp_path):
    """mypy and pyright follow a path in a .pth, and no finder that is code."""
    from build import ProjectBuilder
    from build.env import DefaultIsolatedEnv

    source = built[0]
    with DefaultIsolatedEnv() as place:
        builder = ProjectBuilder.from_isolated_env(place, source)
        place.install(builder.build_system_requires)
        place.install(builder.get_requires_for_build("editable"))
        wheel = builder.build("editable", tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        [link] = [name for name in archive.namelist() if "/" not in name]
        assert link.endswith(".pth") and archive.read(link).decode().splitlines() == [str(source)]
    assert (source / "digitnn_fast" / "py.typed").exists()


@pytest.mark.once
def test_the_index_would_take_it(built):
    check = [sys.executable, "-m", "twine", "check", "--strict", *built[1].iterdir()]
    done = subprocess.run(check, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.once
def test_the_source_distribution_tests_itself(built, tmp_path):
    """A few tests of each kind; all of them would only take longer."""
    with tarfile.open(next(built[1].glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    files = "tests/test_utils.py", "tests/test_promise.py", "tests/test_map.py", "tests/reference"
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *files]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTHONPATH"] = str(folder)
    # Its kernels are ours, so ours need not be compiled once more.
    environment["NUMBA_CACHE_DIR"] = str(PACKAGE / "kernels" / "__pycache__")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d{2,} passed", done.stdout)
