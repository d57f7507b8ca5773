#!/usr/bin/env python3
"""Training steps of the small recipe in PyTorch, for comparison with bin/train_bench in one run
(scripts/gpu_check): float32 weights, bf16 autocast, fused AdamW, the same kinds of canvases in the
same shares, an average of the weights. Prints one JSON object.

    bench/eager_train.py [--device cuda] [--config FILE.json] [--compile]

FILE.json is the one that train_bench takes (bench/toy_train.json); the network is that of
configs/train/tiny.toml. --compile compiles the blocks and takes the middle one of the batches.
Needs torch, for --compile triton on a GPU. Exit 2 without a usable GPU. """

import argparse
import json
import pathlib
import sys
import types

import torch
import torch.nn.functional as F

from eager_wan import EPS, Accelerator, Linears, RmsNorm, attend, rope_table, rotate

VIEWS, FRAMES, FREQ_DIM = 2, 5, 256
# Latent frames of a canvas, and of its samples the share: i2a; i2va, v2a and a2v; i2v.
CANVASES = [(VIEWS * (1 + FRAMES), 0.6), (VIEWS * 2 * FRAMES, 0.35), (VIEWS * FRAMES, 0.05)]
DEFAULTS = dict(device="cuda", dtype="bf16", batches=[256, 1024, 2048], steps=6, latent_side=8,
                channels=64, dim=256, ffn_dim=1024, num_heads=4, num_layers=6, text_dim=64,
                text_length=16, features=24)


