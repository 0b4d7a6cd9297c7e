"""What the directions of edges say of a picture; what holds of every preprocessing is in test_preprocessings.py."""

import numpy as np

from digitnn_fast.reference import directions


def test_a_step_has_one_direction_and_a_place():
    image = np.zeros((28, 28), np.uint8)
    image[:, 14:] = 255  # rises to the right between columns 13 and 14; no cell sees the border of the image
    found = directions.describe(image.reshape(1, 784)).reshape(7, 7, 16)
    assert set(np.argwhere(found[1:6].any(axis=0))[:, 0].tolist()) == {2, 3, 4}
    assert found[1:6, 3].argmax(axis=1).tolist() == [0] * 5
    turned = directions.describe(np.rot90(image).reshape(1, 784)).reshape(7, 7, 16)  # a quarter turn of all of it
    np.testing.assert_array_equal(np.rot90(np.roll(found, -4, axis=2)), turned)
