#!/usr/bin/env python3
"""The published forward and sampler in eager PyTorch at full size with random weights, for
comparison with bin/gpu_bench in one run (scripts/gpu_check): everything in bfloat16, the camera
encoder and the text embedding in every forward, guidance as two forwards. Prints one JSON object.

    bench/eager_wan.py [--device cuda] [--steps 50]

Formulas: wan22.md 2 and method.md 3.3. Needs torch only. Exit 2 without a usable GPU.
"""

import argparse
import json
import math
import sys
import time

import torch
import torch.nn.functional as F

DIM, HEADS, LAYERS, FFN, FREQ, TEXT, CHANNELS = 3072, 24, 30, 14336, 256, 4096, 48
HEAD_DIM = DIM // HEADS
CAMERA_POOL = (48, 16, 16)  # of 96 camera channels and 32 x 32 latents


class Linears(torch.nn.Module):
    """Random weights by name."""

    def __init__(self, sizes, device):
        super().__init__()
        self.layers = torch.nn.ModuleDict({
            name: torch.nn.Linear(inputs, outputs, device=device, dtype=torch.bfloat16)
            for name, (inputs, outputs) in sizes.items()})

    def forward(self, name, x):
        return self.layers[name](x)


class RmsNorm(torch.nn.Module):
    def __init__(self, device):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(DIM, device=device, dtype=torch.bfloat16))

    def forward(self, x):
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)
        return (wide * scale).to(x.dtype) * self.weight


def rotate(x, table):
    """[B, N, DIM] by complex numbers in float64, as published."""
    pairs = torch.view_as_complex(x.double().view(*x.shape[:2], HEADS, -1, 2))
    return torch.view_as_real(pairs * table[:, None]).flatten(2).to(x.dtype)


