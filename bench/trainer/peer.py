"""The PyTorch side of the trainer's benchmark: one workload in one process.

    python peer.py WORKLOAD VARIANT THREADS

WORKLOAD is the JSON of a workload (workload.go), VARIANT "eager" or "compile", with
"+nhwc" for channels last. It trains on the same minibatches over and over: forward,
loss, backward, clipping if asked for, momentum. It prints one JSON line when it is
warm, and one for each line "round SECONDS" that it reads. The end of its input ends it.
"""

import json
import os
import sys
import time

threads = int(sys.argv[3])
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no pool of compiling processes

import torch  # noqa: E402
from torch import nn  # noqa: E402

import networks  # noqa: E402

POOL = 8  # minibatches


def say(**values):
    print(json.dumps(values), flush=True)


def step_of(workload, variant):
    """The function that makes step number i."""
    torch.manual_seed(1)
    how, _, layout = variant.partition("+")
    memory = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net = networks.build(workload["model"], workload["inputs"], workload.get("shape"), workload["classes"])
    net = net.to(memory_format=memory) if layout else net
    loss_of = nn.CrossEntropyLoss()

    def forward(x, y):
        return loss_of(net(x), y)

    if how == "compile":
        forward = torch.compile(forward)
    optimizer = torch.optim.SGD(net.parameters(), lr=workload["rate"], momentum=workload["momentum"], fused=True)
    batch, clip = workload["batch"], workload["clip"]
    xs = [torch.randn(batch, *networks.input_shape(workload)) for _ in range(POOL)]
    if layout:
        xs = [x.to(memory_format=memory) for x in xs]
    ys = [torch.randint(workload["classes"], (batch,)) for _ in range(POOL)]
    parameters = list(net.parameters())

    def step(i):
        optimizer.zero_grad(set_to_none=True)
        loss = forward(xs[i % POOL], ys[i % POOL])
        loss.backward()
        if clip > 0:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        return loss.item()

    return step


def main():
    torch.set_num_threads(threads)
    if sys.argv[2] == "mm":
        return multiply(int(sys.argv[1]))
    step = step_of(json.loads(sys.argv[1]), sys.argv[2])
    for done in range(3):
        step(done)
    done = 3
    say(ready=True, engine=f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    for line in sys.stdin:
        seconds = float(line.split()[1])
        begun = done
        start, busy = time.perf_counter(), time.process_time()
        now = start
        while now - start < seconds:
            loss = step(done)
            done += 1
            now = time.perf_counter()
        say(steps=done - begun, seconds=now - start, cpu=time.process_time() - busy, loss=loss)


def multiply(n):
    """The rate of a square product, in operations a second."""
    a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
    torch.mm(a, b, out=c)
    say(ready=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        start, busy = time.perf_counter(), time.process_time()
        now, steps = start, 0
        while now - start < seconds:
            torch.mm(a, b, out=c)
            steps += 1
            now = time.perf_counter()
        say(steps=steps, seconds=now - start, cpu=time.process_time() - busy)


main()