class Block(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        dim = sizes.dim
        names = [kind + part for kind in ("self_", "cross_") for part in "qkvo"]
        self.linear = Linears({name: (dim, dim) for name in names} | dict(
            up=(dim, sizes.ffn_dim), down=(sizes.ffn_dim, dim), camera=(sizes.features, dim)),
            sizes)
        self.norms = torch.nn.ModuleDict({
            name: RmsNorm(sizes) for name in names if name[-1] in "qk"})
        self.modulation = torch.nn.Parameter(torch.randn(1, 1, 6, dim, **sizes.make) / dim ** 0.5)
        self.norm = torch.nn.LayerNorm(dim, eps=EPS, elementwise_affine=False)
        self.norm3 = torch.nn.LayerNorm(dim, eps=EPS, **sizes.make)

    def heads(self, kind, queries, context, table=None):
        q = self.norms[kind + "q"](self.linear(kind + "q", queries))
        k = self.norms[kind + "k"](self.linear(kind + "k", context))
        if table is not None:
            q, k = (rotate(x, table, self.sizes.num_heads) for x in (q, k))
        v = self.linear(kind + "v", context)
        return self.linear(kind + "o", attend(q, k, v, self.sizes.num_heads))

    def forward(self, x, context, e0, table, camera):
        per_frame = x.shape[1] // e0.shape[1]
        m = (self.modulation + e0).repeat_interleave(per_frame, dim=1).unbind(2)
        a = self.norm(x) * (1 + m[1]) + m[0] + self.linear("camera", camera)
        x = x + m[2] * self.heads("self_", a, a, table)
        x = x + self.heads("cross_", self.norm3(x), context)
        b = self.norm(x) * (1 + m[4]) + m[3]
        return x + m[5] * self.linear("down", F.gelu(self.linear("up", b), approximate="tanh"))


class Network(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        dim, patch = sizes.dim, 4 * sizes.channels
        self.linear = Linears(dict(patch=(patch, dim), text0=(sizes.text_dim, dim),
                                   text2=(dim, dim), time0=(FREQ_DIM, dim), time2=(dim, dim),
                                   time_projection=(dim, 6 * dim), head=(dim, patch)), sizes)
        self.segments = torch.nn.Parameter(torch.randn(4, dim, **sizes.make) / dim ** 0.5)
        self.blocks = torch.nn.ModuleList(Block(sizes) for _ in range(sizes.num_layers))
        self.modulation = torch.nn.Parameter(torch.randn(1, 1, 2, dim, **sizes.make) / dim ** 0.5)
        self.norm = torch.nn.LayerNorm(dim, eps=EPS, elementwise_affine=False)

    def forward(self, tokens, timestep, text, camera):
        """Tokens [B, N, 4 C], timestep [B, frames], camera [B, N, features]."""
        frames, side = timestep.shape[1], self.sizes.latent_side // 2
        frequency = 10000.0 ** (-torch.arange(FREQ_DIM // 2, device=tokens.device) / (FREQ_DIM // 2))
        angle = timestep[..., None] * frequency
        e = self.linear("time2", F.silu(self.linear("time0", torch.cat(
            [angle.cos(), angle.sin()], -1))))
        e0 = self.linear("time_projection", F.silu(e)).unflatten(-1, (6, -1))
        context = self.linear("text2", F.gelu(self.linear("text0", text), approximate="tanh"))
        x = self.linear("patch", tokens).float()
        segment = torch.arange(frames, device=x.device) * 4 // frames
        x = x + self.segments[segment].repeat_interleave(side * side, dim=0)
        table = torch.view_as_real(rope_table(
            frames, side, side, self.sizes.dim // self.sizes.num_heads, x.device)).float()
        for block in self.blocks:
            x = block(x, context, e0, table, camera)
        shift, scale = (self.modulation + e[:, :, None]).repeat_interleave(
            side * side, dim=1).unbind(2)
        return self.linear("head", self.norm(x) * (1 + scale) + shift).float()


def sample_losses(network, sizes, count, frames):
    """Of random clips, made on the device: as if their fetching cost nothing."""
    tokens = frames * (sizes.latent_side // 2) ** 2

    def normal(*shape):
        return torch.randn(*shape, **sizes.make)

    clean, noise = (normal(count, tokens, 4 * sizes.channels) for _ in range(2))
    given = (torch.arange(frames, device=sizes.device) % FRAMES == 0).float()
    timestep = torch.rand(count, 1, **sizes.make) * (1 - given)
    level = timestep.repeat_interleave(tokens // frames, dim=1)[..., None]
    text = normal(count, sizes.text_length, sizes.text_dim)
    camera = normal(count, tokens, sizes.features)
    with torch.autocast(sizes.device.type, torch.bfloat16, enabled=sizes.dtype == "bf16"):
        output = network(clean + level * (noise - clean), 1000 * timestep, text, camera)
    return (output - clean).square().mean((1, 2))


def measure_batch(accelerator, network, average, sizes, batch):
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)

    def step():
        optimizer.zero_grad()
        losses = []
        for frames, share in CANVASES:
            count = max(1, round(share * batch))
            losses.append(sample_losses(network, sizes, count, frames).sum() / batch)
            losses[-1].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, [weight.data for weight in network.parameters()], 0.002)
        return sum(loss.detach() for loss in losses).item()

    report = dict(batch=batch)
    accelerator.forget()
    try:
        report["first_s"] = accelerator.seconds(step)
        step()
        report["step_s"] = accelerator.seconds(
            lambda: [step() for _ in range(sizes.steps)]) / sizes.steps
        report["samples_per_s"] = batch / report["step_s"]
    except torch.OutOfMemoryError:
        report["failed"] = "out of memory"
    report["peak_gib"] = accelerator.peak_gib()
    return report


def measure(sizes, is_compiled):
    accelerator = Accelerator(sizes.device)
    network = Network(sizes)
    average = [weight.data.clone() for weight in network.parameters()]
    if is_compiled:
        for block in network.blocks:
            block.compile(dynamic=False)  # as ours: the canvases are known
        sizes.batches = [sizes.batches[len(sizes.batches) // 2]]
    return dict(device=str(sizes.device), dtype=sizes.dtype, torch=torch.__version__,
                compiled=is_compiled,
                parameters=sum(weight.numel() for weight in network.parameters()),
                small=[measure_batch(accelerator, network, average, sizes, batch)
                       for batch in sizes.batches])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", help="cpu, cuda or cuda:N")
    parser.add_argument("--config", type=pathlib.Path, help="JSON with the sizes that differ")
    parser.add_argument("--compile", action="store_true", help="compile the blocks")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text()) if arguments.config else {}
    sizes = types.SimpleNamespace(**DEFAULTS | {
        key: value for key, value in config.items() if key in DEFAULTS})
    sizes.device = torch.device(arguments.device or sizes.device)
    sizes.make = dict(device=sizes.device, dtype=torch.float32)
    if sizes.device.type == "cuda" and not torch.cuda.is_available():
        print("eager_train: no usable NVIDIA GPU; expected one that torch sees; check nvidia-smi",
              file=sys.stderr)
        sys.exit(2)
    torch.manual_seed(1)
    print(json.dumps(measure(sizes, arguments.compile), indent=2))


if __name__ == "__main__":
    main()
