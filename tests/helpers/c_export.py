"""Integers of the specification, and the programs made of them."""

import numpy as np
from exports import SMALL

from digitnn_fast import Network, reference
from digitnn_fast.export.c.source import Integers, noise
from digitnn_fast.reference.quantization import quantize

HOSTILE = np.concatenate(
    [np.zeros((1, 784), np.uint8), np.full((1, 784), 255, np.uint8), np.eye(784, dtype=np.uint8)[::37] * 255, noise()]
)


def integers(bits, preprocessing="deskewed", hidden=64):
    W1, b1, W2, b2 = SMALL.parameters
    parameters = Network(W1[:, :hidden], b1[:hidden], W2[:hidden], b2).parameters
    return Integers(quantize(parameters, bits), bits, preprocessing)


def check(network, images, answers):
    wanted = network.logits(images)
    np.testing.assert_array_equal(answers["logits"], wanted)
    np.testing.assert_array_equal(answers["label"], wanted.argmax(axis=1))
    probabilities = reference.softmax_uint8(wanted, network.quantized.scale)
    np.testing.assert_array_equal(answers["probabilities"], probabilities)
