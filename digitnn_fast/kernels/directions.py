"""Edges of an image by place and direction; the specification is `directions.describe`.

Columns are lanes of a vector, in blocks of three that belong to the same two columns of cells; likewise rows are taken
by threes. Directions mirror each other: of |x| and |y| of a gradient there are parts of directions 0 to 4, and signs tell
of which quadrant these are. Sums over rows stay within 16 bits, since |x| + |y| is at most 383 and so a part 1,719;
across columns they are products of pairs.
"""

from digitnn_fast.kernels.machine.jit import helper
from digitnn_fast.kernels.vectors.integers import pack_four, roots, store_seven
from digitnn_fast.kernels.vectors.shorts import ROW as STRIDE
from digitnn_fast.kernels.vectors.shorts import (
    WIDTH,
    absolute,
    add_shorts,
    both,
    least,
    less,
    load_blocks,
    load_shorts,
    no_shorts,
    positive,
    quarter,
    store_shorts,
    subtract_shorts,
    sum_cells,
    times,
    where,
)
from digitnn_fast.reference.directions import FAINT, FINE
from digitnn_fast.sizes import PIXELS, SIDE

CELLS, DIRECTIONS, SHIFT = FINE.rows, FINE.directions, FINE.shift
FIRST = SIDE + 1  # the pixel left of and above those that cells see: they do not see two along the border
ROW = DIRECTIONS * STRIDE  # of cells in `sums`


@helper
def slope_of_row(images, at):
    """right - left and left + 2 middle + right of a row's pixels, the first one's left neighbour at `at`."""
    left, middle, right = load_blocks(images, at), load_blocks(images, at + 1), load_blocks(images, at + 2)
    return subtract_shorts(right, left), add_shorts(add_shorts(left, right), add_shorts(middle, middle))


@helper
def gradient(above, row, below):
    """|x| and |y| of a quarter of Sobel's gradient of a row, and where x and y are positive and negative.

    Where one is 0, so is the part of a direction that its sign would tell: so no mask is the complement of another,
    which LLVM would add in two instructions.
    """
    x = quarter(add_shorts(add_shorts(above[0], below[0]), add_shorts(row[0], row[0])))
    y = quarter(subtract_shorts(below[1], above[1]))
    zero = no_shorts()
    return absolute(x), absolute(y), less(zero, x), less(x, zero), less(zero, y), less(y, zero)


@helper
def even_parts(x, y):
    """The parts of directions 0, 2 and 4 of gradients whose components are not negative."""
    flat, steep = subtract_shorts(times(y, 15), times(x, 6)), subtract_shorts(times(x, 15), times(y, 6))
    above, below = positive(flat), positive(steep)
    return subtract_shorts(above, flat), least(above, below), subtract_shorts(below, steep)


@helper
def odd_parts(x, y):
    """The parts of directions 1 and 3 of gradients whose components are not negative."""
    more = subtract_shorts(x, y)
    flat = positive(more)
    return least(times(y, 16), times(flat, 11)), least(times(x, 16), times(subtract_shorts(flat, more), 11))


@helper
def weighted(a, b, c):
    """What `add_rows` needs of a part of three rows."""
    return a, times(a, 4), times(b, 3), c, times(c, 4)


@helper
def add_rows(at, parts, lanes, sums):
    """Add 5 a + 3 b + c of three rows to the cells above them, and begin those below them with a + 3 b + 5 c."""
    a, a4, b3, c, c4 = parts
    in_a, in_b, in_c = lanes
    shared = add_shorts(add_shorts(where(in_a, a), where(in_b, b3)), where(in_c, c))
    store_shorts(sums, at, add_shorts(load_shorts(sums, at), add_shorts(shared, where(in_a, a4))))
    store_shorts(sums, at + ROW, add_shorts(shared, where(in_c, c4)))


@helper
def add_quadrants(at, direction, parts, quadrants, sums):
    """`add_rows` of a direction between two axes, and of those that it mirrors."""
    add_rows(at + direction * STRIDE, parts, quadrants[0], sums)
    add_rows(at + (8 - direction) * STRIDE, parts, quadrants[1], sums)
    add_rows(at + (8 + direction) * STRIDE, parts, quadrants[2], sums)
    add_rows(at + (16 - direction) * STRIDE, parts, quadrants[3], sums)


@helper
def all_both(some, more):
    return both(some[0], more[0]), both(some[1], more[1]), both(some[2], more[2])


@helper
def add_directions(at, a, b, c, sums):
    """Add three rows' gradients to the cells above and below them, of which those above begin at `at`."""
    east, west = (a[2], b[2], c[2]), (a[3], b[3], c[3])
    south, north = (a[4], b[4], c[4]), (a[5], b[5], c[5])
    quadrants = all_both(east, south), all_both(west, south), all_both(west, north), all_both(east, north)
    p, q, r = even_parts(a[0], a[1]), even_parts(b[0], b[1]), even_parts(c[0], c[1])
    across, along = weighted(p[0], q[0], r[0]), weighted(p[2], q[2], r[2])
    add_rows(at, across, east, sums)
    add_rows(at + 8 * STRIDE, across, west, sums)
    add_rows(at + 4 * STRIDE, along, south, sums)
    add_rows(at + 12 * STRIDE, along, north, sums)
    add_quadrants(at, 2, weighted(p[1], q[1], r[1]), quadrants, sums)
    p, q, r = odd_parts(a[0], a[1]), odd_parts(b[0], b[1]), odd_parts(c[0], c[1])
    add_quadrants(at, 1, weighted(p[0], q[0], r[0]), quadrants, sums)
    add_quadrants(at, 3, weighted(p[1], q[1], r[1]), quadrants, sums)


@helper
def add_columns(images, start, at, sums):
    """Add the columns of a vector to all cells, the pixel left of and above the first one at `start`."""
    above, row = slope_of_row(images, start), slope_of_row(images, start + SIDE)
    for block in range(CELLS + 1):
        start += 3 * SIDE
        first, second = slope_of_row(images, start - SIDE), slope_of_row(images, start)
        third = slope_of_row(images, start + SIDE)
        a, b, c = gradient(above, row, first), gradient(row, first, second), gradient(first, second, third)
        add_directions(at + block * ROW, a, b, c, sums)
        above, row = second, third


@helper
def values_of(sums, at):
    """Of a row of cells the values of the direction that begins at `at`, and of that a quarter turn further."""
    return roots(sum_cells(sums, at, at + 4 * STRIDE), SHIFT)


@helper
def half_turn(sums, at):
    """The values of eight directions as bytes."""
    first, second = values_of(sums, at), values_of(sums, at + STRIDE)
    return pack_four(first, second, values_of(sums, at + 2 * STRIDE), values_of(sums, at + 3 * STRIDE), FAINT)


def describe(scratch, mapped):
    """Fill mapped.out (n, 784) with the edges of its images (n, 784).

    See `arguments.DescribeScratch` and `arguments.Mapped`.
    """
    (sums,) = scratch
    images, out = mapped
    for k in range(sums.size):
        sums[k] = 0
    for image in range(images.shape[0]):
        for lane in range(0, STRIDE, WIDTH):
            add_columns(images, image * PIXELS + FIRST + lane // 4 * 3, lane, sums)
        for row in range(CELLS):
            at = (row + 1) * ROW
            first, second = half_turn(sums, at), half_turn(sums, at + ROW // 2)
            store_seven(out, (image * CELLS + row) * CELLS * DIRECTIONS, first, second)
