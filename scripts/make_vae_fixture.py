#!/usr/bin/env python3
"""Writes tests/data/vae_fixture.safetensors: two small autoencoders of Diffusers' AutoencoderKLWan with
random weights, one like Wan 2.2 and one like Wan 2.1, and what they make of random inputs.
tests/model/wan_vae_test.cc compares the C++ autoencoder with them.

    NAME/weights/WEIGHT   float16, under the original name; run in float32
    NAME/video            float16, [1, 3, 9, H, W] -> NAME/latent (mean, normalised)
    NAME/code             float16, latent          -> NAME/decoded (clamped)

Needs torch, diffusers and safetensors; runs in seconds.

    python3 scripts/make_vae_fixture.py
"""

import json
import math
import pathlib

import diffusers
import safetensors.torch
import torch

COMMON = dict(z_dim=3, dim_mult=[1, 2, 2], num_res_blocks=1, temperal_downsample=[True, True],
              latents_mean=[0.1, -0.2, 0.3], latents_std=[0.5, 1.25, 0.8])
CONFIGS = {
    "v22": dict(COMMON, base_dim=4, decoder_base_dim=4, is_residual=True, patch_size=2,
                in_channels=12, out_channels=12, scale_factor_spatial=8),
    "v21": dict(COMMON, base_dim=4, is_residual=False, scale_factor_spatial=4),
}


def original_names(name, config):
    """The official checkpoint's name of a Diffusers weight."""
    for old, new in [("post_quant_conv", "conv2"), ("quant_conv", "conv1"),
                     ("coder.conv_in", "coder.conv1"), ("norm_out", "head.0"),
                     ("conv_out", "head.2"), ("mid_block.resnets.0", "middle.0"),
                     ("mid_block.attentions.0", "middle.1"),
                     ("mid_block.resnets.1", "middle.2")]:
        name = name.replace(old, new)
    blocks = config["num_res_blocks"]
    parts = name.split(".")
    if parts[1] == "down_blocks" and config["is_residual"]:
        index = parts.pop(4) if parts[3] == "resnets" else str(blocks)
        parts[1:4] = ["downsamples", parts[2], "downsamples", index]
    elif parts[1] == "down_blocks":
        parts[1] = "downsamples"
    elif parts[1] == "up_blocks":
        index = int(parts.pop(4)) if parts[3] == "resnets" else blocks + 1
        if parts[3] == "upsamplers":
            parts.pop(4)
        if config["is_residual"]:
            parts[1:4] = ["upsamples", parts[2], "upsamples", str(index)]
        else:
            parts[1:4] = ["upsamples", str(int(parts[2]) * (blocks + 2) + index)]
    if "samples" in parts[1] or parts[1] == "middle":
        inner = {"norm1": "residual.0", "conv1": "residual.2", "norm2": "residual.3",
                 "conv2": "residual.6", "conv_shortcut": "shortcut"}
        parts = [inner.get(part, part) if i > 1 else part for i, part in enumerate(parts)]
    return ".".join(parts)


def random_weight(name, shape, generator):
    """Nothing is left at zero or one, so that every term shows in the output."""
    values = torch.randn(shape, generator=generator)
    if name.endswith("gamma"):
        return 1 + 0.2 * values
    if name.endswith("bias"):
        return 0.2 * values
    return values / math.sqrt(math.prod(shape[1:]))


def run(prefix, config, generator, tensors):
    model = diffusers.AutoencoderKLWan(**config).eval()
    state = {name: random_weight(name, weight.shape, generator).half()
             for name, weight in model.state_dict().items()}
    model.load_state_dict({name: weight.float() for name, weight in state.items()})
    for name, weight in state.items():
        tensors[f"{prefix}/weights/{original_names(name, config)}"] = weight

    mean = torch.tensor(config["latents_mean"]).view(1, -1, 1, 1, 1)
    inverse_std = 1.0 / torch.tensor(config["latents_std"]).view(1, -1, 1, 1, 1)
    factor = config["scale_factor_spatial"]
    video = (2 * torch.rand(1, 3, 9, 2 * factor, 3 * factor, generator=generator) - 1).half()
    code = torch.randn(1, 3, 3, 2, 3, generator=generator).half()
    with torch.no_grad():
        latent = (model.encode(video.float()).latent_dist.mode() - mean) * inverse_std
        decoded = model.decode(code.float() / inverse_std + mean).sample
    tensors.update({f"{prefix}/video": video, f"{prefix}/latent": latent.contiguous(),
                    f"{prefix}/code": code, f"{prefix}/decoded": decoded.contiguous()})


def options(config):
    """The same in the words of WanVaeOptions."""
    result = {key: value for key, value in config.items()
              if key not in ("in_channels", "out_channels", "scale_factor_spatial")}
    result["temporal_downsample"] = result.pop("temperal_downsample")
    return dict({"decoder_base_dim": config["base_dim"], "patch_size": 1}, **result)


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(20)
    tensors = {}
    for prefix, config in CONFIGS.items():
        run(prefix, config, generator, tensors)
    path = pathlib.Path(__file__).parent.parent / "tests/data/vae_fixture.safetensors"
    metadata = {name: json.dumps(options(config)) for name, config in CONFIGS.items()}
    metadata["origin"] = f"diffusers {diffusers.__version__}, torch {torch.__version__}"
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
