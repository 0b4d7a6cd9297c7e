"""Sizes that all parts share."""

PIXELS, SIDE = 784, 28  # of an image: 28 rows of 28
CLASSES = 10
PIXEL_SCALE = 1 / 255  # the network sees 0..1, images hold 0..255
# 208 MB of weights: far beyond what helps on digits, and a hostile file can't exhaust memory with it.
MAX_HIDDEN = 65_536
