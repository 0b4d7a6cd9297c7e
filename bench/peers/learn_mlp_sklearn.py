"""scikit-learn's MLPClassifier: one hidden layer, Adam in batches of 200; the digits held out after each epoch.

Usage: learn_mlp_sklearn.py TRAIN HELDOUT HIDDEN EPOCHS
"""

import sys

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier

train, heldout, hidden, epochs = sys.argv[1:]
table = pd.read_csv(train, dtype=np.uint8).to_numpy()
tested = np.zeros(len(table), bool)
tested[np.loadtxt(heldout, dtype=int)] = True
pixels, labels = table[:, 1:] / np.float32(255), table[:, 0]
model = MLPClassifier((int(hidden),), random_state=0)
for _ in range(int(epochs)):
    model.partial_fit(pixels[~tested], labels[~tested], classes=np.arange(10))
    print("".join(map(str, model.predict(pixels[tested]))), flush=True)
