"""PyTorch's equivalents of the trainer's models, from the same configuration."""


from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def input_shape(workload):
    """The shape of a case: what the model's kind wants, else a vector."""
    kind, shape = workload["model"]["kind"], workload.get("shape")
    if kind == "convnet":
        return tuple(shape) if len(shape) == 3 else (1, *shape)
    if kind in ("lstm", "rnn"):
        return tuple(shape)
    return (workload["inputs"],)


def build(model, inputs, shape, classes):
    """The network of a model's configuration, on cases of a shape (input_shape)."""
    if model["kind"] in ("lstm", "rnn"):
        return Recurrent(model, inputs, shape, classes)
    activation = ACTIVATIONS[model["activation"]]
    dropout = model.get("dropout") or {}
    before, hidden = dropout.get("input", 0), dropout.get("hidden", 0)
    layers = [nn.Dropout(before)] if before > 0 else []
    if model["kind"] == "convnet":
        channels, height, width = shape if len(shape) == 3 else (1, *shape)
        for conv in model["conv"]:
            kernel, stride, padding, pool = conv["kernel"], conv.get("stride") or 1, conv.get("padding", 0), conv.get("pool") or 1
            layers += [nn.Conv2d(channels, conv["channels"], kernel, stride, padding), activation()]
            channels = conv["channels"]
            height, width = ((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
            if pool > 1:
                layers.append(nn.MaxPool2d(pool))
                height, width = height // pool, width // pool
        layers.append(nn.Flatten())
        inputs = channels * height * width
        if hidden > 0:
            layers.append(nn.Dropout(hidden))
    for i, units in enumerate(model["hidden"]):
        if i > 0 and hidden > 0:
            layers.append(nn.Dropout(hidden))
        layers += [nn.Linear(inputs, units), activation()]
        inputs = units
    if model["hidden"] and hidden > 0:
        layers.append(nn.Dropout(hidden))
    layers.append(nn.Linear(inputs, classes))
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """Recurrent layers and, on the last step's state, the logits."""

    def __init__(self, model, inputs, shape, classes):
        super().__init__()
        dropout = model.get("dropout") or {}
        self.before = nn.Dropout(dropout.get("input", 0))
        self.after = nn.Dropout(dropout.get("hidden", 0))
        units = model["hidden"]
        kind = {"lstm": nn.LSTM, "rnn": nn.RNN}[model["kind"]]
        self.layers = nn.ModuleList(
            kind(shape[-1] if i == 0 else units[i - 1], n, batch_first=True) for i, n in enumerate(units))
        self.out = nn.Linear(units[-1], classes)

    def forward(self, x):
        h = self.before(x)
        for i, layer in enumerate(self.layers):
            if i > 0:
                h = self.after(h)
            h, _ = layer(h)
        return self.out(self.after(h[:, -1]))
