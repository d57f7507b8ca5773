#!/usr/bin/env python3
"""The published forward and sampler in eager PyTorch with random weights, for comparison with
bin/gpu_bench in one run (scripts/gpu_check): everything in one type, the camera encoder and the
text embedding in every forward, guidance as two forwards. Prints one JSON object.

    bench/eager_wan.py [--device cuda] [--config FILE.json] [--tensors FILE.safetensors] [--steps N]
                       [--compile]

Defaults are the released 5 B system at 512 x 512 x 41 x 2 views in bfloat16; FILE.json is the one
that gpu_bench takes (bench/toy.json). --tensors reads weights, inputs and results that gpu_bench
--tensors wrote, and reports how far its own results are from those, relative to the largest value.
--compile times one forward alone, its blocks by torch.compile, which makes no code for complex
numbers: the rotation is in real ones, in float32. Formulas: docs/reference/wan22.md 2 and
docs/reference/method.md 3.3. Needs torch, for --tensors safetensors too, for --compile triton on a
GPU. Exit 2 without a usable GPU. """

import argparse
import json
import pathlib
import re
import sys
import time
import types

import torch
import torch.nn.functional as F

VIEWS, GUIDANCE, SHIFT, EPS = 2, 5.0, 5.0, 1e-6
RELEASED = dict(
    device="cuda", dtype="bf16", latent_frames=11, latent_side=32, text_length=512, steps=50,
    plan_steps=8,
    dit=dict(in_channels=48, dim=3072, ffn_dim=14336, num_heads=24, num_layers=30, freq_dim=256,
             text_dim=4096, camera=dict(features=12288, pool=16)))


class Sizes(types.SimpleNamespace):
    """The numbers of RELEASED, flat, with those of `config` in place of its own."""

    def __init__(self, config):
        dit, given = RELEASED["dit"], config.get("dit", {})
        super().__init__(**{**RELEASED, **config, **dit, **given,
                            **dit["camera"], **given.get("camera", {})})
        self.device = torch.device(self.device)
        self.torch_dtype = dict(bf16=torch.bfloat16, f32=torch.float32)[self.dtype]
        self.head_dim = self.dim // self.num_heads
        self.make = dict(device=self.device, dtype=self.torch_dtype)
        # Of 2 C camera channels and the picture's rows and columns.
        self.camera_pool = (self.features // self.pool ** 2, self.pool, self.pool)


class Accelerator:
    """What a GPU has beside a CPU: a queue of work to wait for, and memory of its own."""

    def __init__(self, device):
        self.is_gpu = device.type == "cuda"
        self.device = device

    def wait(self):
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def peak_gib(self):
        return torch.cuda.max_memory_allocated(self.device) / 2 ** 30 if self.is_gpu else None

    def forget(self):
        if self.is_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def seconds(self, work):
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start


class Linears(torch.nn.Module):
    """Random weights by name."""

    def __init__(self, shapes, sizes):
        super().__init__()
        self.layers = torch.nn.ModuleDict({
            name: torch.nn.Linear(inputs, outputs, **sizes.make)
            for name, (inputs, outputs) in shapes.items()})

    def forward(self, name, x):
        return self.layers[name](x)


class RmsNorm(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(sizes.dim, **sizes.make))

    def forward(self, x):
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPS)
        return (wide * scale).to(x.dtype) * self.weight


def rotate(x, table, heads):
    """[B, N, dim] by complex numbers in float64, as published, or by real ones [N, pairs, 2]."""
    if not table.is_complex():
        real, imaginary = x.float().view(*x.shape[:2], heads, -1, 2).unbind(-1)
        cos, sin = table[:, None].unbind(-1)
        turned = real * cos - imaginary * sin, real * sin + imaginary * cos
        return torch.stack(turned, dim=-1).flatten(2).to(x.dtype)
    pairs = torch.view_as_complex(x.double().view(*x.shape[:2], heads, -1, 2))
    return torch.view_as_real(pairs * table[:, None]).flatten(2).to(x.dtype)


