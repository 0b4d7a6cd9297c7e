"""The independent oracle: the network in `for` loops and `math`, importing nothing of the package.

One image at a time, as nested lists: W1[pixel][unit], b1[unit], W2[unit][digit], b2[digit], pixels 0..255.
"""

import itertools
import math
from fractions import Fraction


def relu(z):
    return z if z > 0 else 0.0


def softmax(logits):
    largest = max(logits)
    powers = [math.exp(logit - largest) for logit in logits]
    return [power / math.fsum(powers) for power in powers]


def affine(inputs, weights, biases):
    return [
        math.fsum([bias, *(value * row[unit] for value, row in zip(inputs, weights, strict=True))])
        for unit, bias in enumerate(biases)
    ]


def forward(W1, b1, W2, b2, pixels):
    """Hidden values (H), logits (10) and probabilities (10) of one image (784)."""
    hidden = [relu(z) for z in affine([pixel / 255 for pixel in pixels], W1, b1)]
    logits = affine(hidden, W2, b2)
    return hidden, logits, softmax(logits)


def predict(probabilities):
    """The most probable digit, the lowest of a tie."""
    return max(range(len(probabilities)), key=lambda digit: (probabilities[digit], -digit))


def loss(W1, b1, W2, b2, images, labels, smoothing=0.0):
    """Mean cross-entropy in nats; `smoothing` is the share of a label that is spread over all digits."""
    losses = []
    for pixels, label in zip(images, labels, strict=True):
        costs = [-math.log(p) for p in forward(W1, b1, W2, b2, pixels)[2]]
        losses.append((1 - smoothing) * costs[label] + smoothing * math.fsum(costs) / len(costs))
    return math.fsum(losses) / len(losses)


def slope(function, values, index, step=1e-5):
    """Central difference of `function()` in values[index], which is put back."""
    middle = values[index]
    values[index] = middle + step
    above = function()
    values[index] = middle - step
    below = function()
    values[index] = middle
    return (above - below) / (2 * step)


def nearest(value):
    """The nearest integer of an exact fraction, a half rounded up."""
    return math.floor(value + Fraction(1, 2))


def deskew(pixels):
    """An image (784) upright and in the middle, one pixel at a time, by fractions of rounded moments."""
    level = {(k % 28, k // 28): value for k, value in enumerate(pixels)}
    mass = {(x - 14, y - 14): value // 8 for (x, y), value in level.items()}
    total = sum(mass.values())
    middle_x, middle_y, slant = 0, 0, 0
    if total:
        middle_x = nearest(Fraction(256 * sum(x * value for (x, _), value in mass.items()), total))
        middle_y = nearest(Fraction(256 * sum(y * value for (_, y), value in mass.items()), total))
        near_x, near_y = nearest(Fraction(middle_x, 256)), nearest(Fraction(middle_y, 256))
        mean = middle_y - 256 * near_y
        around = [(x - near_x, y - near_y, value) for (x, y), value in mass.items()]
        covariance = sum(x * (256 * y - mean) * value for x, y, value in around)
        variance = math.floor(Fraction(sum(y * (256 * y - mean) * value for _, y, value in around), 256))
        slant = max(-256, min(256, nearest(Fraction(covariance, variance)))) if variance else 0
    middle_x, middle_y = middle_x + 14 * 256, middle_y + 14 * 256

    upright = []
    for row in range(28):
        source = row + math.ceil(Fraction(middle_y + 1, 256)) - 14
        for column in range(28):
            slide = middle_x - 3456 + nearest(Fraction(slant * (256 * source - middle_y), 256))  # 3456 is 13.5
            here, there = (level.get((column + slide // 256 + k, source), 0) for k in (0, 1))
            share = slide % 256
            upright.append(nearest(Fraction(here * (256 - share) + there * share, 256)))
    return upright


def pool(pixels):
    """The middle 24 by 24 pixels of an image (784) in 16 by 16, the mean over 1.5 by 1.5 of them each, in fractions."""
    small = [0] * 784
    for row, column in itertools.product(range(16), repeat=2):
        (top, bottom), (left, right) = ((Fraction(3 * at, 2), Fraction(3 * at + 3, 2)) for at in (row, column))
        total = Fraction(0)
        for y in range(math.floor(top), math.ceil(bottom)):
            for x in range(math.floor(left), math.ceil(right)):
                area = (min(y + 1, bottom) - max(y, top)) * (min(x + 1, right) - max(x, left))
                total += area * pixels[28 * (y + 2) + x + 2]
        small[28 * (row + 6) + column + 6] = nearest(total / Fraction(9, 4))
    return small


def describe(pixels, rows=7, columns=7, directions=16, pitch=3, first=(4.5, 4.5), shift=1, across=28):
    """Edges of an image (784) by cell and direction, one pixel at a time; angles by math.atan2.

    Cells are `pitch` pixels apart, and the first one is around pixel `first`, column and row.
    """
    turn = 2 * math.pi / directions
    units = [(round(16 * math.cos(k * turn)), round(16 * math.sin(k * turn))) for k in range(directions)]
    level = {(k % 28, k // 28): value for k, value in enumerate(pixels)}
    sums = [0] * (rows * columns * directions)
    for column, row in itertools.product(range(28), repeat=2):
        x, y = 0, 0
        for (dx, dy), weight in {(1, -1): 1, (1, 0): 2, (1, 1): 1}.items():
            x += weight * (level.get((column + dx, row + dy), 0) - level.get((column - dx, row + dy), 0))
            y += weight * (level.get((column + dy, row + dx), 0) - level.get((column + dy, row - dx), 0))
        x, y = math.floor(Fraction(x + 2, 4)), math.floor(Fraction(y + 2, 4))
        sector = math.atan2(y, x) / turn
        for k in range(math.floor(sector - 0.2), math.ceil(sector + 0.2) + 1):  # of the others, the part is 0
            (ax, ay), (bx, by) = units[(k - 1) % directions], units[(k + 1) % directions]
            part = max(0, min(ax * y - ay * x, bx * -y + by * x))
            if not part:
                continue
            for cell_column, cell_row in itertools.product(range(columns), range(rows)):
                aside, down = abs(column - pitch * cell_column - first[0]), abs(row - pitch * cell_row - first[1])
                share = int(max(0, 2 * pitch - 2 * aside)) * int(max(0, 2 * pitch - 2 * down))
                sums[(columns * cell_row + cell_column) * directions + k % directions] += part * share
    roots = [math.isqrt(total >> shift) for total in sums]
    values = [min(root, 255) if root >= 8 else 0 for root in roots]
    lines = [values[k : k + across] + [0] * (28 - across) for k in range(0, len(values), across)]
    return [value for line in lines for value in line] + [0] * (28 * (28 - len(lines)))
