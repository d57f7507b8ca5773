#!/usr/bin/env python3
"""Writes a small random model of the Wan family as a Diffusers pipeline folder, and what Diffusers
and Transformers make of random inputs, for comparison with another implementation:

    OUT/pipeline/      model_index.json, transformer/, vae/, text_encoder/, tokenizer/, scheduler/
    OUT/PART.inputs.safetensors, OUT/PART.expected.safetensors   PART as below
    OUT/prompts.json   prompts and their token ids

    dit         latents [B,C,F,h,w], timestep [B] or [B,N], text [B,L,D], camera [B,F,2C,h,w]
                -> velocity [B,C,F,h,w]
    vae-encode  video [B,3,T,H,W] in [-1,1] -> latent (mean, normalised)
    vae-decode  latent -> video (clamped)
    text        token_ids [B,L] -> features [B,L,D], zero at padding

Everything follows from --seed. Weights are rounded to --storage before the reference runs, which
computes in float32. Diffusers has no camera conditioning: --camera adds its terms by hooks.

    python3 scripts/make_parity_fixtures.py --out /tmp/parity --seed 7 --vae-version 2.1
    # The committed set:
    scripts/make_parity_fixtures.py --out tests/data/parity --camera --normalization identity

Needs torch, diffusers, transformers, sentencepiece and safetensors; runs in seconds.
"""

import argparse
import io
import json
import math
import pathlib
import shutil

import diffusers
import safetensors.torch
import sentencepiece
import tokenizers
import torch
import torch.nn.functional as F
import transformers
from sentencepiece import sentencepiece_model_pb2

