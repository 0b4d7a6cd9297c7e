"""scikit-learn's SVC with an RBF kernel on so many principal components, or on all pixels if that is 0.

Usage: learn_svc_sklearn.py TRAIN HELDOUT ROWS COMPONENTS
"""

import sys

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.svm import SVC

train, heldout, rows, components = sys.argv[1:]
table = pd.read_csv(train, dtype=np.uint8).to_numpy()
tested = np.zeros(len(table), bool)
tested[np.loadtxt(heldout, dtype=int)] = True
pixels, labels = table[:, 1:] / np.float32(255), table[:, 0]
learned = np.random.default_rng(0).permutation(np.flatnonzero(~tested))[: int(rows)]
x, x_tested = pixels[learned], pixels[tested]
if int(components):
    pca = PCA(int(components), random_state=0).fit(x)
    x, x_tested = pca.transform(x), pca.transform(x_tested)
model = SVC(C=10, gamma=0.04, cache_size=2000).fit(x, labels[learned])
print("".join(map(str, model.predict(x_tested))), flush=True)
