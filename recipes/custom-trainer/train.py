#!/usr/bin/env python3
"""A network with one hidden layer, in Python without packages, for `trainer exec`.

It reads $TENFOLD_CONFIG, goes on at $TENFOLD_RESUME, saves to $TENFOLD_CHECKPOINT_DIR and
leaves its result in $TENFOLD_OUT. Interrupted or not, it ends in the same weights.
"""

import array
import json
import math
import os
import random
import signal
import struct
import sys

CLASSES = 3


def main():
    with open(os.environ["TENFOLD_CONFIG"]) as f:
        run = json.load(f)
    config, seed, epochs = run["config"], run["seed"], run["epochs"]
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))

    train, validation, test = (spiral(n, f"{config['data_seed']}/{name}")
                               for name, n in [("train", 240), ("validation", 150), ("test", 300)])
    resume = os.environ["TENFOLD_RESUME"]
    if resume:
        with open(os.path.join(resume, "network.json")) as f:
            network = json.load(f)
    else:
        network = fresh(config["hidden"], random.Random(f"{seed}/weights"))

    for epoch in range(run["epoch"] + 1, epochs + 1):
        order = list(range(len(train)))
        random.Random(f"{seed}/{epoch}").shuffle(order)  # a function of the epoch, so the same after a resume
        loss = sum(step(network, *train[i], config["rate"] / (1 + epoch / 20), config["momentum"]) for i in order) / len(order)
        if not math.isfinite(loss):
            leave({"status": "diverged", "note": f"the loss of epoch {epoch} is {loss}"})
            return
        say(event="epoch", epoch=epoch, validation_error=error(network, validation), train_loss=loss)
        if epoch % 5 == 0 or epoch == epochs or stopping:
            save(network, epoch)
        if stopping and epoch < epochs:
            sys.exit(75)

    out = os.environ["TENFOLD_OUT"]
    for name, cases in ("validation", validation), ("test", test):
        npy(f"{out}/{name}.npy", "f", [predict(network, x)[1] for x, _ in cases])
        npy(f"{out}/{name}_labels.npy", "i", [label for _, label in cases])
    leave({"validation_error": error(network, validation), "weights": sum(len(network[k]) for k in ("w", "b", "v", "c"))})


def spiral(n, seed):
    """Points on three arms, each with the arm's number."""
    r = random.Random(seed)
    cases = []
    for i in range(n):
        label, t = i % CLASSES, r.random()
        angle = 4 * t + 2 * math.pi * label / CLASSES + r.gauss(0, 0.4)
        cases.append(((t * math.cos(angle), t * math.sin(angle)), label))
    return cases


def fresh(hidden, r):
    w = [r.gauss(0, 1.5) for _ in range(2 * hidden)]
    v = [r.gauss(0, 1 / math.sqrt(hidden)) for _ in range(CLASSES * hidden)]
    network = {"w": w, "b": [0.0] * hidden, "v": v, "c": [0.0] * CLASSES}
    network["velocity"] = {k: [0.0] * len(network[k]) for k in ("w", "b", "v", "c")}
    return network


def predict(network, x):
    """The hidden units' outputs, and the classes' probabilities."""
    w, b, v, c = (network[k] for k in ("w", "b", "v", "c"))
    h = [math.tanh(w[2 * j] * x[0] + w[2 * j + 1] * x[1] + b[j]) for j in range(len(b))]
    z = [c[k] + sum(v[k * len(h) + j] * h[j] for j in range(len(h))) for k in range(CLASSES)]
    e = [math.exp(s - max(z)) for s in z]
    return h, [p / sum(e) for p in e]


def step(network, x, label, rate, momentum):
    """One step on one case; returns its loss."""
    h, p = predict(network, x)
    d = [p[k] - (k == label) for k in range(CLASSES)]
    v = network["v"]
    dh = [(1 - h[j] ** 2) * sum(d[k] * v[k * len(h) + j] for k in range(CLASSES)) for j in range(len(h))]
    gradients = {
        "w": [g * xi for g in dh for xi in x], "b": dh,
        "v": [dk * hj for dk in d for hj in h], "c": d,
    }
    for name, gradient in gradients.items():
        weights, velocity = network[name], network["velocity"][name]
        for i, g in enumerate(gradient):
            velocity[i] = momentum * velocity[i] - rate * g
            weights[i] += velocity[i]
    return -math.log(max(p[label], 1e-300))


def error(network, cases):
    wrong = 0
    for x, label in cases:
        p = predict(network, x)[1]
        wrong += p.index(max(p)) != label
    return wrong / len(cases)


def save(network, epoch):
    """Writes a checkpoint into a folder of its own, and says so when it is finished."""
    folder = os.path.join(os.environ["TENFOLD_CHECKPOINT_DIR"], str(epoch))
    os.mkdir(folder)
    with open(os.path.join(folder, "network.json"), "w") as f:
        json.dump(network, f)  # a float's digits in JSON give back the same float
    say(event="checkpoint", epoch=epoch)


def leave(result):
    with open(os.path.join(os.environ["TENFOLD_OUT"], "result.json"), "w") as f:
        json.dump(result, f)


def say(**event):
    print(json.dumps(event), flush=True)


def npy(path, kind, rows):
    """Writes float32 ("f") or int32 ("i") as numpy.save does."""
    wide = isinstance(rows[0], list)
    shape = (len(rows), len(rows[0])) if wide else (len(rows),)
    header = repr({"descr": "<" + kind + "4", "fortran_order": False, "shape": shape})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    numbers = array.array(kind, [x for row in rows for x in row] if wide else rows)
    if sys.byteorder == "big":
        numbers.byteswap()
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + numbers.tobytes())


if __name__ == "__main__":
    main()
