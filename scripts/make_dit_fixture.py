#!/usr/bin/env python3
"""Writes tests/data/dit_fixture.safetensors: a tiny Wan transformer with random weights, inputs, and
what PyTorch makes of them. tests/model/dit_test.cc compares the C++ forward with it.

Without cameras the expected output is that of Diffusers' WanTransformer3DModel. Diffusers has no
camera conditioning, so the forward is written again below, in float64, checked against Diffusers,
and then run with the camera terms. Needs torch, diffusers and safetensors; runs in seconds.

    python3 scripts/make_dit_fixture.py
"""

import json
import math
import pathlib

import diffusers
import safetensors.torch
import torch
import torch.nn.functional as F

CONFIG = dict(in_channels=4, out_channels=4, dim=24, ffn_dim=40, num_heads=2, num_layers=2, patch=2,
              freq_dim=16, text_dim=10, eps=1e-6)
CAMERA_FEATURES = 8
BATCH, FRAMES, HEIGHT, WIDTH, TEXT_LENGTH = 2, 3, 4, 6, 5
ROWS, COLUMNS = HEIGHT // CONFIG["patch"], WIDTH // CONFIG["patch"]
TOKENS = FRAMES * ROWS * COLUMNS
HEAD_DIM = CONFIG["dim"] // CONFIG["num_heads"]


def original_name(name):
    """The official checkpoint's name of a Diffusers weight."""
    for old, new in [("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
                     ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
                     ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
                     ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
                     ("condition_embedder.time_proj", "time_projection.1"),
                     ("proj_out.", "head.head."),
                     ("attn1.to_out.0", "self_attn.o"), ("attn2.to_out.0", "cross_attn.o"),
                     ("attn1.to_", "self_attn."), ("attn2.to_", "cross_attn."),
                     ("attn1.", "self_attn."), ("attn2.", "cross_attn."),
                     (".norm2.", ".norm3."),
                     ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2")]:
        name = name.replace(old, new)
    if name == "scale_shift_table":
        return "head.modulation"
    return name.replace("scale_shift_table", "modulation")


def random_weight(name, shape, generator):
    """Nothing is left at zero or one, so that every term shows in the output."""
    values = torch.randn(shape, generator=generator)
    if "norm" in name and name.endswith("weight"):
        return 1 + 0.2 * values
    if name.endswith("bias") or "scale_shift_table" in name or "modulation" in name:
        return 0.3 * values
    return values / math.sqrt(math.prod(shape[1:]))


def make_model(generator):
    model = diffusers.WanTransformer3DModel(
        patch_size=(1, CONFIG["patch"], CONFIG["patch"]), num_attention_heads=CONFIG["num_heads"],
        attention_head_dim=HEAD_DIM, in_channels=CONFIG["in_channels"],
        out_channels=CONFIG["out_channels"], text_dim=CONFIG["text_dim"],
        freq_dim=CONFIG["freq_dim"], ffn_dim=CONFIG["ffn_dim"], num_layers=CONFIG["num_layers"],
        cross_attn_norm=True, qk_norm="rms_norm_across_heads", eps=CONFIG["eps"])
    for name, weight in sorted(model.named_parameters()):
        weight.data = random_weight(name, weight.shape, generator)
    return model.eval()


def rope_angles():
    """[N, head_dim / 2]: (frame, row, column) positions times 10000^(-2j/n)."""
    space = 2 * (HEAD_DIM // 6)
    time = HEAD_DIM - 2 * space
    grid = torch.meshgrid(torch.arange(FRAMES), torch.arange(ROWS), torch.arange(COLUMNS),
                          indexing="ij")
    parts = []
    for positions, n in zip(grid, (time, space, space)):
        frequency = 10000.0 ** (-torch.arange(0, n, 2, dtype=torch.float64) / n)
        parts.append(positions.reshape(-1, 1).double() * frequency)
    return torch.cat(parts, dim=1)


def rotate(x, angles):
    """x [B, N, heads, head_dim], interleaved pairs."""
    re, im = x.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    return torch.stack([re * cos - im * sin, re * sin + im * cos], dim=-1).flatten(-2)


def rms_norm(x, weight):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + CONFIG["eps"]) * weight


def layer_norm(x):
    return F.layer_norm(x, (CONFIG["dim"],), eps=CONFIG["eps"])


def forward(weights, latents, timestep, text, camera=None):
    """The network in float64. timestep [B, 1] or [B, N]; camera [B, F, 1 or tokens a frame, K].

    With a camera:  a = LN(x)(1 + scale) + shift + cam_encoder(camera)   before q, k and v,
    and, if there is one, the projector follows the output projection, before the gate.
    """
    w = {name: weight.double() for name, weight in weights.items()}

    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w[name + ".bias"])

    def attend(query_input, context, name, angles):
        def heads(x):
            return x.unflatten(-1, (CONFIG["num_heads"], HEAD_DIM))

        query = heads(rms_norm(linear(query_input, name + ".q"), w[name + ".norm_q.weight"]))
        key = heads(rms_norm(linear(context, name + ".k"), w[name + ".norm_k.weight"]))
        value = heads(linear(context, name + ".v"))
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        score = torch.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(HEAD_DIM)
        out = torch.einsum("bhqk,bkhd->bqhd", score.softmax(-1), value).flatten(-2)
        return linear(out, name + ".o")

    half = CONFIG["freq_dim"] // 2
    frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = timestep.double()[..., None] * frequency
    e = linear(torch.cat([angle.cos(), angle.sin()], -1), "time_embedding.0")
    e = linear(F.silu(e), "time_embedding.2")
    e0 = linear(F.silu(e), "time_projection.1").unflatten(-1, (6, CONFIG["dim"]))
    context = linear(F.gelu(linear(text.double(), "text_embedding.0"), approximate="tanh"),
                     "text_embedding.2")
    patch = CONFIG["patch"]
    x = F.conv3d(latents.double(), w["patch_embedding.weight"], w["patch_embedding.bias"],
                 stride=(1, patch, patch)).flatten(2).transpose(1, 2)
    angles = rope_angles()
    for i in range(CONFIG["num_layers"]):
        block = f"blocks.{i}"
        m = (w[block + ".modulation"][None] + e0).unbind(2)
        a = layer_norm(x) * (1 + m[1]) + m[0]
        if camera is not None:
            token = linear(camera.double(), block + ".cam_encoder.2")
            a = a + token.expand(-1, -1, ROWS * COLUMNS, -1).flatten(1, 2)
        y = attend(a, a, block + ".self_attn", angles)
        if block + ".projector.weight" in w:
            y = linear(y, block + ".projector")
        x = x + y * m[2]
        c = F.layer_norm(x, (CONFIG["dim"],), w[block + ".norm3.weight"], w[block + ".norm3.bias"],
                         CONFIG["eps"])
        x = x + attend(c, context, block + ".cross_attn", None)
        b = layer_norm(x) * (1 + m[4]) + m[3]
        x = x + linear(F.gelu(linear(b, block + ".ffn.0"), approximate="tanh"), block + ".ffn.2") * m[5]
    shift, scale = (w["head.modulation"][None] + e[:, :, None]).unbind(2)
    out = linear(layer_norm(x) * (1 + scale) + shift, "head.head")
    out = out.unflatten(-1, (patch, patch, -1)).unflatten(1, (FRAMES, ROWS, COLUMNS))
    return out.permute(0, 6, 1, 2, 4, 3, 5).reshape(BATCH, -1, FRAMES, HEIGHT, WIDTH)


def check_close(name, ours, theirs):
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"{name}: float64 forward and Diffusers differ by {error:.1e} of the largest value")
    assert error < 5e-6, name


