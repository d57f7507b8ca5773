"""The conventions of python/lerobot_policy_aim: there and back, and known turns; numpy alone.

    python3 tests/tools/lerobot_poses_check.py REPOSITORY
"""

import pathlib
import sys

import numpy as np

# The package itself asks for lerobot.
sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "python/lerobot_policy_aim/lerobot_policy_aim"))
sys.dont_write_bytecode = True
import poses  # noqa: E402
from expect import raises  # noqa: E402


def matrix_of(quaternion):
    x, y, z, w = quaternion
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def about(axis, angle):
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


random = np.random.default_rng(7)
quaternions = random.normal(size=(200, 4))
half_turns = np.eye(4)
near = np.array([[1e-9, 0, 0, 1], [1, 1e-9, 0, 1e-9], [0, np.sqrt(0.5), 0, np.sqrt(0.5)]])
for quaternion in [*quaternions, *half_turns, *near]:
    quaternion = quaternion / np.linalg.norm(quaternion)
    pose = np.array([0.1, -0.2, 0.3, *quaternion, 0.25])
    for rotation in poses.ROTATIONS:
        action = poses.actions_of_poses([pose], rotation, "open")[0]
        assert action.shape == (poses.action_size(rotation),), rotation
        back = poses.pose_of_state(action, rotation, "open")
        assert back[6] >= 0 and abs(back[7] - 0.25) < 1e-12 and (back[:3] == pose[:3]).all()
        error = np.abs(matrix_of(back[3:7]) - matrix_of(quaternion)).max()
        assert error < 1e-7, (rotation, quaternion, error)

angles = [0.4, -0.7, 2.1]
turn = poses.pose_of_state([0, 0, 0, *angles, 1], "euler_xyz", "open")[3:7]
expected = about(2, angles[2]) @ about(1, angles[1]) @ about(0, angles[0])
assert np.abs(matrix_of(turn) - expected).max() < 1e-12, "not extrinsic x, y, z"
turn = poses.pose_of_state([0, 0, 0, 0, 0, 0.5, 1], "rotation_vector", "open")[3:7]
assert np.abs(matrix_of(turn) - about(2, 0.5)).max() < 1e-12
turn = poses.pose_of_state([0, 0, 0, 0.6, 0, 0.8, 0, 1], "quat_wxyz", "open")[3:7]
assert np.abs(turn - [0, 0.8, 0, 0.6]).max() < 1e-12

still = [0, 0, 0, 0, 0, 0, 1]
for gripper, numbers, openness in (("open", [0.75], 0.75), ("closed", [0.75], 0.25),
                                   ("fingers", [0.02, -0.02], 0.5),
                                   ("fingers", [0.05, -0.05], 1)):
    got = poses.pose_of_state(still + numbers, "quat_xyzw", gripper)[7]
    assert abs(got - openness) < 1e-12, (gripper, got)
for gripper, number in (("open", 0.75), ("closed", 0.25), ("closed_sign", -0.5)):
    assert poses.actions_of_poses([still + [0.75]], "quat_xyzw", gripper)[0, 7] == number, gripper

raises(ValueError, "has length 2; expected 1; is policy.state_rotation quat_xyzw?",
       lambda: poses.pose_of_state([0, 0, 0, 2, 0, 0, 0, 1], "quat_xyzw", "open"))
raises(ValueError, "expected 8 finite numbers: x y z, quat_xyzw, open",
       lambda: poses.pose_of_state(still, "quat_xyzw", "open"))
raises(ValueError, "expected 8 finite",
       lambda: poses.pose_of_state(still + [np.nan], "quat_xyzw", "open"))

# Between two poses: half way is half the turn; equal periods are the poses themselves.
start = np.array([0, 0, 0, 0, 0, 0, 1, 1.0])
plan = np.array([[0.2, 0, 0, *[0, 0, np.sin(0.3), np.cos(0.3)], 0],
                 [0.2, 0.4, 0, *[0, 0, np.sin(0.7), np.cos(0.7)], 0]])
assert (poses.resampled(start, plan, 0.12, 0.12) == plan).all()
fine = poses.resampled(start, plan, 0.12, 0.06)
assert fine.shape == (4, 8) and (fine[1::2] == plan).all()
for place, angle, openness, pose in ((0.1, 0.3, 1, fine[0]), (0.2, 1.0, 0, fine[2])):
    assert abs(pose[0] - place) < 1e-12 and abs(pose[7] - openness) < 1e-12
    assert np.abs(matrix_of(pose[3:7]) - about(2, angle)).max() < 1e-12
assert (poses.resampled(start, plan * [1, 1, 1, -1, -1, -1, -1, 1], 0.12, 0.06)[[0, 2]]
        == fine[[0, 2]]).all(), "the longer way round"
assert (poses.resampled(start, plan, 0.12, 1.0) == plan[1:]).all(), "the end is left out"
print("ok")
