"""A grid that is quick to enumerate: white squares on black."""

import numpy as np

from tf_disentangle.datasets.grid import Grid


class Tiny(Grid):
    """4 x 5 x 3 images of 16 x 16 pixels."""

    factor_names = ("x", "y", "size")
    factor_sizes = (4, 5, 3)
    image_shape = (16, 16, 1)

    def images(self):
        images = self.render(self.factors_of(range(len(self))))
        images.setflags(write=False)
        return images

    def render(self, factors, rng=None):
        self.index_of(factors)  # checks them
        images = np.zeros((len(factors), *self.image_shape), np.uint8)
        for image, (x, y, size) in zip(images, factors, strict=True):
            image[2 * y : 2 * y + size + 3, 3 * x : 3 * x + size + 3] = 255
        return images
