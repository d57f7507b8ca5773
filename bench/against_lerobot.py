#!/usr/bin/env python3
"""Times reading of training clips against LeRobot's own loader: the same LeRobot data set, clips of
41 frames of all views at random places, resized to 256 x 256, the same number of threads or worker
processes, runs of the two taking turns. Prints one table of ratios.

    aim-data convert RLBENCH out/bench/lerobot --views front --views overhead --width 512 \\
        --height 512 --to lerobot --no-lossless
    bench/against_lerobot.py --data out/bench/lerobot --rounds 5

Needs Python 3.12 or later with lerobot (requirements-dev.txt), and episodes of 41 frames or more.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from torchvision.transforms import v2

FRAMES, SIZE = 41, 256


def run(*words):
    done = subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def their_clips_per_s(data, clips, workers, seed):
    generator = torch.Generator().manual_seed(seed)
    # Whole clips only, as ours: starts from which 41 frames follow in the episode.
    starts = [begin + k for begin, end in zip(data.meta.episodes["dataset_from_index"],
                                              data.meta.episodes["dataset_to_index"])
              for k in range(max(1, end - begin - FRAMES + 1))]
    chosen = [starts[i] for i in torch.randint(len(starts), (clips + 2 * workers,),
                                               generator=generator)]
    loader = torch.utils.data.DataLoader(torch.utils.data.Subset(data, chosen), batch_size=1,
                                         num_workers=workers, prefetch_factor=2)
    batches = iter(loader)
    for _ in range(2 * workers):  # the workers have started and opened their files
        next(batches)
    begin = time.perf_counter()
    for _ in range(clips):
        next(batches)
    return clips / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--data", type=pathlib.Path, required=True, help="a LeRobot data set")
    parser.add_argument("--cache", type=pathlib.Path, help="a latent cache, for its rate too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--video-backend", help="of LeRobot; its own choice where it is left out")
    options = parser.parse_args()
    root = options.data
    fps = json.loads((root / "meta/info.json").read_text())["fps"]
    cameras = LeRobotDataset("bench/loader", root=root).meta.camera_keys
    more = {"video_backend": options.video_backend} if options.video_backend else {}
    data = LeRobotDataset(
        "bench/loader", root=root, image_transforms=v2.Resize((SIZE, SIZE), antialias=True),
        delta_timestamps={key: [k / fps for k in range(FRAMES)] for key in cameras + ["action"]},
        **more)
    words = [options.bin / "loader_bench", root, "--clips", options.clips, "--threads",
             options.threads, "--frames", FRAMES, "--size", SIZE]
    words += ["--cache", options.cache] if options.cache else []
    ours, cached, theirs = [], [], []
    for seed in range(options.rounds):
        theirs.append(their_clips_per_s(data, options.clips, options.threads, seed))
        report = json.loads(run(*words))
        ours.append(report["clips_per_s"])
        cached.append(report.get("cached_clips_per_s"))
    print(f"| | clips/s | of LeRobot's [lowest, highest of {options.rounds} rounds] |\n|---|---|---|")
    print(f"| LeRobot ({options.video_backend or 'its own backend'}) | "
          f"{statistics.median(theirs):.2f} | 1 |")
    for name, values in (("aim", ours), ("aim, latent cache", cached)):
        if values[0] is None:
            continue
        ratios = [mine / other for mine, other in zip(values, theirs)]
        print(f"| {name} | {statistics.median(values):.2f} | {statistics.median(ratios):.2f} "
              f"[{min(ratios):.2f}, {max(ratios):.2f}] |")


if __name__ == "__main__":
    main()
