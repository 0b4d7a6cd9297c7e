"""Images upside down; the specification is `upside_down.turn`."""


def turn(mapped):
    """Fill mapped.out (n, 784) with its images (n, 784) upside down."""
    images, out = mapped
    for image in range(images.shape[0]):
        for row in range(28):
            for column in range(28):
                out[image, 28 * row + column] = images[image, 28 * (27 - row) + column]
