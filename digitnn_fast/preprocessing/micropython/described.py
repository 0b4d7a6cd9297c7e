def root(square: int) -> int:
    """Square root, rounded down, at most 255."""
    found = 0
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        if (found + bit) * (found + bit) <= square:
            found += bit
    return found


def described(
    pixels: bytes,
    rows: int,
    columns: int,
    turns: int,
    pitch: int,
    origin_y: int,
    origin_x: int,
    halvings: int,
    across: int,
) -> bytes:
    """Edges (784,) of pixels (784,): value turns * cell + direction, for rows by columns of cells.

    The gradient (x, y) of a pixel is split between the two directions that enclose it, and these parts between the four
    cells around it. Lengths are in half pixels.
    """
    quarter = turns // 4
    units = (15, 16, 15, 11, 6, 0, -6) if turns == 16 else (14, 16, 14, 8, 0, -8)  # 16 * cosine of direction k - 1
    wide = (columns + 2) * turns
    sums = [0] * ((rows + 2) * wide)  # with a cell more on each side, which nobody reads
    pixels = bytes(28) + pixels + bytes(28)
    lines = [bytes(1) + pixels[28 * y : 28 * y + 28] + bytes(1) for y in range(30)]  # with paper around
    for row in range(28):
        above, here, below = lines[row : row + 3]
        tall = [above[x] + 2 * here[x] + below[x] for x in range(30)]
        steep = [below[x] - above[x] for x in range(30)]
        lower, cell = (2 * row - origin_y) % pitch, wide * ((2 * row - origin_y) // pitch)
        if not any(tall) or not 0 <= cell < wide * (rows + 1):
            continue
        for column in range(28):
            x = tall[column + 2] - tall[column] + 2 >> 2
            y = steep[column] + 2 * steep[column + 1] + steep[column + 2] + 2 >> 2
            right, to = (2 * column - origin_x) % pitch, (2 * column - origin_x) // pitch
            if not (x or y) or not 0 <= to <= columns:
                continue
            k = turned = 0
            while x <= 0 or y < 0:  # by a quarter, until it points right and down
                x, y, turned = y, -x, turned + quarter
            while units[k + 2] * y >= units[quarter - k] * x:
                k += 1
            cross = [units[j + 1] * y - units[quarter + 1 - j] * x for j in range(k - 1, k + 3)]
            for j in range(2):
                part, at = min(cross[j], -cross[j + 2]), cell + to * turns + (turned + k + j) % turns
                far, near = part * (pitch - right), part * right
                sums[at] += far * (pitch - lower)
                sums[at + turns] += near * (pitch - lower)
                sums[at + wide] += far * lower
                sums[at + wide + turns] += near * lower
    values = bytearray(784)
    for row in range(rows):
        first = wide * (row + 1) + turns
        for i in range(columns * turns):
            value = root(sums[first + i] >> halvings)
            place = columns * turns * row + i
            if value >= 8:
                values[place // across * 28 + place % across] = value
    return bytes(values)
