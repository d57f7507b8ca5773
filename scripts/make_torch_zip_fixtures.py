"""Writes tests/data/torch_zip: what torch.save makes of small state dicts, and their values.

Run with a Python that has torch and safetensors: python scripts/make_torch_zip_fixtures.py
(the committed files come from torch 2.11.0). Every X.pth has its values in values.safetensors as
"X/name".
"""

import argparse
import pathlib
from collections import OrderedDict

import torch
from safetensors.torch import save_file


def state_dicts():
    generator = torch.Generator().manual_seed(11)

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(random(*weight.shape))
    base = random(4, 6)
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64,
              torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    yield "plain", {"a": random(2, 3), "b.c": random(5), "scalar": torch.tensor(2.5),
                    "empty": torch.zeros(0, 3)}
    yield "module", module.state_dict()  # an OrderedDict with _metadata
    yield "parameters", OrderedDict(module.named_parameters())
    yield "dtypes", {str(dtype).split(".")[1]: torch.arange(5).to(dtype) for dtype in dtypes}
    yield "views", {"base": base, "rows": base[1:3], "columns": base[:, 2:5],
                    "transposed": base.t(), "strided": base[::2, ::3]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/data/torch_zip"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    values = {}
    for name, weights in state_dicts():
        torch.save(weights, out / f"{name}.pth")
        for key, tensor in weights.items():
            values[f"{name}/{key}"] = tensor.detach().clone().contiguous()
    weights = {"w": torch.arange(3.0)}
    torch.save({"state_dict": weights, "epoch": 2**31, "size": torch.Size([2, 3]),
                "dtype": torch.bfloat16, "loss": -1.5, "big": 2**70,
                "optimizer": {"lr": 1e-3, "betas": (0.9, 0.99), "steps": [1, None, True]}},
               out / "nested.pth")
    torch.save({"module": weights}, out / "protocol4.pth", pickle_protocol=4)
    for name in ("nested", "protocol4"):
        values[f"{name}/w"] = weights["w"].clone()
    save_file(values, out / "values.safetensors")


if __name__ == "__main__":
    main()
