"""LightGBM on the pixels; the digits held out after each 50 rounds of ten trees.

Usage: learn_lightgbm.py TRAIN HELDOUT THREADS ROUNDS
"""

import sys

import lightgbm
import numpy as np
import pandas as pd

train, heldout, threads, rounds = sys.argv[1:]
table = pd.read_csv(train, dtype=np.uint8).to_numpy()
tested = np.zeros(len(table), bool)
tested[np.loadtxt(heldout, dtype=int)] = True
pixels, labels = table[:, 1:].astype(np.float32), table[:, 0]


def show(state: lightgbm.callback.CallbackEnv) -> None:
    if (state.iteration + 1) % 50 == 0:
        print("".join(map(str, state.model.predict(pixels[tested]).argmax(axis=1))), flush=True)


settings = {
    "objective": "multiclass",
    "num_class": 10,
    "num_threads": int(threads),
    "learning_rate": 0.1,
    "feature_fraction": 0.3,
    "force_col_wise": True,
    "verbosity": -1,
    "seed": 0,
}
lightgbm.train(settings, lightgbm.Dataset(pixels[~tested], labels[~tested]), int(rounds), callbacks=[show])
