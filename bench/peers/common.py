"""What the peers share: sizes, data, and how they are asked for rounds.

A peer is started once, compiles and warms up, prints a line of JSON when it is ready, and from then on
answers every number of seconds that it reads with the updates per second that it made in about that time.
So all are ready at once, and rounds of ours and theirs can be run in turn.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

import numpy as np

OBSERVATIONS, ACTIONS, TRANSITIONS, EPISODE = 17, 6, 100_000, 1000
HIDDEN, BATCH, DISCOUNT, POLYAK, RATE = 256, 256, 0.99, 0.005, 3e-4
# Decision Transformer
WINDOWS, CONTEXT, WIDTH, LAYERS, HEADS, DROPOUT = 64, 20, 128, 3, 1, 0.1


def arguments(modes):
    parser = argparse.ArgumentParser()
    parser.add_argument("algorithm", choices=["iql", "td3bc", "cql", "dt"])
    parser.add_argument("--mode", choices=modes, default=modes[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isa", choices=["", "avx2"], default="", help="hold the libraries to it")
    parser.add_argument("--observations", type=int, default=OBSERVATIONS)
    parser.add_argument("--actions", type=int, default=ACTIONS)
    return parser.parse_args()


def hold_to(threads, isa=""):
    """Leaves the process as many processors as threads, and the libraries an instruction set. Call it before the
    framework is imported."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    # PyTorch's cache of compiled losses does not tell instruction sets apart, and mixing them gives wrong numbers.
    cache = pathlib.Path(tempfile.gettempdir()) / f"drydock-bench-{os.getuid()}-{isa or 'native'}"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
    if isa == "avx2":
        os.environ |= {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2",
                       "MKL_ENABLE_INSTRUCTIONS": "AVX2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}


def transitions(observations, actions, seed=0):
    """Data that look like a task's and mean nothing, as drydock bench train makes them."""
    random = np.random.default_rng(seed)
    n = TRANSITIONS
    normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
    return {
        "observations": normal(n, observations),
        "actions": random.uniform(-1, 1, (n, actions)).astype(np.float32),
        "rewards": 1 + 0.1 * normal(n),
        "next_observations": normal(n, observations),
        "terminals": (random.random(n) < 1e-3).astype(np.float32),
        "returns_to_go": (0.001 * (EPISODE - np.arange(n) % EPISODE)).astype(np.float32),
        "timesteps": np.arange(n) % EPISODE,
    }


def serve(run, synchronize, unit=1):
    """`run(k)` makes k updates, a multiple of `unit`, and may return before they are done;
    `synchronize()` waits for them and gives a number that must be finite."""
    def timed(k):
        begin = time.perf_counter()
        run(k)
        value = synchronize()
        if not np.isfinite(value):
            sys.exit("the updates gave a loss that is not finite: nothing was measured")
        return time.perf_counter() - begin

    timed(2 * unit)
    timed(unit)
    updates = unit
    while (seconds := timed(updates)) < 0.2:  # enough for a rate
        updates *= 2
    rate = updates / seconds
    print(json.dumps({"ready": rate}), flush=True)
    for line in sys.stdin:
        updates = unit * max(1, round(float(line) * rate / unit))
        rate = updates / timed(updates)
        print(json.dumps({"updates_per_second": rate}), flush=True)
