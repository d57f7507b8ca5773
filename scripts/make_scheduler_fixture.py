"""Writes tests/data/scheduler_fixture.safetensors: what Diffusers' schedulers make of a toy network.

Toy velocity: 0.7 x - 0.2 + 0.001 t cos(x), start x = [1, -0.5, 0.25, 2], all float32.
UniPC: use_flow_sigmas, flow_prediction, order 2, bh2, lower_order_final. Euler: sigmas of the
release's grid. Tensors "<kind>_<steps>_<shift>": the sample after each step [n, 4], with ".sigmas"
[n + 1] and ".timesteps" [n].

    python scripts/make_scheduler_fixture.py tests/data/scheduler_fixture.safetensors
"""

import sys

import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from safetensors.torch import save_file

CASES = [(1, 5), (2, 5), (3, 1), (4, 5), (8, 3), (10, 5), (50, 5), (20, 30)]


def run(scheduler):
    sample = torch.tensor([[1.0, -0.5, 0.25, 2.0]])
    samples = []
    for timestep in scheduler.timesteps:
        velocity = 0.7 * sample - 0.2 + 0.001 * timestep.float() * torch.cos(sample)
        sample = scheduler.step(velocity, timestep, sample, return_dict=False)[0]
        samples.append(sample)
    return torch.cat(samples)


def unipc(steps, shift):
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=float(shift)
    )
    scheduler.set_timesteps(steps)
    return scheduler


def euler(steps, shift):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=float(shift))
    scheduler.set_timesteps(sigmas=numpy.linspace(1, 0, steps + 1)[:-1])
    return scheduler


def main():
    tensors = {}
    for name, make in (("unipc", unipc), ("euler", euler)):
        for steps, shift in CASES:
            scheduler = make(steps, shift)
            key = f"{name}_{steps}_{shift}"
            tensors[key] = run(scheduler).float().contiguous()
            tensors[key + ".sigmas"] = scheduler.sigmas.float().clone()
            tensors[key + ".timesteps"] = scheduler.timesteps.float().clone()
    save_file(tensors, sys.argv[1])


if __name__ == "__main__":
    main()
