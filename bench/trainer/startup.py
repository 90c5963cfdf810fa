"""One step of a small network in PyTorch, from a file of data, for the time from the
process' start until then.

    python startup.py THREADS DATA.npz     # trains
    python startup.py make DATA.npz        # writes the data, of minibatch and a bit
"""

import os
import sys

if sys.argv[1] != "make":
    os.environ["OMP_NUM_THREADS"] = sys.argv[1]

import numpy as np  # noqa: E402

BATCH, HELD_OUT = 128, 16


def make(path):
    random = np.random.default_rng(1)

    def split(n):
        return random.standard_normal((n, 784), dtype=np.float32), np.arange(n, dtype=np.int64) % 10

    (x, y), (tx, ty) = split(BATCH + HELD_OUT), split(HELD_OUT)
    np.savez(path, x_train=x, y_train=y, x_test=tx, y_test=ty)


def train(path):
    import torch
    from torch import nn

    data = np.load(path)
    x, y = (torch.from_numpy(data[name][:BATCH]) for name in ("x_train", "y_train"))
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, fused=True)
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    print(f'{{"event": "epoch", "train_loss": {loss.item()}}}', flush=True)


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    train(sys.argv[2])