def attend(q, k, v, heads):
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Block(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        dim = sizes.dim
        names = [kind + part for kind in ("self_", "cross_") for part in "qkvo"]
        shapes = {name: (dim, dim) for name in names + ["projector"]}
        shapes |= dict(up=(dim, sizes.ffn_dim), down=(sizes.ffn_dim, dim),
                       camera=(sizes.features, dim))
        self.linear = Linears(shapes, sizes)
        normed = [name for name in names if name[-1] in "qk"]
        self.norms = torch.nn.ModuleDict({name: RmsNorm(sizes) for name in normed})
        self.modulation = torch.nn.Parameter(torch.randn(1, 6, dim, **sizes.make) / dim ** 0.5)
        self.norm = torch.nn.LayerNorm(dim, eps=EPS, elementwise_affine=False)
        self.norm3 = torch.nn.LayerNorm(dim, eps=EPS, **sizes.make)

    def heads(self, kind, queries, context, table=None):
        q = self.norms[kind + "q"](self.linear(kind + "q", queries))
        k = self.norms[kind + "k"](self.linear(kind + "k", context))
        num_heads = self.sizes.num_heads
        if table is not None:
            q, k = rotate(q, table, num_heads), rotate(k, table, num_heads)
        return self.linear(kind + "o",
                           attend(q, k, self.linear(kind + "v", context), num_heads))

    def forward(self, x, context, e0, table, camera):
        m = (self.modulation + e0).chunk(6, dim=1)
        pooled = F.adaptive_avg_pool3d(camera, self.sizes.camera_pool).flatten(2)
        per_frame = x.shape[1] // camera.shape[1]
        tokens = self.linear("camera", pooled).repeat_interleave(per_frame, dim=1)
        a = self.norm(x) * (1 + m[1]) + m[0] + tokens
        x = x + m[2] * self.linear("projector", self.heads("self_", a, a, table))
        x = x + self.heads("cross_", self.norm3(x), context)
        b = self.norm(x) * (1 + m[4]) + m[3]
        return x + m[5] * self.linear("down", F.gelu(self.linear("up", b), approximate="tanh"))


class Wan(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        self.passes = 0
        self.is_compiled = False
        dim, channels = sizes.dim, sizes.in_channels
        self.linear = Linears(dict(text0=(sizes.text_dim, dim), text2=(dim, dim),
                                   time0=(sizes.freq_dim, dim), time2=(dim, dim),
                                   time_projection=(dim, 6 * dim), head=(dim, 4 * channels)), sizes)
        self.patch = torch.nn.Conv3d(channels, dim, (1, 2, 2), (1, 2, 2), **sizes.make)
        self.blocks = torch.nn.ModuleList(Block(sizes) for _ in range(sizes.num_layers))
        self.modulation = torch.nn.Parameter(torch.randn(1, 2, dim, **sizes.make) / dim ** 0.5)
        self.norm = torch.nn.LayerNorm(dim, eps=EPS, elementwise_affine=False)

    def compile_blocks(self):
        for block in self.blocks:
            block.compile()
        self.is_compiled = True

    def forward(self, x, timestep, text, camera):
        self.passes += x.shape[0]
        half, channels = self.sizes.freq_dim // 2, self.sizes.in_channels
        frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device=x.device) / half)
        angle = timestep.double()[:, None] * frequency
        sinusoid = torch.cat([angle.cos(), angle.sin()], -1).to(x.dtype)
        e = self.linear("time2", F.silu(self.linear("time0", sinusoid)))
        e0 = self.linear("time_projection", F.silu(e)).unflatten(1, (6, -1))
        context = self.linear("text2", F.gelu(self.linear("text0", text), approximate="tanh"))
        x = self.patch(x)
        frames, rows, columns = x.shape[2:]
        table = rope_table(frames, rows, columns, self.sizes.head_dim, x.device)
        if self.is_compiled:
            table = torch.view_as_real(table).float()
        x = x.flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x, context, e0, table, camera)
        shift, scale = (self.modulation + e[:, None]).chunk(2, dim=1)
        x = self.linear("head", self.norm(x) * (1 + scale) + shift)
        x = x.view(-1, frames, rows, columns, 2, 2, channels)
        return x.permute(0, 6, 1, 2, 4, 3, 5).reshape(-1, channels, frames, 2 * rows, 2 * columns)


