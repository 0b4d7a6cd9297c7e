"""Lists of the pixels that are not zero: of each image, and of the images in which a pixel is not zero."""

import numpy as np

from digitnn_fast.kernels.layout import BANDS
from digitnn_fast.kernels.layout import TRAINING_BLOCK as BLOCK
from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.bytes import (
    HAS_COMPRESS,
    HAS_SHUFFLE,
    ORDERS,
    byte_at,
    compress_nonzero,
    copy_bytes,
    load_bytes,
    lowest_bit,
    nonzero_mask,
    pack_eight,
    place_eight,
    turn_bytes,
)
from digitnn_fast.kernels.vectors.floats import load, multiply, prefetch, splat, store
from digitnn_fast.sizes import PIXELS

ONE, SCALE = np.float32(1), np.float32(1 / 255)


@helper
def prefetch_image(images, image):
    """Fetch an image that will be listed soon, if there is one: memory is 100 ns away."""
    if image < images.shape[0]:
        for pixel in range(0, PIXELS, 64):
            prefetch(images, image * PIXELS + pixel)


@helper
def list_chunk(data, index, place, skip, places, bytes_, at):
    """Append the non-zero ones of 64 uint8 at a flat index, and their places; the first `skip` are passed over.

    Returns the lists' new length; there must be room for 64 more.
    """
    if HAS_COMPRESS:
        return compress_nonzero(data, index, place, skip, places, bytes_, at)
    if HAS_SHUFFLE:
        mask = nonzero_mask(data, index)
        for lane in range(skip, 64, 8):
            some = np.int64(mask >> np.uint64(lane) & np.uint64(255))
            pack_eight(data, index + lane, some, ORDERS, bytes_, at)
            at = place_eight(some, place + lane, ORDERS, places, at)
        return at
    mask = nonzero_mask(data, index) >> np.uint64(skip)
    while mask != 0:
        lane = skip + lowest_bit(mask)
        places[at] = place + lane
        bytes_[at] = byte_at(data, index + lane)
        at += 1
        mask &= mask - np.uint64(1)
    return at


@helper
def list_band(images, image, band, bands, places, bytes_, at):
    """List the non-zero pixels of one of an image's 2, 3, 4, 6 or 12 bands from `at` on; where they end."""
    row, width = image * PIXELS, PIXELS // bands // 64 * 64
    for pixel in range(band * width, (band + 1) * width, 64):
        at = list_chunk(images, row + pixel, pixel, 0, places, bytes_, at)
    if band == bands - 1:
        at = list_chunk(images, row + PIXELS - 64, PIXELS - 64, 48, places, bytes_, at)
    return at


@helper
def list_nonzero(images, image, bands, places, values, bytes_, starts, first):
    """List an image's non-zero pixels from starts[first] on; the next starts receive where each band ends."""
    for band in range(bands):
        starts[first + band + 1] = list_band(images, image, band, bands, places, bytes_, starts[first + band])
    for k in range(starts[first], starts[first + bands], 16):
        store(values, k, load_bytes(bytes_, k))


@helper
def copy_image(images, image, out, row):
    """out[row] = images[image]."""
    for chunk in range(0, PIXELS, 64):
        pixel = min(chunk, PIXELS - 64)
        copy_bytes(images, image * PIXELS + pixel, out, row * PIXELS + pixel)


@helper
def list_bands(size, images, first, places, values, bytes_, spans):
    """The non-zero pixels of each image, scaled to 0..1, in bands: image i's begin at spans[BANDS * i] and the next."""
    spans[0] = 0
    for i in range(size):
        list_nonzero(images, first + i, BANDS, places, values, bytes_, spans, BANDS * i)
    for k in range(0, spans[BANDS * size], 16):
        store(values, k, multiply(load(values, k), splat(SCALE)))


@helper
def list_images(size, seen, slot, places, values, bytes_, spans):
    """As `list_bands`; the last band of each image ends with the constant 1."""
    spans[0] = 0
    for i in range(size):
        end = at = spans[BANDS * i]
        for band in range(BANDS):
            end = list_band(seen, slot * BLOCK + i, band, BANDS, places, bytes_, end)
            spans[BANDS * i + band + 1] = end
        for k in range(at, end, 16):
            store(values, k, multiply(load_bytes(bytes_, k), splat(SCALE)))
        places[end] = PIXELS
        values[end] = ONE
        spans[BANDS * (i + 1)] = end + 1


@helper
def list_pixels(size, seen, slot, turned, rows, values, bytes_, spans):
    """The images in which each pixel is not zero, and the constant 1: the same lists, of the images transposed."""
    at = 0
    for pixel in range(0, PIXELS, 64):
        start = min(pixel, PIXELS - 64)
        for i in range(0, BLOCK, 16):
            turn_bytes(seen, (slot * BLOCK + i) * PIXELS + start, PIXELS, turned, i, BLOCK)
        for p in range(pixel, start + 64):
            spans[p] = at
            for i in range(0, BLOCK, 64):
                at = list_chunk(turned, (p - start) * BLOCK + i, i, 0, rows, bytes_, at)
    for k in range(0, at, 16):
        store(values, k, multiply(load_bytes(bytes_, k), splat(SCALE)))
    spans[PIXELS] = at
    for i in range(size):
        rows[at + i] = i
        values[at + i] = ONE
    spans[PIXELS + 1] = at + size
