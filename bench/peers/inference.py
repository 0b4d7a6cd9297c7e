"""The same network in other runtimes: from uint8 images (n, 784) to probabilities (n, 10), or to labels (n,) in int8.

Each gets what helps it: float32, the pixels' scale inside the weights, its number of threads set, its best batch.
A rival that is not installed is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from digitnn_fast import Network
from digitnn_fast.kernels.machine.jit import has_feature
from digitnn_fast.preprocessing.graph import Graph
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.sizes import PIXEL_SCALE

Predict = Callable[[np.ndarray], np.ndarray]


def with_numpy(network: Network, threads: int) -> Predict:
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()  # looking for libraries takes long, setting their threads does not
    W1, b1, W2, b2 = network.parameters
    W1 = W1 * np.float32(PIXEL_SCALE)

    def predict(images: np.ndarray) -> np.ndarray:
        with controller.limit(limits=threads):
            hidden = images.astype(np.float32) @ W1
            hidden += b1
            np.maximum(hidden, 0, out=hidden)
            z = hidden @ W2
            z += b2
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    return predict


def with_sklearn(network: Network, threads: int) -> Predict:
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import LabelBinarizer
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    W1, b1, W2, b2 = network.parameters
    model = MLPClassifier((network.hidden,))
    model.coefs_, model.intercepts_ = [W1 * np.float32(PIXEL_SCALE), W2], [b1, b2]
    model.n_layers_, model.n_outputs_, model.out_activation_ = 3, 10, "softmax"
    model._label_binarizer = LabelBinarizer().fit(np.arange(10))

    def predict(images: np.ndarray) -> np.ndarray:
        with controller.limit(limits=threads):
            return model.predict_proba(images.astype(np.float32))

    return predict


def with_torch(network: Network, threads: int) -> Predict:
    import torch

    W1, b1, W2, b2 = (torch.from_numpy(np.array(array)) for array in network.parameters)
    first = torch.nn.Linear(784, network.hidden)
    second = torch.nn.Linear(network.hidden, 10)
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.Softmax(1)).eval()
    with torch.no_grad():
        for layer, W, b in ((first, W1 * PIXEL_SCALE, b1), (second, W2, b2)):
            layer.weight.copy_(W.T)
            layer.bias.copy_(b)

    def predict(images: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return model(torch.from_numpy(images).float()).numpy()

    return predict


def with_jax(network: Network, threads: int) -> Predict:
    """XLA takes as many threads as there are CPUs for it when it starts, so it sees as many as it may use."""
    import jax
    import jax.numpy as jnp

    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cpus)[:threads])
    jax.devices("cpu")
    os.sched_setaffinity(0, cpus)

    W1, b1, W2, b2 = network.parameters
    W1 = W1 * np.float32(PIXEL_SCALE)

    @jax.jit
    def forward(images: jax.Array) -> jax.Array:
        hidden = jax.nn.relu(images.astype(jnp.float32) @ W1 + b1)
        return jax.nn.softmax(hidden @ W2 + b2)

    return lambda images: np.asarray(forward(images))


def with_openvino(network: Network, threads: int) -> Predict:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    model = core.compile_model(core.read_model(onnx_float32(network)), "CPU", settings)
    request = model.create_infer_request()
    return lambda images: request.infer([images], share_inputs=True)[0]


def with_onnxruntime(network: Network, threads: int) -> Predict:
    return session(onnx_float32(network), threads)


def with_onnxruntime_int8(network: Network, threads: int) -> Predict:
    return session(onnx_int8(network), threads)


def onnx_float32(network: Network) -> bytes:
    """An ONNX file: Cast, Gemm, Relu, Gemm, Softmax."""
    W1, b1, W2, b2 = network.parameters
    g = Graph()
    hidden = g("Relu", g("Gemm", g.cast("images", np.float32), W1 * np.float32(PIXEL_SCALE), b1))
    g("Softmax", g("Gemm", hidden, W2, b2), name="answer", axis=1)
    return g.model({"answer": (np.float32, (10,))}, {})


def onnx_int8(network: Network) -> bytes:
    """Our own integers in the first layer, which is 98 % of the work: MatMulInteger; the second one in float32.

    Without VNNI onnxruntime multiplies uint8 by int8 with an instruction that saturates, and gives other labels.
    """
    parts = quantize(network.parameters)
    weights = [parts.W1]
    if not has_feature("avx512vnni"):
        weights = [(parts.W1.astype(np.int16) + 128).astype(np.uint8), np.array(0, np.uint8), np.array(128, np.uint8)]
    unit = np.float32(parts.scale / 2.0**parts.shift)
    g = Graph()
    sums = g.cast(g("MatMulInteger", "images", *weights), np.float32)
    hidden = g("Relu", g("Add", sums, parts.b1.astype(np.float32)))
    g("ArgMax", g("Gemm", hidden, parts.W2 * unit, network.parameters.b2), name="answer", axis=1, keepdims=0)
    return g.model({"answer": (np.int64, ())}, {})


def session(model: bytes, threads: int, output: int = 0) -> Predict:
    """One of the outputs of an ONNX file, in onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda images: loaded.run(None, {"images": images})[output]


def descriptions(images: np.ndarray) -> dict[str, Callable[[], object]]:
    """Works that describe images (n, 784) by the histograms of gradients that others would take, one thread."""
    if not find_spec("cv2"):
        return {}
    import cv2

    cv2.setNumThreads(1)
    hog = cv2.HOGDescriptor((28, 28), (8, 8), (4, 4), (4, 4), 9)  # 36 blocks of 4 cells, 9 directions
    squares = list(images.reshape(-1, 28, 28))
    return {"OpenCV's HOGDescriptor (1,296 values)": lambda: [hog.compute(square) for square in squares]}


def _installed(table: dict[str, tuple[str, Callable[[Network, int], Predict]]]) -> dict:
    return {name: peer for name, (module, peer) in table.items() if find_spec(module)}


FLOAT32 = _installed(
    {
        "NumPy": ("threadpoolctl", with_numpy),
        "onnxruntime": ("onnxruntime", with_onnxruntime),
        "scikit-learn": ("sklearn", with_sklearn),
        "PyTorch": ("torch", with_torch),
        "OpenVINO": ("openvino", with_openvino),
        "JAX": ("jax", with_jax),
    }
)
INT8 = _installed({"onnxruntime int8": ("onnxruntime", with_onnxruntime_int8)})
