#!/usr/bin/env python3
"""Times this project's model parts against Diffusers on the CPU: same random weights, same inputs,
same number of threads, runs of the two taking turns. Prints one table of ratios and writes JSON.

    bench/against_diffusers.py --bin build/release/bin/model_bench --rounds 5 --out out/bench.json

Needs torch, diffusers and safetensors. A ratio is the median over rounds of the ratios of the two
neighbouring runs, so that a machine that slows down for a while slows both.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile
import time

import diffusers
import safetensors.torch
import torch
import torch.nn.functional as F

# 2816 tokens: two views of video and actions, 41 frames at 256 x 256 pixels (latents 16 x 16).
FRAMES, SIDE, CHANNELS = 44, 16, 48
HEADS, HEAD_DIM, LAYERS, FFN, TEXT_DIM, TEXT_LENGTH = 8, 64, 8, 2048, 4096, 512
DIT = dict(in_channels=CHANNELS, out_channels=CHANNELS, dim=HEADS * HEAD_DIM, ffn_dim=FFN,
           num_heads=HEADS, num_layers=LAYERS, patch=2, freq_dim=256, text_dim=TEXT_DIM, eps=1e-6)


def random_transformer(generator):
    model = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=HEADS, attention_head_dim=HEAD_DIM,
        in_channels=CHANNELS, out_channels=CHANNELS, text_dim=TEXT_DIM, freq_dim=256, ffn_dim=FFN,
        num_layers=LAYERS, cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=1e-6)
    for name, weight in sorted(model.named_parameters()):
        if "norm" in name and name.endswith("weight"):
            weight.data.fill_(1.0)
        elif weight.dim() == 1:
            weight.data.zero_()
        else:
            fan_in = weight[0].numel() if "table" not in name else 25
            weight.data = torch.randn(weight.shape, generator=generator) / fan_in ** 0.5
    return model.eval()


class Ours:
    """model_bench on one set of tensors; each call is one process that warms up and runs once."""

    def __init__(self, binary, folder, config, tensors):
        files = [folder / "config.json", folder / "tensors.safetensors"]
        self.command = [str(binary), *map(str, files)]
        folder.mkdir(parents=True)
        self.output = folder / "output.safetensors"
        (folder / "config.json").write_text(
            json.dumps(config | {"repeats": 1, "output": str(self.output)}))
        safetensors.torch.save_file({name: t.contiguous() for name, t in tensors.items()},
                                    folder / "tensors.safetensors")

    def run(self):
        done = subprocess.run(self.command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)


def seconds(work):
    """Wall and processor time."""
    start, cpu_start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu_start


def compare(name, reference, ours, rounds):
    """One row: medians of both and of the ratio of neighbours."""
    expected = reference()  # warm
    theirs, mine, ratios, cpu_ratios = [], [], [], []
    for _ in range(rounds):
        wall, cpu = seconds(reference)
        report = ours.run()
        theirs.append(wall)
        mine.append(report["seconds"][0])
        ratios.append(wall / mine[-1])
        cpu_ratios.append(cpu / report["cpu_seconds"][0])
    found = safetensors.torch.load_file(ours.output)["output"]
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    return dict(part=name, diffusers_s=statistics.median(theirs), ours_s=statistics.median(mine),
                ratio=statistics.median(ratios), lowest_ratio=min(ratios),
                highest_ratio=max(ratios), cpu_ratio=statistics.median(cpu_ratios),
                largest_difference=error)


def compare_dit(arguments, folder, generator):
    model = random_transformer(generator)
    latents = torch.randn(1, CHANNELS, FRAMES, SIDE, SIDE, generator=generator)
    text = torch.randn(1, TEXT_LENGTH, TEXT_DIM, generator=generator)
    timestep = torch.tensor([61.25])
    weights = {"weights/" + n: p.data for n, p in model.named_parameters()}
    inputs = {"inputs/latents": latents, "inputs/text": text, "inputs/timestep": timestep}
    config = dict(part="dit", threads=arguments.threads, dit=DIT,
                  frame_positions=list(range(FRAMES)))

    def reference():
        return model(latents, timestep, text, return_dict=False)[0]

    for dtype in arguments.dtypes:
        ours = Ours(arguments.bin, folder / f"dit_{dtype}", config | {"dtype": dtype},
                    weights | inputs)
        if dtype == "bf16":
            low = model.to(torch.bfloat16)
            yield compare("DiT forward, bf16", lambda: low(
                latents.bfloat16(), timestep, text.bfloat16(), return_dict=False)[0].float(),
                ours, arguments.rounds)
        else:
            yield compare("DiT forward, fp32", reference, ours, arguments.rounds)


def random_vae(generator):
    """The 2.2 autoencoder at a fifth of its width, and its options here."""
    options = dict(base_dim=32, decoder_base_dim=48, z_dim=CHANNELS, dim_mult=[1, 2, 4, 4],
                   num_res_blocks=2, patch_size=2, is_residual=True)
    model = diffusers.AutoencoderKLWan(
        attn_scales=[], temperal_downsample=[False, True, True], in_channels=12, out_channels=12,
        scale_factor_spatial=16, latents_mean=[0.0] * CHANNELS, latents_std=[1.0] * CHANNELS,
        **options).eval()
    for name, weight in sorted(model.named_parameters()):
        if "gamma" in name:
            weight.data.fill_(1.0)
        elif weight.dim() == 1:
            weight.data.zero_()
        else:
            weight.data = torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5
    return model, options | {"temporal_downsample": [False, True, True], "latents_mean": [],
                             "latents_std": []}


def compare_vae_decode(arguments, folder, generator):
    """One segment of 17 frames at 128 x 128 pixels."""
    model, options = random_vae(generator)
    latents = torch.randn(1, CHANNELS, 5, 8, 8, generator=generator)
    weights = {"weights/" + name: p.data for name, p in model.named_parameters()}
    config = dict(part="vae-decode", threads=arguments.threads, vae=options)
    ours = Ours(arguments.bin, folder / "vae", config, weights | {"inputs/latents": latents})
    yield compare("VAE decode, fp32", lambda: model.decode(latents, return_dict=False)[0], ours,
                  arguments.rounds)


# The plan: two views, 17 frames at 128 x 128 pixels; 8 Euler steps with guidance.
PLAN_VIEWS, PLAN_FRAMES, PLAN_SIDE, PLAN_STEPS, GUIDANCE, SHIFT = 2, 17, 128, 8, 7.5, 5.0
CAMERA_POOL = (CHANNELS, 16, 16)


class CameraLayers(torch.nn.Module):
    """The camera encoder and projector of one block, as released: docs/reference/method.md 3.3."""

    def __init__(self, dim):
        super().__init__()
        self.cam_encoder = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool3d(CAMERA_POOL), torch.nn.Flatten(2),
            torch.nn.Linear(math.prod(CAMERA_POOL), dim))
        self.projector = torch.nn.Linear(dim, dim)


def add_cameras(model, generator):
    """Hooks that run each block's camera encoder in every forward, on `cameras["latents"]`."""
    cameras, weights = {}, {}
    for index, block in enumerate(model.blocks):
        layers = CameraLayers(HEADS * HEAD_DIM).eval()
        for name, weight in sorted(layers.named_parameters()):
            scale = weight[0].numel() ** -0.5 if weight.dim() > 1 else 0.1
            weight.data = scale * torch.randn(weight.shape, generator=generator)
            weights[f"blocks.{index}.{name}"] = weight.data

        def add(module, inputs, layers=layers):
            tokens = layers.cam_encoder(cameras["latents"])  # [B, F, dim]
            tokens = tokens.repeat_interleave(inputs[0].shape[1] // tokens.shape[1], dim=1)
            return (inputs[0] + tokens, *inputs[1:])

        block.attn1.register_forward_pre_hook(add)
        block.attn1.register_forward_hook(
            lambda module, inputs, output, layers=layers: layers.projector(output))
    return cameras, weights


def published_plan(model, vae, cameras, inputs, whole_actions):
    """An i2a plan in the released order of work (docs/reference/method.md 5.1, 8.19): whole camera
    clips encoded, cameras and text once more in every block, step and branch, every segment
    decoded. The release does not offer i2a; its closed loop in i2va encodes whole action clips, of
    which only the first frame is read (`whole_actions`; without them that frame alone is
    encoded)."""
    def encode(video):
        return vae.encode(video).latent_dist.mode()

    canvas, ray_latents, given = [], [], []
    for view in range(PLAN_VIEWS):
        video = encode(inputs["video"][view:view + 1])
        action = inputs["action"][view:view + 1]
        if not whole_actions:
            action = action[:, :, :1]
        action = encode(action)
        if not whole_actions:
            action = F.pad(action, (0, 0, 0, 0, 0, (inputs["action"].shape[2] - 1) // 4))
        rays = torch.cat([encode(inputs["rays"][view:view + 1, 3 * part:3 * part + 3])
                          for part in range(2)], 1)
        canvas += [video, action]
        ray_latents += [rays[:, :, :1], rays]
        given += [True, True] + [False] * (action.shape[2] - 1)
    given = torch.tensor(given).view(1, 1, -1, 1, 1)
    clean = torch.cat(canvas, 2)
    cameras["latents"] = torch.cat(ray_latents, 2).transpose(1, 2)
    x = torch.where(given, clean, inputs["noise"])
    sigmas = [SHIFT * u / (1 + (SHIFT - 1) * u)
              for u in (1 - i / PLAN_STEPS for i in range(PLAN_STEPS + 1))]
    for sigma, following in zip(sigmas, sigmas[1:]):
        timestep = torch.tensor([1000 * sigma])
        wanted, unwanted = (model(x, timestep, inputs[text], return_dict=False)[0]
                            for text in ("text", "null_text"))
        velocity = unwanted + GUIDANCE * (wanted - unwanted)
        x = torch.where(given, x, x + velocity * (following - sigma))
    decoded, begin = [], 0
    for segment in canvas:
        decoded.append(vae.decode(x[:, :, begin:begin + segment.shape[2]], return_dict=False)[0])
        begin += segment.shape[2]
    return torch.cat(decoded[1::2]).clamp(-1, 1)


def compare_plan(arguments, folder, generator):
    model, (vae, vae_options) = random_transformer(generator), random_vae(generator)
    cameras, camera_weights = add_cameras(model, generator)
    side = PLAN_SIDE // 16
    latent_frames = 1 + (PLAN_FRAMES - 1) // 4

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    text = normal(1, TEXT_LENGTH, TEXT_DIM)
    null_text = normal(1, TEXT_LENGTH, TEXT_DIM)
    text[:, 20:], null_text[:, 1:] = 0, 0
    inputs = dict(video=0.3 * normal(PLAN_VIEWS, 3, 1, PLAN_SIDE, PLAN_SIDE),
                  action=0.3 * normal(PLAN_VIEWS, 3, PLAN_FRAMES, PLAN_SIDE, PLAN_SIDE),
                  rays=0.3 * normal(PLAN_VIEWS, 6, 1, PLAN_SIDE, PLAN_SIDE).expand(
                      -1, -1, PLAN_FRAMES, -1, -1).contiguous(),
                  text=text, null_text=null_text,
                  noise=normal(1, CHANNELS, PLAN_VIEWS * (1 + latent_frames), side, side))
    weights = {f"weights/dit/{n}": p.data for n, p in model.named_parameters()}
    weights |= {f"weights/dit/{n}": p for n, p in camera_weights.items()}
    weights |= {f"weights/vae/{n}": p.data for n, p in vae.named_parameters()}
    config = dict(part="plan", threads=arguments.threads, vae=vae_options,
                  dit=DIT | {"camera": dict(mode="pooled_latent", projector=True, pool=16,
                                            features=math.prod(CAMERA_POOL))},
                  sampler=dict(steps=PLAN_STEPS, guidance=GUIDANCE, shift=SHIFT))
    for name, remember, whole in (("i2a plan, whole action clips encoded", False, True),
                                  ("i2a plan, first frames encoded", False, False),
                                  ("i2a plan, cameras remembered by ours", True, True)):
        ours = Ours(arguments.bin, folder / f"plan_{int(remember)}{int(whole)}",
                    config | {"remember_cameras": remember},
                    weights | {f"inputs/{n}": t for n, t in inputs.items()})
        yield compare(name, lambda: published_plan(model, vae, cameras, inputs, whole), ours,
                      arguments.rounds)


def describe(row):
    return (f"{row['part']:20} Diffusers {row['diffusers_s']:.3f} s  ours {row['ours_s']:.3f} s  "
            f"ratio {row['ratio']:.2f} [{row['lowest_ratio']:.2f}, {row['highest_ratio']:.2f}]  "
            f"of processor time {row['cpu_ratio']:.2f}  "
            f"largest difference {row['largest_difference']:.1e} of the largest value")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", type=pathlib.Path, default="build/release/bin/model_bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", nargs="+", default=["f32"], choices=["f32", "bf16"])
    parser.add_argument("--parts", nargs="+", default=["dit", "vae", "plan"],
                        choices=["dit", "vae", "plan"])
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(1)
    parts = {"dit": compare_dit, "vae": compare_vae_decode, "plan": compare_plan}
    rows = []
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        for part in arguments.parts:
            for row in parts[part](arguments, pathlib.Path(folder), generator):
                rows.append(row)
                print(describe(row), flush=True)
    if arguments.out:
        versions = dict(torch=torch.__version__, diffusers=diffusers.__version__)
        arguments.out.write_text(json.dumps(dict(rows=rows, versions=versions,
                                                 threads=arguments.threads), indent=2) + "\n")


if __name__ == "__main__":
    main()
