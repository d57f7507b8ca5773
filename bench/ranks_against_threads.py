#!/usr/bin/env python3
"""Training by ranks of one core each against one process with as many threads.

    bench/ranks_against_threads.py --rounds 3

The same network (512 wide, 8 blocks), batch and steps; runs of both take turns, so that what else
the machine does falls on both. Prints seconds a step of each, their ratio, the ranks' shares of
waiting and the peak memory of rank 0, at every stage of train.zero that is asked for. The first two
steps of a run do not count.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
SETTINGS = ["--set", "dit.dim=512", "--set", "dit.ffn_dim=2048", "--set", "dit.num_heads=8",
            "--set", "dit.num_layers=8", "--set", "train.dtype=f32", "--set", "train.log_every=1",
            "--set", "train.checkpoint_every=1000", "--set", "train.validate_every=1000",
            "--set", "train.validation_episodes=0", "--log-level", "error"]


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


def train(data, cache, out, args, ranks, zero):
    """Metrics and run record of one run of `ranks` processes."""
    port = str(free_port())
    children = []
    for rank in range(ranks):
        places = {"RANK": str(rank), "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1",
                  "MASTER_PORT": port} if ranks > 1 else {}
        children.append(subprocess.Popen(
            [BIN / "aim-train", "--config", ROOT / "configs/train/tiny.toml", "--data", data,
             "--out", out, "--set", f"clips.dir={cache}", "--set", f"train.zero={zero}",
             "--set", f"train.steps={args.steps}", "--set", f"train.batch_size={args.batch}",
             "--set", f"train.microbatch={args.microbatch}",
             "--set", f"train.optimizer={args.optimizer}",
             "--set", f"train.num_workers={args.ranks // ranks}", *SETTINGS],
            env={**os.environ, **places}, stdout=subprocess.DEVNULL))
    if any(child.wait() for child in children):
        sys.exit("a run failed")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return ([line for line in lines if "loss" in line][2:],
            json.loads((out / "run.json").read_text()))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=2, help="and threads of the one process")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--microbatch", type=int, default=4)
    parser.add_argument("--optimizer", default="adamw")
    parser.add_argument("--zero", type=int, nargs="*", default=[0, 1, 2])
    args = parser.parse_args()
    kinds = {"one process": (1, 0), **{f"ranks, zero {zero}": (args.ranks, zero)
                                       for zero in args.zero}}
    seconds = {kind: [] for kind in kinds}
    waits = {kind: [] for kind in kinds}
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        subprocess.run([BIN / "aim-data", "demos", "--task", "reach_target", "--episodes", "12",
                        "--out", work / "demos", "--log-level", "error"], check=True,
                       stdout=subprocess.DEVNULL)
        for number in range(args.rounds):
            for kind, (ranks, zero) in kinds.items():
                lines, record = train(work / "demos", work / "cache",
                                      work / f"{kind} {number}".replace(",", "").replace(" ", "_"),
                                      args, ranks, zero)
                seconds[kind].append(statistics.median(args.batch / line["samples_per_s"]
                                                       for line in lines))
                waits[kind] += [line["wait_shares"] for line in lines if "wait_shares" in line]
                peaks[kind] = record["peak_memory_bytes"]
    print("| | s a step, median of runs | of one process [lowest, highest] | waiting | exchange, at most "
          "| peak of rank 0 |")
    print("|---|---|---|---|---|---|")
    for kind, times in seconds.items():
        ratios = [own / one for own, one in zip(times, seconds["one process"])]
        waiting = exchange = ""
        if waits[kind]:
            waiting = f"{100 * statistics.mean(share for step in waits[kind] for share in step):.0f} %"
            # Who comes last waits for nobody.
            exchange = f"{100 * statistics.median(min(step) for step in waits[kind]):.0f} %"
        print(f"| {kind} | {statistics.median(times):.2f} | {statistics.median(ratios):.2f} "
              f"[{min(ratios):.2f}, {max(ratios):.2f}] | {waiting} | {exchange} | {peaks[kind] / 1e9:.2f} GB |")


if __name__ == "__main__":
    main()
