"""Lets a CUDA build of PyTorch be imported where no CUDA library is installed.

The package registry's wheels for Linux are built with CUDA and name its libraries,
gigabytes of them, as needed. A CPU benchmark calls none of them. So this compiles a
library for each name that is missing: all functions that PyTorch would take from
them exist and return 100, which is CUDA's "no device".

    python standins.py <site-packages>/torch/lib

Needs a C compiler, readelf and nm.
"""

import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def loads(soname):
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def main(folder):
    libraries = sorted(folder.glob("*.so*"))
    present = {lib.name for lib in libraries}
    needed = set()
    for lib in libraries:
        needed.update(re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-dW", str(lib))))
    missing = sorted(name for name in needed - present if not loads(name))
    if not missing:
        return
    # Symbols of CUDA's libraries begin in one of these ways; all else is somebody's
    # who is there.
    cuda = re.compile(r"^(_*cu[a-z]*[A-Z_]|_*cudnn|_*nccl|_*nvrtc|_*nvshmem|_*nvJit|_*nvtx|_*cupti|cu[A-Z]|cufft)")
    symbols = set()
    for lib in libraries:
        for line in output("nm", "-D", "--undefined-only", str(lib)).splitlines():
            kind, name = line.split()[-2:]
            name = name.split("@")[0]
            if kind == "U" and cuda.match(name):
                symbols.add(name)
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch, "standin.c")
        source.write_text("".join(f"int {name}(void) {{ return 100; }}\n" for name in sorted(symbols)))
        # The loader insists that a library which others want a version of has one, so
        # the functions are in a library of another name, which the named ones need.
        functions = "libstandin.so"
        compiler = ["cc", "-shared", "-fPIC", "-fno-builtin", "-O1"]
        subprocess.run([*compiler, f"-Wl,-soname,{functions}", "-o", str(folder / functions), str(source)], check=True)
        empty = pathlib.Path(scratch, "empty.c")
        empty.write_text("")
        for name in missing:
            subprocess.run([*compiler, f"-Wl,-soname,{name}", "-o", str(folder / name), str(empty),
                            "-Wl,--no-as-needed", str(folder / functions), "-Wl,-rpath,$ORIGIN"], check=True)
    print(f"{len(missing)} libraries of {len(symbols)} functions stand in for CUDA's: {', '.join(missing)}")


main(pathlib.Path(sys.argv[1]))
