"""Compares one trained network with PyTorch's of the same weights.

    python compare.py ABOUT CASES.npz WEIGHTS.safetensors PREDICTIONS.npy GRADIENTS.safetensors

ABOUT is JSON: the model's configuration and the shape of a case. Prints JSON: the
largest difference of a prediction, and of a gradient relative to the largest of its
parameter.
"""

import json
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

import networks
import weights


def main():
    torch.set_num_threads(1)  # as the trainer
    about, cases = json.loads(sys.argv[1]), np.load(sys.argv[2])
    tensors, predictions, gradients = load_file(sys.argv[3]), np.load(sys.argv[4]), load_file(sys.argv[5])
    mean, std = tensors.pop(MEAN), tensors.pop(STD)
    model, shape = about["model"], about["shape"]
    shape_in = networks.input_shape({"model": model, "inputs": mean.size, "shape": shape})
    net = networks.build(model, mean.size, shape, predictions.shape[1])
    weights.load(net, tensors)

    net.eval()
    x = cases["x_test"].reshape(-1, mean.size)
    with torch.no_grad():
        logits = net(torch.from_numpy((x - mean) / std).reshape(-1, *shape_in))
    probabilities = torch.softmax(logits, 1).numpy()
    difference = np.abs(probabilities - predictions).max()

    # The network in evaluation: the gradients are those without dropout.
    x = torch.from_numpy(gradients["x"]).reshape(-1, *shape_in)
    loss = nn.functional.cross_entropy(net(x), torch.from_numpy(gradients["labels"]).long())
    loss.backward()
    relative = {}
    for name, p, transposed in weights.pairs(net):
        ours, theirs = gradients["gradient/" + name], p.grad.numpy()
        theirs = theirs.T if transposed else theirs
        relative[name] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    worst = max(relative, key=lambda name: relative[name])
    print(json.dumps({
        "predictions": float(difference), "cases": len(predictions),
        "error": float((probabilities.argmax(1) != cases["y_test"]).mean()),
        "gradients": relative[worst], "worst": worst,
        "loss": abs(loss.item() - float(gradients["loss"][0])) / abs(loss.item()),
    }))


MEAN, STD = "input.mean", "input.std"
main()
