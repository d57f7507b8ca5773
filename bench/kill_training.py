#!/usr/bin/env python3
"""aim-train killed at random moments and gone on with, against a run that was left alone.

    bench/kill_training.py --kills 100

Records a few demonstrations, trains a small network on them once whole and once with SIGKILL at
random moments, each time going on with --resume, and compares the last checkpoint's and the
bundle's files byte by byte. Says how many kills fell into which part of a run and how many steps
were taken again. Exit code 1 if any byte differs or a step was lost that a checkpoint had.
"""

import argparse
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
EVERY = 5  # steps between checkpoints
SETTINGS = ["--set", "dit.dim=32", "--set", "dit.ffn_dim=64", "--set", "dit.num_heads=2",
            "--set", "dit.num_layers=1", "--set", "train.batch_size=4",
            "--set", "train.microbatch=2", "--set", f"train.checkpoint_every={EVERY}",
            "--set", "train.validate_every=50", "--set", "train.log_every=1",
            "--set", "train.validation_episodes=1", "--threads", "1"]


def train(data, out, steps, more=()):
    return subprocess.Popen(
        [BIN / "aim-train", "--config", ROOT / "configs/train/tiny.toml", "--data", data,
         "--out", out, "--set", f"train.steps={steps}", "--log-level", "debug", *SETTINGS, *more],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def saved_steps(out):
    folder = out / "checkpoints"
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return [int(m[1]) for m in (re.fullmatch(r"step_(\d+)", name) for name in names) if m]


def last_logged(out):
    lines = (out / "metrics.jsonl").read_text().splitlines() if (out / "metrics.jsonl").exists() else []
    steps = [json.loads(line).get("train_step", 0) for line in lines if line.startswith("{")
             and line.endswith("}")]
    return max(steps, default=0)


def files_of(out, steps):
    checkpoint = out / f"checkpoints/step_{steps:08d}"
    bundle = out / "bundle"
    return {f"{p.parent.name}/{p.name}": p.read_bytes()
            for folder in (checkpoint, bundle) for p in sorted(folder.iterdir()) if p.is_file()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = folder / "data"
        subprocess.run([BIN / "aim-data", "demos", "--task", "reach_target", "--episodes", "6",
                        "--no-previews", "--out", data], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        whole = train(data, folder / "whole", args.steps)
        if whole.communicate() and whole.returncode != 0:
            sys.exit("kill_training.py: the run that was left alone failed")
        length_s = time.monotonic() - begin

        out = folder / "killed"
        kills, before_first, redone, lost = 0, 0, 0, 0
        more = []
        while kills < args.kills:
            run = train(data, out, args.steps, more)
            known = max(saved_steps(out), default=0)
            try:
                # From the first instant to some checkpoints on.
                run.communicate(timeout=rng.uniform(0.05, max(1.0, length_s / 12)))
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.communicate()
                kills += 1
                now = max(saved_steps(out), default=0)
                lost += now < known
                before_first += now == 0
                redone += max(0, last_logged(out) - now)
            else:
                if run.returncode != 0:
                    sys.exit(f"kill_training.py: exit code {run.returncode}")
                args.steps += 100  # it was done: the whole run goes on as well
                longer = train(data, folder / "whole", args.steps, ["--resume"])
                longer.communicate()
            more = ["--resume"] if out.exists() else []
        last = train(data, out, args.steps, more)
        error = last.communicate()[1]
        if last.returncode != 0:
            sys.exit("kill_training.py: " + error.splitlines()[-1])
        expected, found = (files_of(folder / run, args.steps) for run in ("whole", "killed"))
        different = sorted(name for name in expected if found.get(name) != expected[name])
        print(json.dumps({"kills": kills, "steps": args.steps, "checkpoint_every": EVERY,
                          "kills_before_the_first_checkpoint": before_first,
                          "steps_taken_again": redone, "checkpoints_lost": lost,
                          "files": len(expected), "different": different}, indent=1))
        sys.exit(1 if different or lost or set(found) != set(expected) else 0)


if __name__ == "__main__":
    main()