POOL = 16  # rows and columns that camera latents are averaged to, as released
STORAGE = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# What the tokenizer's pieces are learned from; a few other scripts, so that they get pieces too.
CORPUS = """
open the drawer . close the drawer . push the red button . push the blue button and wait
pick up the green block and place it on the target . slide the block to the target
reach the red target . reach the blue target with the gripper closed . pick up the cup
put the cup on the plate . move the left arm to the handle . pull the handle of the door
turn the tap to the left . turn the lamp on . stack the blocks . a robot arm moves over a table
the camera looks at the table from the front . the camera looks from above
ouvre le tiroir . ferme le tiroir , s'il te plaît . öffne die Schublade . schließe die Tür
打开抽屉。 关上抽屉。 把红色方块放在桌子上。 推动蓝色按钮。 0 1 2 3 4 5 6 7 8 9 ( 10 % ) - : ; ! ?
""".strip().splitlines()
PROMPTS = ["push the red button", "Open the drawer, then wait!", "", "把红色方块放在桌子上",
           "ünknøwn ☃ words", "close  the   drawer", "pick up 3 blocks (left)"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--out", type=pathlib.Path, required=True, help="folder; what it holds is replaced")
    add("--seed", type=int, default=20261122)
    add("--storage", choices=STORAGE, default="f16", help="type of the stored weights")
    add("--shard-kb", type=int, default=0, help="split weight files into shards of this size")
    add("--vae-version", choices=["2.1", "2.2"], default="2.2")
    add("--per-token", action="store_true", help="timesteps [B,N] with latent frame 0 given")
    add("--camera", action="store_true", help="camera conditioning")
    add("--normalization", default="nmt_nfkc", help="SentencePiece's rule; identity: small files")
    add("--batch", type=int, default=2)
    add("--heads", type=int, default=2, help="attention heads of the DiT")
    add("--head-dim", type=int, default=12)
    add("--layers", type=int, default=2, help="blocks of the DiT and of the text encoder")
    add("--ffn-dim", type=int, default=40, help="of the DiT and of the text encoder")
    add("--freq-dim", type=int, default=16)
    add("--channels", type=int, default=4, help="latent channels")
    add("--latent-frames", type=int, default=3)
    add("--latent-height", type=int, default=4)
    add("--latent-width", type=int, default=6)
    add("--text-dim", type=int, default=16)
    add("--text-length", type=int, default=9)
    add("--vae-dim", type=int, default=4, help="base channels of the VAE")
    add("--dim-mult", type=int, nargs="+", default=[1, 2, 2, 2])
    add("--res-blocks", type=int, default=1, help="residual blocks a stage of the VAE's encoder")
    add("--video-frames", type=int, default=9)
    add("--video-height", type=int, default=32)
    add("--video-width", type=int, default=16)
    return parser.parse_args()


class Draw:
    """Random numbers of one seed."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(shape, generator=self.generator)

    def uniform(self, *shape):
        return torch.rand(shape, generator=self.generator)

    def weight(self, name, shape):
        """Nothing is left at zero or one, so that every term shows in the output."""
        values = self.normal(*shape)
        if name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
            return 1 + 0.2 * values
        if name.endswith("bias") or "scale_shift_table" in name:
            return 0.3 * values
        if "relative_attention_bias" in name:
            return 0.5 * values
        if "shared" in name or "embed_tokens" in name:
            return values
        scale = 1 / math.sqrt(math.prod(shape[1:]))
        return values * scale * (0.5 if "SelfAttention" in name else 1)  # T5 does not divide scores

    def fill(self, model, storage):
        """Random weights of type `storage`, held as float32."""
        for name, parameter in sorted(model.named_parameters()):
            parameter.data = self.weight(name, parameter.shape).to(STORAGE[storage]).float()
        return model.eval().requires_grad_(False)


def make_transformer(args, draw):
    model = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=args.heads, attention_head_dim=args.head_dim,
        in_channels=args.channels, out_channels=args.channels, text_dim=args.text_dim,
        freq_dim=args.freq_dim, ffn_dim=args.ffn_dim, num_layers=args.layers)
    return draw.fill(model, args.storage)


def make_camera_layers(args, draw):
    """Per block the encoder of the pooled camera latents and the projector behind the attention."""
    dim = args.heads * args.head_dim
    blocks = torch.nn.ModuleList()
    for _ in range(args.layers):
        block = torch.nn.ModuleDict()
        block["cam_encoder"] = torch.nn.ModuleDict(
            {"2": torch.nn.Linear(args.channels * POOL * POOL, dim)})
        block["projector"] = torch.nn.Linear(dim, dim)
        blocks.append(block)
    return draw.fill(blocks, args.storage)


def add_camera(transformer, layers, camera):
    """Adds the terms of cameras [B,F,2C,h,w] to the forward of `transformer`.

    a = LN(x)(1 + scale) + shift + cam_encoder(pooled camera), one vector a latent frame, before
    queries, keys and values; the projector follows the output projection, before the gate.
    """
    channels, height, width = camera.shape[2] // 2, camera.shape[3], camera.shape[4]
    pooled = F.adaptive_avg_pool3d(camera, (channels, POOL, POOL)).flatten(2)  # [B, F, C * POOL^2]
    tokens_a_frame = height // 2 * (width // 2)
    for block, layer in zip(transformer.blocks, layers):
        tokens = layer["cam_encoder"]["2"](pooled).repeat_interleave(tokens_a_frame, dim=1)
        block.attn1.register_forward_pre_hook(
            lambda module, inputs, tokens=tokens: (inputs[0] + tokens, *inputs[1:]))
        block.attn1.register_forward_hook(
            lambda module, inputs, output, layer=layer: layer["projector"](output))


def make_vae(args, draw):
    is_residual = args.vae_version == "2.2"
    stages = len(args.dim_mult)
    patched = dict(is_residual=True, decoder_base_dim=args.vae_dim + 2, in_channels=12,
                   out_channels=12, patch_size=2) if is_residual else {}
    model = diffusers.AutoencoderKLWan(
        base_dim=args.vae_dim, z_dim=args.channels, dim_mult=args.dim_mult,
        num_res_blocks=args.res_blocks,
        temperal_downsample=[i >= stages - 3 for i in range(stages - 1)],
        latents_mean=(0.3 * draw.normal(args.channels)).tolist(),
        latents_std=(0.5 + draw.uniform(args.channels)).tolist(),
        scale_factor_spatial=2 ** (stages - 1) * (2 if is_residual else 1), **patched)
    draw.fill(model, args.storage)
    # Most of the decoded video must lie inside [-1, 1], or clamping would hide errors.
    model.decoder.conv_out.weight.data = (0.5 * model.decoder.conv_out.weight).to(
        STORAGE[args.storage]).float()
    return model


def train_tokenizer(normalization):
    """A unigram model: the bytes of spiece.model, and the fast tokenizer.

    Transformers 5 takes 2 for the unknown id of this class, whatever a file says; so it is 2 here.
    """
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=written, vocab_size=230,
        hard_vocab_limit=False, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        character_coverage=1.0, normalization_rule_name=normalization, num_threads=1, minloglevel=2)
    model_bytes = written.getvalue()
    model = sentencepiece_model_pb2.ModelProto.FromString(model_bytes)
    core = tokenizers.Tokenizer(tokenizers.models.Unigram(
        [(piece.piece, piece.score) for piece in model.pieces], unk_id=2, byte_fallback=False))
    if model.normalizer_spec.precompiled_charsmap:
        core.normalizer = tokenizers.normalizers.Precompiled(
            model.normalizer_spec.precompiled_charsmap)
    core.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.WhitespaceSplit(),
         tokenizers.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")])
    core.decoder = tokenizers.decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer = transformers.T5TokenizerFast(tokenizer_object=core, extra_ids=0, unk_token="<unk>",
                                             pad_token="<pad>", eos_token="</s>")
    return model_bytes, tokenizer


def make_text_encoder(args, draw, vocab_size):
    config = transformers.UMT5Config(
        vocab_size=vocab_size, d_model=args.text_dim, d_kv=args.text_dim // 2, num_heads=2,
        d_ff=args.ffn_dim, num_layers=args.layers, feed_forward_proj="gated-gelu",
        relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0)
    return draw.fill(transformers.UMT5EncoderModel(config), args.storage)


def make_dit_case(args, draw, transformer, camera_layers):
    shape = (args.latent_frames, args.latent_height, args.latent_width)
    inputs = {"latents": draw.normal(args.batch, args.channels, *shape),
              "text": draw.normal(args.batch, args.text_length, args.text_dim)}
    inputs["text"][-1, args.text_length // 2:] = 0  # a shorter prompt; its padding is attended
    # Diffusers computes the sinusoid in float32: at large timesteps it is off by more than 1e-5.
    timestep = 80 * draw.uniform(args.batch)
    if args.per_token:
        tokens_a_frame = shape[1] // 2 * (shape[2] // 2)
        given = timestep[:, None, None].repeat(1, args.latent_frames, tokens_a_frame)
        given[:, 0] = 0
        timestep = given.flatten(1)
    inputs["timestep"] = timestep
    if args.camera:
        inputs["camera"] = draw.normal(args.batch, shape[0], 2 * args.channels, *shape[1:])
        add_camera(transformer, camera_layers, inputs["camera"])
    velocity = transformer(inputs["latents"], timestep, inputs["text"], return_dict=False)[0]
    return inputs, {"velocity": velocity}


def latent_statistics(vae):
    return [torch.tensor(values).view(1, -1, 1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)]


def make_encode_case(args, draw, vae):
    size = (args.video_frames, args.video_height, args.video_width)
    video = 2 * draw.uniform(1, 3, *size) - 1
    mean, std = latent_statistics(vae)
    latent = (vae.encode(video).latent_dist.mode() - mean) / std
    return {"video": video}, {"latent": latent}


def make_decode_case(args, draw, vae):
    factor = vae.config.scale_factor_spatial
    latent = draw.normal(1, args.channels, 1 + (args.video_frames - 1) // 4,
                         args.video_height // factor, args.video_width // factor)
    mean, std = latent_statistics(vae)
    video = vae.decode(latent * std + mean, return_dict=False)[0].clamp(-1, 1)
    inside = (video.abs() < 1).float().mean().item()
    print(f"vae-decode: {100 * inside:.0f} % of the video lies inside [-1, 1]")
    assert inside > 0.5
    return {"latent": latent}, {"video": video}


def make_text_case(tokenizer, encoder):
    ids = tokenizer(PROMPTS, padding=True, return_tensors="pt").input_ids
    mask = ids != 0
    features = encoder(ids, attention_mask=mask.long()).last_hidden_state * mask[..., None]
    return {"token_ids": ids}, {"features": features}


def save_pipeline(args, folder, parts, camera_layers):
    """The folder as Diffusers writes it, plus camera weights in the transformer's file."""
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0)
    dtype = STORAGE[args.storage]
    modules = {name: parts[name].to(dtype) for name in ("transformer", "vae", "text_encoder")}
    limit = f"{args.shard_kb}KB" if args.shard_kb else "10GB"
    pipeline = diffusers.WanPipeline(tokenizer=parts["tokenizer"], scheduler=scheduler,
                                     expand_timesteps=args.per_token, **modules)
    pipeline.save_pretrained(folder, max_shard_size=limit)
    (folder / "tokenizer" / "spiece.model").write_bytes(parts["spiece"])
    if camera_layers is None:
        return
    assert not args.shard_kb, "camera weights are only added to a file that is not split"
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights = safetensors.torch.load_file(path)
    weights |= {f"blocks.{name}": w.to(dtype) for name, w in camera_layers.state_dict().items()}
    safetensors.torch.save_file(weights, path, {"format": "pt"})


