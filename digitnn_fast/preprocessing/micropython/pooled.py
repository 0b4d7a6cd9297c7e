def pooled(pixels: bytes) -> bytes:
    """The middle 24 by 24 of pixels (784,) as 16 by 16, in the middle: three become two, along both axes."""
    small = bytearray(784)
    for row in range(16):
        lower = 1 + row % 2  # thirds
        for column in range(16):
            right, at = 1 + column % 2, 28 * (2 + row // 2 * 3 + row % 2) + 2 + column // 2 * 3 + column % 2
            above = (3 - right) * pixels[at] + right * pixels[at + 1]
            below = (3 - right) * pixels[at + 28] + right * pixels[at + 29]
            small[28 * (row + 6) + column + 6] = ((3 - lower) * above + lower * below + 4) // 9
    return bytes(small)
