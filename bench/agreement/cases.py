"""Makes labelled cases that a small network learns most of: ten patterns of 8×8 under
noise.

    python cases.py FILE.npz
"""

import sys

import numpy as np

random = np.random.default_rng(1)
patterns = random.standard_normal((10, 8, 8))


def split(n):
    labels = np.arange(n) % 10
    x = 3 + 2 * patterns[labels] + 3 * random.standard_normal((n, 8, 8))  # neither centred nor scaled
    return x.astype(np.float32), labels


(x, y), (test_x, test_y) = split(900), split(300)
np.savez(sys.argv[1], x_train=x, y_train=y, x_test=test_x, y_test=test_y)
