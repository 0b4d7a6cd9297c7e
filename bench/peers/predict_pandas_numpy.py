"""A saved network and Kaggle's test.csv in, submission.csv out, with pandas and NumPy: the usual script.

Usage: predict_pandas_numpy.py MODEL TEST OUT
"""

import sys

import numpy as np
import pandas as pd

model, test, out = sys.argv[1:]
with np.load(model) as arrays:
    W1, b1, W2, b2 = (arrays[name] for name in ("W1", "b1", "W2", "b2"))
images = pd.read_csv(test, dtype=np.uint8).to_numpy() * np.float32(1 / 255)
digits = (np.maximum(images @ W1 + b1, 0) @ W2 + b2).argmax(axis=1)
pd.DataFrame({"ImageId": np.arange(1, len(digits) + 1), "Label": digits}).to_csv(out, index=False)
