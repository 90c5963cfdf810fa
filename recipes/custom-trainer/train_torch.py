#!/usr/bin/env python3
"""The same in PyTorch: what changes is how weights are kept and predictions are written.

Put it into sweep.yaml instead of train.py. Like that, it needs `pip install torch numpy`.
"""

import json
import os
import signal
import sys

import numpy
import torch

from train import CLASSES, leave, say, spiral


def main():
    with open(os.environ["TENFOLD_CONFIG"]) as f:
        run = json.load(f)
    config, seed, epochs = run["config"], run["seed"], run["epochs"]
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))

    splits = {}
    for name, n in ("train", 240), ("validation", 150), ("test", 300):
        cases = spiral(n, f"{config['data_seed']}/{name}")
        splits[name] = torch.tensor([x for x, _ in cases]), torch.tensor([label for _, label in cases])
    torch.manual_seed(seed)
    torch.set_num_threads(int(os.environ.get("TENFOLD_THREADS", "1")))
    network = torch.nn.Sequential(
        torch.nn.Linear(2, config["hidden"]), torch.nn.Tanh(), torch.nn.Linear(config["hidden"], CLASSES))
    optimizer = torch.optim.SGD(network.parameters(), lr=config["rate"], momentum=config["momentum"])
    resume = os.environ["TENFOLD_RESUME"]
    if resume:
        saved = torch.load(os.path.join(resume, "saved.pt"))
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])

    x, y = splits["train"]
    for epoch in range(run["epoch"] + 1, epochs + 1):
        # A function of the epoch, so the same after a resume.
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed * 100_003 + epoch))
        losses = []
        for batch in order.split(8):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        loss = sum(losses) / len(losses)
        if not numpy.isfinite(loss):
            leave({"status": "diverged", "note": f"the loss of epoch {epoch} is {loss}"})
            return
        say(event="epoch", epoch=epoch, validation_error=error(network, *splits["validation"]), train_loss=loss)
        if epoch % 5 == 0 or epoch == epochs or stopping:
            folder = os.path.join(os.environ["TENFOLD_CHECKPOINT_DIR"], str(epoch))
            os.mkdir(folder)
            torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, os.path.join(folder, "saved.pt"))
            say(event="checkpoint", epoch=epoch)
        if stopping and epoch < epochs:
            sys.exit(75)

    for name in "validation", "test":
        x, y = splits[name]
        with torch.no_grad():
            numpy.save(os.path.join(os.environ["TENFOLD_OUT"], name + ".npy"), network(x).softmax(1).numpy())
        numpy.save(os.path.join(os.environ["TENFOLD_OUT"], name + "_labels.npy"), y.numpy())
    leave({"validation_error": error(network, *splits["validation"]), "engine": "pytorch " + torch.__version__,
           "weights": sum(p.numel() for p in network.parameters())})


def error(network, x, y):
    with torch.no_grad():
        return (network(x).argmax(1) != y).double().mean().item()


if __name__ == "__main__":
    main()
