"""The arguments of the kernels that learn, as `kernels/arguments.py` has those of the others."""

from typing import Annotated, NamedTuple

from digitnn_fast.kernels.arguments import Bytes, Counts, Floats, Integers, Number, Words


class Worker(NamedTuple):
    """The calling thread, the number of threads, and the optimizer."""

    thread: Number  # from 0
    threads: Number
    optimizer: Number  # MOMENTUM or ADAM


class Examples(NamedTuple):
    """What is learned from, and in which order."""

    images: Annotated[Bytes, "n, 784"]
    labels: Annotated[Bytes, "n"]
    order: Annotated[Counts, "n"]  # indices of images
    starts: Annotated[Counts, "blocks + 1"]  # block k is order[starts[k]:starts[k + 1]]


class Rates(NamedTuple):
    """How to step, for each block."""

    step_size: Annotated[Floats, "blocks"]
    decay: Annotated[Floats, "blocks"]  # of the moments
    second_decay: Annotated[Floats, "blocks"]  # of the squares
    correction: Annotated[Floats, "blocks"]  # of the squares' root, which begins at 0
    goes_on: Annotated[Bytes, "blocks"]  # 1: the batch began in a block before
    ends: Annotated[Bytes, "blocks"]  # 1: the batch ends here, so a step is taken
    scale: Annotated[Floats, "blocks"]  # 1 / images in the batch
    kept: Annotated[Floats, "blocks"]  # share of each weight that a step keeps
    smooth: Annotated[Floats, "blocks"]  # scale times the target of a class that is not the label


class State(NamedTuple):
    """What is learned: tiles of 795 rows, which are those of W1, b1 and W2 transposed; or the bias of the outputs."""

    weights: Annotated[Floats, "size"]
    moments: Annotated[Floats, "size"]  # mean gradients
    squares: Annotated[Floats, "size"]  # mean squared gradients


class Meeting(NamedTuple):
    """Where threads meet. All 0 at first."""

    arrived: Annotated[Counts, "1"]  # how many have come, in all
    stop: Annotated[Counts, "1"]  # 1: one has failed, nobody waits any more
    taken: Annotated[Counts, "1"]  # parts that were taken


class Loss(NamedTuple):
    """What each image's loss needs, in the order of the epoch: it is log(sum) - margin."""

    margins: Annotated[Floats, "n"]  # filled: the label's logit less the highest
    sums: Annotated[Floats, "n"]  # filled: of e to the power of the logits less the highest


class EpochScratch(NamedTuple):
    """All threads' memory for `descent.minibatch.epoch`; room is for 785 entries of each image of a block and 64 more."""

    gradients: Annotated[Floats, "tiles*795*tile"]  # of a batch's blocks so far, laid out as the weights
    bias_gradients: Annotated[Floats, "threads*16"]  # the same of the outputs' bias
    outgoing: Annotated[Floats, "tiles*tile*16"]  # W2 once more, in rows of 16
    padded: Annotated[Bytes, "threads, 1600"]  # see DistortScratch
    fields: Annotated[Integers, "threads, 512"]
    seen: Annotated[Bytes, "2*block, 784"]  # images: one block while the other is prepared
    turned: Annotated[Bytes, "threads, 64*block"]  # 64 pixels of all images of a block
    bytes_: Annotated[Bytes, "threads, room"]
    places: Annotated[Words, "threads, room"]  # the pixels of each image that are not zero, and the constant 1
    values: Annotated[Floats, "threads, room"]  # their values, 0 to 1
    spans: Annotated[Counts, "threads, 4*block + 1"]  # where each image's four bands begin
    rows: Annotated[Words, "threads, room"]  # the images in which each pixel is not zero
    levels: Annotated[Floats, "threads, room"]  # its values there
    pixel_spans: Annotated[Counts, "threads, 786"]  # where each pixel's begin
    hidden: Annotated[Floats, "tiles*block*tile"]
    logits: Annotated[Floats, "2, tiles*block*16"]  # each tile's share
    errors: Annotated[Floats, "threads, block*16"]  # of the outputs
    deltas: Annotated[Floats, "threads, block*tile"]  # errors of the hidden units; before, half of their sums


class Listing(NamedTuple):
    """What a thread needs to list a training's images. Threads share all but `bytes_`."""

    taken: Annotated[Counts, "1"]  # 0 at first: the blocks that a thread has taken
    images: Annotated[Bytes, "n, 784"]
    bytes_: Annotated[Bytes, "784*block + 64"]  # the thread's scratch


class Lists(NamedTuple):
    """The pixels of all images that are not zero, in blocks: block k's entries begin at offsets[k]."""

    offsets: Annotated[Counts, "blocks + 1"]
    places: Annotated[Words, "entries"]  # of each image's pixels
    values: Annotated[Floats, "entries"]  # theirs, 0 to 1
    spans: Annotated[Counts, "blocks, 4*block + 1"]  # where each image's four bands begin
    rows: Annotated[Words, "entries"]  # the images in which each pair of pixels is not zero: both, the left, the right
    levels: Annotated[Floats, "entries"]  # the values there: two for an entry of `both`
    pair_spans: Annotated[Counts, "blocks, 1177"]  # where each pair's three lists begin


class Parts(NamedTuple):
    """The gradient of each part of the images, so that they are added up in one order."""

    gradients: Annotated[Floats, "parts, tiles*795*tile"]
    bias_gradients: Annotated[Floats, "parts, 16"]


class FullBatchScratch(NamedTuple):
    """All threads' memory for `descent.fullbatch.epoch`."""

    outgoing: Annotated[Floats, "threads, tiles*tile*16"]  # W2 once more, in rows of 16
    hidden: Annotated[Floats, "threads, tiles*block*tile"]  # of a block; then their errors
    logits: Annotated[Floats, "threads, block*16"]
    errors: Annotated[Floats, "threads, block*16"]  # of the outputs