def main():
    args = parse_arguments()
    # Every part has a seed of its own: an option of one does not change the others.
    draws = [Draw(1000 * args.seed + part) for part in range(8)]
    spiece, tokenizer = train_tokenizer(args.normalization)
    parts = {"transformer": make_transformer(args, draws[0]), "vae": make_vae(args, draws[1]),
             "text_encoder": make_text_encoder(args, draws[2], len(tokenizer) + 6),
             "tokenizer": tokenizer, "spiece": spiece}
    camera_layers = make_camera_layers(args, draws[3]) if args.camera else None
    with torch.no_grad():
        cases = {"dit": make_dit_case(args, draws[4], parts["transformer"], camera_layers),
                 "vae-encode": make_encode_case(args, draws[5], parts["vae"]),
                 "vae-decode": make_decode_case(args, draws[6], parts["vae"]),
                 "text": make_text_case(tokenizer, parts["text_encoder"])}
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    made_with = {"made_with": f"torch {torch.__version__}, diffusers {diffusers.__version__}, "
                              f"transformers {transformers.__version__}"}
    for name, (inputs, expected) in cases.items():
        for kind, tensors in (("inputs", inputs), ("expected", expected)):
            tensors = {key: tensor.contiguous() for key, tensor in tensors.items()}
            safetensors.torch.save_file(tensors, args.out / f"{name}.{kind}.safetensors", made_with)
    prompts = [{"prompt": prompt, "token_ids": tokenizer(prompt).input_ids} for prompt in PROMPTS]
    lines = ",\n ".join(json.dumps(prompt, ensure_ascii=False) for prompt in prompts)
    (args.out / "prompts.json").write_text(f"[{lines}]\n")
    save_pipeline(args, args.out / "pipeline", parts, camera_layers)
    files = [path for path in args.out.rglob("*") if path.is_file()]
    print(f"{args.out}: {len(files)} files, {sum(path.stat().st_size for path in files)} bytes")


if __name__ == "__main__":
    main()
