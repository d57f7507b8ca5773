#!/usr/bin/env python3
"""Pickles of a small demonstration in RLBench's classes, one a pickle protocol, by the numpy at hand.

Run it once with numpy 1 and once with numpy 2:

    python3 scripts/make_rlbench_fixtures.py tests/data/rlbench

The classes are stand-ins of the same module and name: a pickle holds nothing else of them.
"""

import pathlib
import pickle
import sys
import types

import numpy as np


def rlbench_class(module_name, class_name):
    parts = module_name.split(".")
    for i in range(len(parts)):
        name = ".".join(parts[: i + 1])
        sys.modules.setdefault(name, types.ModuleType(name))
    cls = type(class_name, (), {"__module__": module_name})
    setattr(sys.modules[module_name], class_name, cls)
    return cls


Demo = rlbench_class("rlbench.demo", "Demo")
Observation = rlbench_class("rlbench.backend.observation", "Observation")


def observation(frame):
    result = Observation()
    result.front_rgb = None
    result.gripper_open = np.float64(1.0) if frame == 0 else 0.0
    result.gripper_pose = np.array([0.25, -0.125 * frame, 1.5, 0.0, 0.6, 0.0, 0.8])
    result.gripper_touch_forces = np.array([1, 2], dtype=np.int32)
    result.task_low_dim_state = np.array([None], dtype=object)
    extrinsics = np.eye(4)
    extrinsics[:3, 3] = [1.0, 2.0, 3.0 + frame]
    intrinsics = np.array([[-175.5, 0, 0], [0, -176.5, 0], [64.0, 64.0, 1.0]]).T
    result.misc = {
        "front_camera_extrinsics": extrinsics,
        "front_camera_intrinsics": intrinsics,  # in Fortran order
        "front_camera_near": 0.01,
        "variation_index": 7,
    }
    return result


def main():
    folder = pathlib.Path(sys.argv[1])
    demo = Demo()
    demo._observations = [observation(0), observation(1)]
    state = np.random.RandomState(3).get_state()
    demo.random_seed = (state[0], state[1][:4], *state[2:])
    demo.num_reset_attempts = np.int64(2)
    major = np.__version__.split(".")[0]
    for protocol in (2, 3, 4, 5):
        (folder / f"numpy{major}_protocol{protocol}.pkl").write_bytes(pickle.dumps(demo, protocol))


if __name__ == "__main__":
    main()
