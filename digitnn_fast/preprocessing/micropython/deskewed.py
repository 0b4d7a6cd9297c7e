def divide(numerator: int, denominator: int) -> int:
    """Numerator / denominator to the nearest integer, halves up; 0 where the denominator is 0."""
    return (2 * numerator + denominator) // (2 * denominator) if denominator else 0


def deskewed(pixels: bytes) -> bytes:
    """Pixels (784,) with the slant taken out and the centre of mass in the middle."""
    m00 = m10 = m01 = m11 = m02 = 0
    for i in range(784):
        if pixels[i] > 7:
            x, y, level = i % 28 - 14, i // 28 - 14, pixels[i] >> 3
            m00 += level
            m10 += level * x
            m01 += level * y
            m11 += level * x * y
            m02 += level * y * y
    mean_x, mean_y = divide(256 * m10, m00), divide(256 * m01, m00)
    near_x, near_y = mean_x + 128 >> 8, mean_y + 128 >> 8  # moments around this pixel do not depend on the place
    rest_x, rest_y, low = m10 - near_x * m00, m01 - near_y * m00, mean_y - 256 * near_y
    across, down = m11 - near_y * m10 - near_x * rest_y, m02 - near_y * (m01 + rest_y)
    slant = max(-256, min(256, divide(256 * across - rest_x * low, 256 * down - rest_y * low >> 8)))
    upright = bytearray(784)
    for y in range(28):
        row = y + (mean_y + 256 >> 8)
        line = pixels[28 * row : 28 * row + 28] if 0 <= row < 28 else b""
        if not any(line):
            continue
        slide = mean_x + 128 + (slant * (256 * (row - 14) - mean_y) + 128 >> 8)
        share, first = slide & 255, (slide >> 8) + 32  # no row slides further than 30 pixels
        line = bytes(32) + line + bytes(33)
        for x in range(28):
            here, behind = line[first + x], line[first + x + 1]
            if here or behind:
                upright[28 * y + x] = here * (256 - share) + behind * share + 128 >> 8
    return bytes(upright)
