#!/usr/bin/env python3
"""Convert the numbers of one stored RLBench episode to cameras.json and poses.csv.

    extract_rlbench_poses.py EPISODE_DIR OUT_DIR [--cameras front,overhead] [--size 512]

EPISODE_DIR holds low_dim_obs.pkl. Standard library only: neither RLBench nor NumPy is imported, and
the pickle may name nothing but the two RLBench classes and NumPy's array constructors, which are
replaced by the small stand-ins below. Any other name in it is refused.

Cameras are written with OpenCV axes and scaled to --size pixels.
"""
import argparse
import json
import math
import os
import pickle
import struct
import sys


class Record:
    """Stands in for rlbench.demo.Demo and rlbench.backend.observation.Observation."""

    def __setstate__(self, state):
        self.__dict__.update(state)


class Dtype:
    def __init__(self, code, *_):
        self.code = code
        self.order = "<"

    def __setstate__(self, state):
        self.order = state[1]

    def unpack(self, data):
        letters = {"f8": "d", "f4": "f", "i8": "q", "i4": "i", "u1": "B", "b1": "?"}
        letter = letters[self.code]
        order = ">" if self.order == ">" else "<"
        return list(struct.unpack(f"{order}{len(data) // struct.calcsize(letter)}{letter}", data))


class Array:
    shape = ()
    values = ()

    def __setstate__(self, state):
        _, self.shape, dtype, is_fortran, data = state
        if is_fortran and len(self.shape) > 1:
            raise pickle.UnpicklingError("column-major array")
        if isinstance(data, str):
            data = data.encode("latin1")
        # Fields of no use here may hold other types.
        self.values = dtype.unpack(data) if dtype.code in ("f8", "f4", "i8", "i4", "u1", "b1") else ()

    def rows(self):
        width = self.shape[1]
        return [self.values[i : i + width] for i in range(0, len(self.values), width)]


def scalar(dtype, data):
    return dtype.unpack(data)[0]


ALLOWED = {
    ("rlbench.demo", "Demo"): Record,
    ("rlbench.backend.observation", "Observation"): Record,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): Dtype,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: Array(),
    ("numpy.core.multiarray", "scalar"): scalar,
}


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"refused {module}.{name}")
        return ALLOWED[(module, name)]


def camera_view(observations, name, size):
    misc = observations[0].misc
    k = misc[f"{name}_camera_intrinsics"].rows()
    scale = size / (2 * k[0][2])
    if not (k[0][0] < 0 and k[1][1] < 0):
        raise SystemExit(f"{name}: positive focal length; expected RLBench's negative ones")
    poses = []
    for observation in observations:
        world_from_rlbench = observation.misc[f"{name}_camera_extrinsics"].rows()
        # x left, y up -> x right, y down: half a turn about the optical axis.
        flipped = [[-r[0], -r[1], r[2], r[3]] for r in world_from_rlbench[:3]] + [[0, 0, 0, 1]]
        poses.append([value for row in flipped for value in row])
    is_static = all(pose == poses[0] for pose in poses)
    return {
        "name": name,
        "width": size,
        "height": size,
        "fx": -k[0][0] * scale,
        "fy": -k[1][1] * scale,
        "cx": k[0][2] * scale,
        "cy": k[1][2] * scale,
        "world_from_camera": poses[0] if is_static else poses,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("episode")
    parser.add_argument("out")
    parser.add_argument("--cameras", default="front,overhead")
    parser.add_argument("--size", type=int, default=512, help="pixels (default 512)")
    args = parser.parse_args()
    with open(os.path.join(args.episode, "low_dim_obs.pkl"), "rb") as file:
        observations = Unpickler(file).load()._observations
    os.makedirs(args.out, exist_ok=True)
    views = [camera_view(observations, name, args.size) for name in args.cameras.split(",")]
    with open(os.path.join(args.out, "cameras.json"), "w", encoding="utf-8") as file:
        json.dump({"format": "aim-cameras-1", "views": views}, file)
    with open(os.path.join(args.out, "poses.csv"), "w", encoding="utf-8") as file:
        file.write("frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open\n")
        for i, observation in enumerate(observations):
            pose = observation.gripper_pose.values
            norm = math.sqrt(sum(q * q for q in pose[3:]))
            numbers = [i * 0.05, *pose[:3], *(q / norm for q in pose[3:]), float(observation.gripper_open)]
            file.write(f"{i}," + ",".join(repr(float(n)) for n in numbers) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
