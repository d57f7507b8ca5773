#!/usr/bin/env python3
"""Times aim-train's steps on a CPU against the release's way of training, emulated in PyTorch: the
same network (8 layers of width 512, pooled camera latents), the same canvas (2 views, videos and
actions, 17 frames at 256 x 256 pixels as Wan's autoencoder sees them), batch, optimiser and number
of threads, runs of the two taking turns. Prints one table of ratios as JSON.

    bench/against_recipe.py --rounds 3

Two rows: the network alone (forward, backward, AdamW) against PyTorch's, and aim-train's steps as
they are, which read latents from their cache, against the release's steps, which encode 8 clips
with the autoencoder (videos, actions and both halves of the cameras' rays, of each view) for every
sample. Ours are whole steps in both, averages of steps after the first. The autoencoder is Wan's
2.2 at a fifth of its width, which favours the release. Weights of the release are in the type of
the products, with float32 copies that AdamW updates. Needs torch 2.8, diffusers, safetensors.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch

sys.dont_write_bytecode = True
import eager_wan  # noqa: E402
from against_diffusers import random_vae  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
FRAMES, SIDE, CHANNELS, VIEWS, ENCODES = 17, 256, 48, 2, 8
LATENT_FRAMES, LATENT_SIDE = 1 + (FRAMES - 1) // 4, SIDE // 16
DIM, LAYERS, HEADS, FFN, TEXT_DIM, TEXT_LENGTH, POOL = 512, 8, 8, 2048, 4096, 512, 16
SIZES = dict(dim=DIM, ffn_dim=FFN, num_heads=HEADS, num_layers=LAYERS, in_channels=CHANNELS,
             text_dim=TEXT_DIM, camera=dict(features=CHANNELS * POOL ** 2, pool=POOL))


class Ours:
    """aim-train on demonstrations of the embedded simulator, its cache made once. Blocks of 8 pixels
    of pictures half as wide: the canvas has the same latents."""

    def __init__(self, bin, folder, arguments):
        self._command = [
            bin / "aim-train", "--config", ROOT / "configs/train/tiny.toml",
            "--clips.dir", folder / "cache", "--threads", str(arguments.threads),
            "--log-level", "error"]
        settings = {
            "autoencoder.channels": CHANNELS, "dit.in_channels": CHANNELS,
            "dit.out_channels": CHANNELS, "dit.dim": DIM, "dit.ffn_dim": FFN,
            "dit.num_heads": HEADS, "dit.num_layers": LAYERS, "dit.text_dim": TEXT_DIM,
            "dit.segment_embeddings": 0, "dit.timestep_mode": "scalar",
            "dit.prediction": "velocity", "dit.frame_positions": "canvas", "text.dim": TEXT_DIM,
            "text.length": TEXT_LENGTH, "dit.camera.mode": "pooled_latent",
            "dit.camera.features": CHANNELS * POOL ** 2, "dit.camera.pool": POOL,
            "dit.camera.projector": "true", "train.optimizer": "adamw", "train.ema": 0,
            "train.batch_size": arguments.batch, "train.microbatch": 1, "train.log_every": 1,
            "train.steps": arguments.steps + 1, "train.checkpoint_every": 1000000,
            "train.validate_every": 1000000, "train.validation_episodes": 0,
            "train.dtype": arguments.dtype, "train.timesteps": "released",
            "train.loss_weight": "bell", "train.mix.i2va": 1}
        settings |= {f"train.mix.{mode}": 0 for mode in ("i2a", "v2a", "a2v", "i2v")}
        for name, value in settings.items():
            self._command += ["--set", f"{name}={value}"]
        self._folder, self._runs, self._batch = folder, 0, arguments.batch
        subprocess.run([bin / "aim-data", "demos", "--task", "reach_target", "--episodes", "6",
                        "--image-size", str(SIDE // 2), "--no-previews", "--log-level", "error",
                        "--out", folder / "demos"], check=True, stdout=subprocess.DEVNULL)

    def step_seconds(self):
        out = self._folder / f"run{self._runs}"
        self._runs += 1
        subprocess.run([*map(str, self._command), "--data", str(self._folder / "demos"),
                        "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        rates = [line["samples_per_s"] for line in lines if "samples_per_s" in line]
        return statistics.mean(self._batch / rate for rate in rates[1:])

    def num_weights(self):
        done = subprocess.run([*map(str, self._command), "--data", str(self._folder / "demos"),
                               "--out", str(self._folder / "dry"), "--dry-run"], check=True,
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)["memory"]["num_weights"]


class Theirs:
    def __init__(self, arguments):
        self._sizes = eager_wan.Sizes(dict(
            device="cpu", dtype=arguments.dtype, latent_frames=LATENT_FRAMES,
            latent_side=LATENT_SIDE, text_length=TEXT_LENGTH, dit=SIZES))
        self._model = eager_wan.Wan(self._sizes).train()
        self._vae = random_vae(torch.Generator().manual_seed(1))[0].to(self._sizes.torch_dtype)
        self._weights = list(self._model.parameters())
        self._masters = [weight.detach().float().clone() for weight in self._weights]
        self._optimizer = torch.optim.AdamW(self._masters, lr=1e-5, weight_decay=0, fused=True)
        self._batch, self._steps = arguments.batch, arguments.steps
        self._clip = torch.rand(1, 3, FRAMES, SIDE, SIDE).to(self._sizes.torch_dtype) * 2 - 1

    def num_weights(self):
        return sum(weight.numel() for weight in self._weights)

    def _encode(self):
        with torch.no_grad():
            for _ in range(self._batch * ENCODES):
                self._vae.encode(self._clip)

    def _learn(self):
        jobs = [eager_wan.sample_job(self._sizes) for _ in range(self._batch)]
        canvas, noise, camera, text = (torch.cat([getattr(job, name) for job in jobs])
                                       for name in ("canvas", "noise", "camera", "text"))
        given = jobs[0].given
        sigma = 0.7
        x = torch.where(given, canvas, (1 - sigma) * canvas + sigma * noise)
        timestep = torch.full((self._batch,), 1000 * sigma)
        output = self._model(x, timestep, text, camera)
        error = ((output - (noise - canvas)).float().square() * ~given).sum((1, 2, 3, 4))
        loss = (error / (~given).sum().clamp(min=1)).mean()
        gradients = torch.autograd.grad(loss, self._weights)
        for master, gradient in zip(self._masters, gradients):
            master.grad = gradient.float()
        self._optimizer.step()
        with torch.no_grad():
            for weight, master in zip(self._weights, self._masters):
                weight.copy_(master)

    def step_seconds(self, encodes):
        self._learn()
        begin = time.perf_counter()
        for _ in range(self._steps):
            if encodes:
                self._encode()
            self._learn()
        return (time.perf_counter() - begin) / self._steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="that are timed, of each run")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Ours(arguments.bin, pathlib.Path(folder), arguments), Theirs(arguments)
        result = dict(vars(arguments), bin=str(arguments.bin), torch=torch.__version__,
                      weights=dict(ours=ours.num_weights(), theirs=theirs.num_weights()))
        times = {"ours": [], "network": [], "recipe": []}
        for _ in range(arguments.rounds):
            times["network"].append(theirs.step_seconds(encodes=False))
            times["ours"].append(ours.step_seconds())
            times["recipe"].append(theirs.step_seconds(encodes=True))
    result["ours_s"] = statistics.median(times["ours"])
    for name in ("network", "recipe"):
        ratios = [other / own for other, own in zip(times[name], times["ours"])]
        result[name] = dict(theirs_s=statistics.median(times[name]),
                            ratio=statistics.median(ratios), lowest=min(ratios),
                            highest=max(ratios))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
