"""Trains one configuration with several seeds in PyTorch, as the trainer does: the same
family of initial weights, every case once an epoch in a new order, the last minibatch
of an epoch smaller.

    python seeds.py ABOUT CASES.safetensors

Prints the validation errors in percent, as JSON.
"""

import json
import math
import sys

import torch
from safetensors.torch import load_file
from torch import nn

import networks


def validation_error(about, cases, seed):
    torch.manual_seed(seed)
    model, train = about["model"], about["train"]
    x, y = cases["train.x"], cases["train.labels"].long()
    held_out, labels = cases["validation.x"], cases["validation.labels"].long()
    net = networks.build(model, x.shape[1], None, int(y.max()) + 1)
    assert model["init"]["kind"] == "he" and not train.get("clip_norm")
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=model["init"]["scale"] * math.sqrt(2 / layer.in_features))
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=train["learning_rate"], momentum=train["momentum"])
    for _ in range(train["epochs"]):
        for rows in torch.randperm(len(x)).split(train["batch_size"]):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return 100 * (net(held_out).argmax(1) != labels).double().mean().item()


torch.set_num_threads(1)  # as the trainer
about, cases = json.loads(sys.argv[1]), load_file(sys.argv[2])
print(json.dumps([validation_error(about, cases, seed + 1) for seed in range(about["seeds"])]))