def main():
    generator = torch.Generator().manual_seed(20260903)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    model = make_model(generator)
    weights = {original_name(name): p.data.clone() for name, p in model.named_parameters()}
    camera_weights = {}
    for i in range(CONFIG["num_layers"]):
        for name, inputs in [("cam_encoder.2", CAMERA_FEATURES), ("projector", CONFIG["dim"])]:
            prefix = f"blocks.{i}.{name}"
            for part, shape in [("weight", (CONFIG["dim"], inputs)), ("bias", (CONFIG["dim"],))]:
                camera_weights[f"{prefix}.{part}"] = random_weight(part, shape, generator)
    encoders = {name: w for name, w in camera_weights.items() if "cam_encoder" in name}

    latents = normal(BATCH, CONFIG["in_channels"], FRAMES, HEIGHT, WIDTH)
    text = normal(BATCH, TEXT_LENGTH, CONFIG["text_dim"])
    text[1, 3:] = 0  # a shorter prompt; its padding is attended
    # Diffusers computes the sinusoid in float32: at large timesteps it is off by more than 1e-5.
    timestep = torch.tensor([[61.25], [7.5]])
    given = torch.zeros(BATCH, FRAMES, ROWS * COLUMNS)
    given[:, 1:] = timestep[:, :, None]  # latent frame 0 is given
    timestep_tokens = given.flatten(1)
    camera_pooled = normal(BATCH, FRAMES, 1, CAMERA_FEATURES)
    camera_tokens = normal(BATCH, FRAMES, ROWS * COLUMNS, CAMERA_FEATURES)

    with torch.no_grad():
        scalar = model(latents, timestep[:, 0], text, return_dict=False)[0]
        tokens = model(latents, timestep_tokens, text, return_dict=False)[0]
        check_close("scalar", forward(weights, latents, timestep, text), scalar.double())
        check_close("tokens", forward(weights, latents, timestep_tokens, text), tokens.double())
        pooled = forward(weights | camera_weights, latents, timestep, text, camera_pooled)
        rays = forward(weights | encoders, latents, timestep_tokens, text, camera_tokens)
        late = forward(weights, latents, 13 * timestep, text)

    tensors = {"weights/" + name: w for name, w in weights.items()}
    tensors |= {"camera_weights/" + name: w for name, w in camera_weights.items()}
    tensors |= {"inputs/latents": latents, "inputs/text": text, "inputs/timestep": timestep,
                "inputs/timestep_tokens": timestep_tokens, "inputs/timestep_late": 13 * timestep,
                "inputs/camera_pooled": camera_pooled, "inputs/camera_tokens": camera_tokens}
    tensors |= {"expected/" + name: t.float() for name, t in
                dict(scalar=scalar, tokens=tokens, late=late, camera_pooled=pooled,
                     camera_tokens=rays).items()}
    path = pathlib.Path(__file__).resolve().parent.parent / "tests/data/dit_fixture.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"config": json.dumps(CONFIG | {"camera.features": CAMERA_FEATURES}),
                "made_with": f"torch {torch.__version__}, diffusers {diffusers.__version__}"}
    safetensors.torch.save_file({name: t.contiguous() for name, t in tensors.items()}, path, metadata)
    print(f"{path.name}: {path.stat().st_size} bytes, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
