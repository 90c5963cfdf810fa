"""Puts the trainer's parameters into networks.py's networks.

The trainer's matrices are [inputs, units] and PyTorch's the other way round; filters
are the same. PyTorch adds two biases where a recurrent layer has one: the second
stays zero.
"""

import torch
from torch import nn


def pairs(net):
    """The trainer's name of each of the network's parameters, the parameter, and
    whether it is transposed."""
    dense = conv = 0
    for module in net.modules():
        if isinstance(module, nn.Linear):
            yield f"dense{dense}.weight", module.weight, True
            yield f"dense{dense}.bias", module.bias, False
            dense += 1
        elif isinstance(module, nn.Conv2d):
            yield f"conv{conv}.weight", module.weight, False
            yield f"conv{conv}.bias", module.bias, False
            conv += 1
    for i, layer in enumerate(getattr(net, "layers", ())):
        kind = type(layer).__name__.lower()
        yield f"{kind}{i}.weight", layer.weight_ih_l0, True
        yield f"{kind}{i}.recurrent", layer.weight_hh_l0, True
        yield f"{kind}{i}.bias", layer.bias_ih_l0, False


def load(net, tensors):
    """Copies the parameters of a checkpoint, all of them, into net."""
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
        used = set()
        for name, p, transposed in pairs(net):
            t = torch.as_tensor(tensors[name])
            p.copy_(t.T if transposed else t)
            used.add(name)
    if left := set(tensors) - used:
        raise SystemExit(f"the network has no {sorted(left)}")
