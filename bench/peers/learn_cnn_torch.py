"""The standard CNN for MNIST, that of PyTorch's own examples, with Adam and a one-cycle rate.

Two convolutions, pooling, dropout, two dense layers: 1.2 million parameters. Channels last, which is faster on a CPU.
`augment` turns, scales and moves each digit at random, anew in each epoch.
After each epoch it prints the digits of the rows held out, as one line.

Usage: learn_cnn_torch.py TRAIN HELDOUT THREADS EPOCHS [augment]
"""

import math
import sys

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

BATCH, RATE = 128, 0.003


def network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def augmented(images: torch.Tensor) -> torch.Tensor:
    """The usual: up to 10 degrees, a tenth of the size, two pixels; the whole batch at once."""
    n = len(images)
    angle = torch.empty(n).uniform_(-math.pi / 18, math.pi / 18)
    size = torch.empty(n).uniform_(0.9, 1.1)
    cos, sin, shift = size * angle.cos(), size * angle.sin(), torch.empty(2, n).uniform_(-2 / 14, 2 / 14)
    maps = torch.stack([torch.stack([cos, -sin, shift[0]], 1), torch.stack([sin, cos, shift[1]], 1)], 1)
    return F.grid_sample(images, F.affine_grid(maps, list(images.shape), align_corners=False), align_corners=False)


def main(train: str, heldout: str, threads: str, epochs: str, augment: str = "") -> None:
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    table = torch.tensor(pd.read_csv(train, dtype=np.uint8).to_numpy())
    tested = torch.zeros(len(table), dtype=torch.bool)
    tested[np.loadtxt(heldout, dtype=np.int64)] = True
    images = ((table[:, 1:].float() / 255 - 0.1307) / 0.3081).reshape(-1, 1, 28, 28)
    labels = table[:, 0].long()
    x, y, x_tested = images[~tested], labels[~tested], images[tested]
    ground = images.min()

    model = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    batches = math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=int(epochs) * batches)
    for _ in range(int(epochs)):
        model.train()
        for rows in torch.randperm(len(x)).split(BATCH):
            batch = augmented(x[rows] - ground) + ground if augment else x[rows]  # what moves in is black
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(batch.contiguous(memory_format=torch.channels_last)), y[rows]).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.inference_mode():
            digits = torch.cat([model(part).argmax(1) for part in x_tested.split(1000)])
        print("".join(map(str, digits.tolist())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
