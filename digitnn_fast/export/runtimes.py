"""The engines of other people that run an ONNX file on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from digitnn_fast.checks import reason_of
from digitnn_fast.export.ways import Answers, Bytes, SelfTestError, Way, in_blocks
from digitnn_fast.network import Network


class Runtime(NamedTuple):
    """What its ways are called, its package, from which version on, and how it loads a file: to answer for images."""

    name: str
    package: str
    oldest: tuple[int, int]
    load: Callable[[Path], Callable[[Bytes], Answers]]

    def way(self, kind: str, wanted: Callable[[Network, Bytes], Answers], path: Path) -> Way:
        """The way to run the file in it; SelfTestError if it does not load."""
        missing = self._missing()
        return Way(f"{self.name} {kind}", wanted, None if missing else self._runner(path), missing)

    def _missing(self) -> str:
        """The reason why it can't run here; empty if it can."""
        if not find_spec(self.package):
            return f"{self.package} is not installed"
        try:
            version: str = import_module(self.package).__version__
        except Exception as error:  # an installation that does not fit this machine raises whatever it likes
            return f"{self.package} can't be imported: {reason_of(error)}"
        if tuple(int(part) for part in version.split(".")[:2]) < self.oldest:
            return f"it needs {self.package} {'.'.join(map(str, self.oldest))} or newer, this is {version}"
        return ""

    def _runner(self, path: Path) -> Callable[[Bytes], Answers]:
        try:
            answer = self.load(path)
        except Exception as error:
            raise SelfTestError(f"{path.name} does not load in {self.package}: {reason_of(error)}") from error

        def run(images: Bytes) -> Answers:
            try:
                return answer(images)
            except Exception as error:
                raise SelfTestError(f"{path.name} does not run in {self.package}: {reason_of(error)}") from error

        return partial(in_blocks, run)


def _onnxruntime(path: Path) -> Callable[[Bytes], Answers]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: on some machines it warns of graphics cards that it could not ask
    # By its bytes: onnxruntime wants names of files in UTF-8.
    session = onnxruntime.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: Answers(**dict(zip(names, session.run(names, {"images": images}), strict=True)))


def _openvino(path: Path) -> Callable[[Bytes], Answers]:
    import openvino

    core = openvino.Core()
    # It would take bfloat16 on some CPUs, and round what is quantised once more.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    compiled = core.compile_model(core.read_model(path.read_bytes()), "CPU", settings)
    # Labels alone: it divides int32, and multiplies matrices of it, as float32. Seven of 28,000 images were moved or
    # leant by 1/256 more, and a probability by 0.0022.
    return lambda images: Answers(compiled({"images": images})["labels"])


ONNXRUNTIME = Runtime("ONNX", "onnxruntime", (1, 15), _onnxruntime)
OPENVINO = Runtime("OpenVINO", "openvino", (2023, 1), _openvino)
