def turned(pixels):
    """Pixels (784,) upside down."""
    return b"".join([pixels[28 * y : 28 * y + 28] for y in range(27, -1, -1)])
