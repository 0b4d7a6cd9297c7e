"""A saved network and Kaggle's test.csv in, submission.csv out, with polars and onnxruntime: the fast script.

The network is made into an ONNX file beside the output at the first run, which does not count.
Usage: predict_polars_onnxruntime.py MODEL TEST OUT
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl

model, test, out = sys.argv[1:]
path = Path(out).with_suffix(".onnx")
if not path.exists():
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from bench.peers.inference import onnx_float32
    from digitnn_fast import Network

    path.write_bytes(onnx_float32(Network.load(model)))
columns = dict.fromkeys((f"pixel{pixel}" for pixel in range(784)), pl.UInt8)
images = pl.read_csv(test, schema=columns).to_numpy(order="c")
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
digits = np.concatenate(
    [session.run(None, {"images": images[i : i + 1024]})[0].argmax(axis=1) for i in range(0, len(images), 1024)]
)
pl.DataFrame({"ImageId": np.arange(1, len(digits) + 1), "Label": digits}).write_csv(out)