def rope_table(frames, rows, columns, head_dim, device):
    space = 2 * (head_dim // 6)
    grid = torch.meshgrid(*(torch.arange(n, device=device) for n in (frames, rows, columns)),
                          indexing="ij")
    parts = []
    for positions, n in zip(grid, (head_dim - 2 * space, space, space)):
        frequency = 10000.0 ** (-torch.arange(0, n, 2, dtype=torch.float64, device=device) / n)
        parts.append(positions.reshape(-1, 1).double() * frequency)
    angles = torch.cat(parts, dim=1)
    return torch.polar(torch.ones_like(angles), angles)


class Job:
    """A canvas to denoise. `given`: which latent frames are clean and stay."""

    def __init__(self, sizes, given):
        def normal(*shape):
            return torch.randn(*shape, **sizes.make)

        side, frames = sizes.latent_side, len(given)
        self.canvas, self.noise = (normal(1, sizes.in_channels, frames, side, side)
                                   for _ in range(2))
        self.camera = normal(1, frames, 2 * sizes.in_channels, side, side)
        self.text, self.null_text = (normal(1, sizes.text_length, sizes.text_dim)
                                     for _ in range(2))
        self.given = torch.tensor(given, device=sizes.device).view(1, 1, -1, 1, 1)


def sample_job(sizes):
    """Video and actions of every view, the first latents given."""
    return Job(sizes, ([True] + [False] * (sizes.latent_frames - 1)) * 2 * VIEWS)


def plan_job(sizes):
    """The first picture and the actions of every view."""
    return Job(sizes, ([True, True] + [False] * (sizes.latent_frames - 1)) * VIEWS)


def denoise(model, job, steps):
    """Euler steps with guidance; `job.given` frames of the canvas stay as they are."""
    sigmas = [SHIFT * u / (1 + (SHIFT - 1) * u)
              for u in (1 - step / steps for step in range(steps + 1))]
    x = torch.where(job.given, job.canvas, job.noise)
    for sigma, following in zip(sigmas, sigmas[1:]):
        timestep = torch.tensor([1000 * sigma], device=x.device)
        wanted, unwanted = (model(x, timestep, text, job.camera)
                            for text in (job.text, job.null_text))
        velocity = unwanted + GUIDANCE * (wanted - unwanted)
        x = torch.where(job.given, job.canvas, x + velocity * (following - sigma))
    return x


def forward(model, job):
    """One pass without guidance."""
    return model(job.canvas, torch.tensor([700.0], device=job.canvas.device), job.text, job.camera)


# The released names (docs/reference/wan22.md 2.6, docs/reference/method.md 3.3) and those of the
# modules above.
NAMES = [
    (r"(self|cross)_attn\.norm_([qk])\.", r"norms.\1_\2."),
    (r"(self|cross)_attn\.([qkvo])\.", r"linear.layers.\1_\2."),
    (r"ffn\.0\.", "linear.layers.up."),
    (r"ffn\.2\.", "linear.layers.down."),
    (r"cam_encoder\.2\.", "linear.layers.camera."),
    (r"projector\.", "linear.layers.projector."),
    (r"^(text|time)_embedding\.(\d)\.", r"linear.layers.\1\2."),
    (r"^time_projection\.1\.", "linear.layers.time_projection."),
    (r"^head\.head\.", "linear.layers.head."),
    (r"^head\.modulation", "modulation"),
    (r"^patch_embedding\.", "patch."),
]


def module_name(name):
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def compare(model, sizes, path):
    """Runs on the tensors of gpu_bench; largest differences from its results."""
    import safetensors.torch
    tensors = safetensors.torch.load_file(path)
    prefix = "weights/"
    model.load_state_dict({module_name(name[len(prefix):]): tensor
                           for name, tensor in tensors.items() if name.startswith(prefix)})
    job = sample_job(sizes)
    for name in ("canvas", "noise", "camera", "text", "null_text"):
        setattr(job, name, tensors["inputs/" + name].to(**sizes.make))
    given = tensors["inputs/given"].to(sizes.device).bool().view_as(job.given)
    if not torch.equal(given, job.given):
        raise SystemExit("eager_wan: gpu_bench was given other latents; expected the first ones")

    def difference(name, found):
        expected = tensors["results/" + name].double()
        return ((found.cpu().double() - expected).abs().max() / expected.abs().max()).item()

    return dict(forward=difference("forward", forward(model, job)),
                denoise=difference("denoise", denoise(model, job, sizes.steps)))


def time_forward(accelerator, model, job):
    runs = 5
    forward(model, job)
    return accelerator.seconds(lambda: [forward(model, job) for _ in range(runs)]) / runs


def measure_compiled(accelerator, model, job):
    eager = forward(model, job)
    model.compile_blocks()
    results = []
    report = dict(compile_s=accelerator.seconds(lambda: results.append(forward(model, job))))
    difference = (results[0] - eager).abs().max() / eager.abs().max()
    return report | dict(difference_from_eager=difference.item(),
                         forward_compiled_s=time_forward(accelerator, model, job))


def measure(sizes, tensors, compiled):
    accelerator = Accelerator(sizes.device)
    model = Wan(sizes).eval()
    report = dict(device=str(sizes.device), dtype=sizes.dtype, steps=sizes.steps,
                  plan_steps=sizes.plan_steps, torch=torch.__version__,
                  parameters=sum(weight.numel() for weight in model.parameters()))
    if tensors:
        report["largest_difference"] = compare(model, sizes, tensors)
    job = sample_job(sizes)
    report["tokens"] = job.canvas[0, 0].numel() // 4
    if compiled:
        return report | measure_compiled(accelerator, model, job)
    model.passes = 0
    denoise(model, job, 1)
    report["passes_per_step"] = model.passes
    report["forward_s"] = time_forward(accelerator, model, job)
    runs = 5
    report["step_s"] = accelerator.seconds(lambda: denoise(model, job, runs)) / runs
    report["denoise_s"] = accelerator.seconds(lambda: denoise(model, job, sizes.steps))
    # The published canvas of i2a is denoised whole, both branches.
    plan = plan_job(sizes)
    denoise(model, plan, 1)
    report["plan_denoise_guided_s"] = accelerator.seconds(
        lambda: denoise(model, plan, sizes.plan_steps))
    report["peak_gib"] = accelerator.peak_gib()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", help="cpu, cuda or cuda:N")
    parser.add_argument("--config", type=pathlib.Path, help="JSON with the sizes that differ")
    parser.add_argument("--tensors", type=pathlib.Path, help="what gpu_bench --tensors wrote")
    parser.add_argument("--steps", type=int, help="denoising steps of a sample")
    parser.add_argument("--compile", action="store_true",
                        help="time a forward of compiled blocks, nothing else")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text()) if arguments.config else {}
    if arguments.device:
        config["device"] = arguments.device
    if arguments.steps:
        config["steps"] = arguments.steps
    sizes = Sizes(config)
    if sizes.device.type == "cuda" and not torch.cuda.is_available():
        print("eager_wan: no usable NVIDIA GPU; expected one that torch sees; check nvidia-smi",
              file=sys.stderr)
        sys.exit(2)
    torch.manual_seed(1)
    with torch.inference_mode():
        print(json.dumps(measure(sizes, arguments.tensors, arguments.compile), indent=2))


if __name__ == "__main__":
    main()