def attend(q, k, v):
    q, k, v = (x.unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Block(torch.nn.Module):
    def __init__(self, device):
        super().__init__()
        square = (DIM, DIM)
        names = [kind + part for kind in ("self_", "cross_") for part in "qkvo"]
        sizes = {name: square for name in names + ["projector"]}
        sizes |= dict(up=(DIM, FFN), down=(FFN, DIM), camera=(math.prod(CAMERA_POOL), DIM))
        self.linear = Linears(sizes, device)
        normed = [name for name in names if name[-1] in "qk"]
        self.norms = torch.nn.ModuleDict({name: RmsNorm(device) for name in normed})
        self.modulation = torch.nn.Parameter(
            torch.randn(1, 6, DIM, device=device, dtype=torch.bfloat16) / DIM ** 0.5)
        self.norm = torch.nn.LayerNorm(DIM, eps=1e-6, elementwise_affine=False)
        self.norm3 = torch.nn.LayerNorm(DIM, eps=1e-6, device=device, dtype=torch.bfloat16)

    def heads(self, kind, queries, context, table=None):
        q = self.norms[kind + "q"](self.linear(kind + "q", queries))
        k = self.norms[kind + "k"](self.linear(kind + "k", context))
        if table is not None:
            q, k = rotate(q, table), rotate(k, table)
        return self.linear(kind + "o", attend(q, k, self.linear(kind + "v", context)))

    def forward(self, x, context, e0, table, camera):
        m = (self.modulation + e0).chunk(6, dim=1)
        pooled = F.adaptive_avg_pool3d(camera, CAMERA_POOL).flatten(2)
        per_frame = x.shape[1] // camera.shape[1]
        tokens = self.linear("camera", pooled).repeat_interleave(per_frame, dim=1)
        a = self.norm(x) * (1 + m[1]) + m[0] + tokens
        x = x + m[2] * self.linear("projector", self.heads("self_", a, a, table))
        x = x + self.heads("cross_", self.norm3(x), context)
        b = self.norm(x) * (1 + m[4]) + m[3]
        return x + m[5] * self.linear("down", F.gelu(self.linear("up", b), approximate="tanh"))


class Wan(torch.nn.Module):
    def __init__(self, device):
        super().__init__()
        self.linear = Linears(dict(text0=(TEXT, DIM), text2=(DIM, DIM), time0=(FREQ, DIM),
                                   time2=(DIM, DIM), time_projection=(DIM, 6 * DIM),
                                   head=(DIM, 4 * CHANNELS)), device)
        self.patch = torch.nn.Conv3d(CHANNELS, DIM, (1, 2, 2), (1, 2, 2), device=device,
                                     dtype=torch.bfloat16)
        self.blocks = torch.nn.ModuleList(Block(device) for _ in range(LAYERS))
        self.modulation = torch.nn.Parameter(
            torch.randn(1, 2, DIM, device=device, dtype=torch.bfloat16) / DIM ** 0.5)
        self.norm = torch.nn.LayerNorm(DIM, eps=1e-6, elementwise_affine=False)

    def forward(self, x, timestep, text, camera):
        frequency = 10000.0 ** (-torch.arange(FREQ // 2, dtype=torch.float64, device=x.device)
                                / (FREQ // 2))
        angle = timestep.double()[:, None] * frequency
        sinusoid = torch.cat([angle.cos(), angle.sin()], -1).to(x.dtype)
        e = self.linear("time2", F.silu(self.linear("time0", sinusoid)))
        e0 = self.linear("time_projection", F.silu(e)).unflatten(1, (6, DIM))
        context = self.linear("text2", F.gelu(self.linear("text0", text), approximate="tanh"))
        x = self.patch(x)
        frames, rows, columns = x.shape[2:]
        table = rope_table(frames, rows, columns, x.device)
        x = x.flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x, context, e0, table, camera)
        shift, scale = (self.modulation + e[:, None]).chunk(2, dim=1)
        x = self.linear("head", self.norm(x) * (1 + scale) + shift)
        x = x.view(-1, frames, rows, columns, 2, 2, CHANNELS)
        return x.permute(0, 6, 1, 2, 4, 3, 5).reshape(-1, CHANNELS, frames, 2 * rows, 2 * columns)


def rope_table(frames, rows, columns, device):
    space = 2 * (HEAD_DIM // 6)
    grid = torch.meshgrid(*(torch.arange(n, device=device) for n in (frames, rows, columns)),
                          indexing="ij")
    parts = []
    for positions, n in zip(grid, (HEAD_DIM - 2 * space, space, space)):
        frequency = 10000.0 ** (-torch.arange(0, n, 2, dtype=torch.float64, device=device) / n)
        parts.append(positions.reshape(-1, 1).double() * frequency)
    angles = torch.cat(parts, dim=1)
    return torch.polar(torch.ones_like(angles), angles)


def measure(device, steps):
    def seconds(work):
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        return time.perf_counter() - start

    model = Wan(device).eval()

    def normal(*shape):
        return torch.randn(*shape, device=device, dtype=torch.bfloat16)

    def sample(frames, count, guided):
        x, camera = normal(1, CHANNELS, frames, 32, 32), normal(1, frames, 96, 32, 32)
        texts = [normal(1, 512, TEXT) for _ in range(2 if guided else 1)]
        for step in range(count):
            timestep = torch.tensor([1000.0 * (1 - step / count)], device=device)
            outputs = [model(x, timestep, text, camera) for text in texts]
            velocity = outputs[-1] + 5.0 * (outputs[0] - outputs[-1]) if guided else outputs[0]
            x = x - velocity / count

    sample(44, 1, True)
    report = dict(forward_s=seconds(lambda: sample(44, 5, False)) / 5,
                  step_s=seconds(lambda: sample(44, 5, True)) / 5)
    report[f"denoise_{steps}_steps_s"] = seconds(lambda: sample(44, steps, True))
    # The published canvas of i2a is denoised whole, both branches.
    report["i2a_denoise_8_steps_guided_s"] = seconds(lambda: sample(24, 8, True))
    report["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2 ** 30
    report["torch"] = torch.__version__
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("eager_wan: no usable NVIDIA GPU; expected one that torch sees; check nvidia-smi",
              file=sys.stderr)
        sys.exit(2)
    with torch.inference_mode():
        print(json.dumps(measure(torch.device(arguments.device), arguments.steps), indent=2))


if __name__ == "__main__":
    main()
