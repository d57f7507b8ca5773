"""Poses of a tool as vectors of LeRobot: x y z, a rotation, a gripper; numpy alone.

What is sent to aim-serve and comes back is x y z qx qy qz qw open, metres, unit norm, qw >= 0.
"""

import numpy as np

OPEN_FINGERS_M = 0.08  # between the fingers of an open Panda gripper, as robosuite has them
UNIT_TOLERANCE = 1e-3
SMALL_ANGLE = 1e-12


def _unit(quaternion):
    quaternion = np.asarray(quaternion, dtype=np.float64)
    norm = np.linalg.norm(quaternion)
    if not abs(norm - 1) <= UNIT_TOLERANCE:
        raise ValueError(f"the quaternion has length {norm:.6g}; expected 1")
    quaternion = quaternion / norm
    return -quaternion if quaternion[3] < 0 else quaternion


def _from_rotation_vector(vector):
    angle = np.linalg.norm(vector)
    axis = np.asarray(vector) / max(angle, SMALL_ANGLE)
    return _unit([*(axis * np.sin(angle / 2)), np.cos(angle / 2)])


def _to_rotation_vector(quaternion):
    sine = np.linalg.norm(quaternion[:3])
    return quaternion[:3] * (2 * np.arctan2(sine, quaternion[3]) / max(sine, SMALL_ANGLE))


def _from_euler(angles):
    """About the world's x, then y, then z: Rz Ry Rx."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.asarray(angles) / 2), np.sin(np.asarray(angles) / 2)
    return _unit([sx * cy * cz - cx * sy * sz, cx * sy * cz + sx * cy * sz,
                  cx * cy * sz - sx * sy * cz, cx * cy * cz + sx * sy * sz])


def _to_euler(quaternion):
    x, y, z, w = quaternion
    sine = np.clip(2 * (w * y - x * z), -1, 1)
    if abs(sine) > 1 - 1e-9:  # x and z turn about one axis: z is 0
        return np.array([2 * np.arctan2(x, w), np.arcsin(sine), 0])
    return np.array([np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)), np.arcsin(sine),
                     np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))])


# name: how many numbers, to xyzw, from xyzw
ROTATIONS = {
    "quat_xyzw": (4, _unit, lambda quaternion: quaternion),
    "quat_wxyz": (4, lambda numbers: _unit(np.roll(numbers, -1)),
                  lambda quaternion: np.roll(quaternion, 1)),
    "rotation_vector": (3, _from_rotation_vector, _to_rotation_vector),
    "euler_xyz": (3, _from_euler, _to_euler),  # extrinsic
}
# name: how many numbers, to openness in [0, 1]
STATE_GRIPPERS = {
    "open": (1, lambda numbers: numbers[0]),
    "closed": (1, lambda numbers: 1 - numbers[0]),
    "fingers": (2, lambda numbers: abs(numbers[0] - numbers[1]) / OPEN_FINGERS_M),
}
# name: from openness
ACTION_GRIPPERS = {
    "open": lambda openness: openness,
    "closed": lambda openness: 1 - openness,
    "closed_sign": lambda openness: 1 - 2 * openness,  # -1 opens, 1 closes: LIBERO, robosuite
}


def state_size(rotation, gripper):
    return 3 + ROTATIONS[rotation][0] + STATE_GRIPPERS[gripper][0]


def action_size(rotation):
    return 3 + ROTATIONS[rotation][0] + 1


def pose_of_state(state, rotation, gripper):
    """x y z qx qy qz qw open of an observation.state."""
    state = np.asarray(state, dtype=np.float64)
    size = state_size(rotation, gripper)
    if state.shape != (size,) or not np.isfinite(state).all():
        raise ValueError(f"observation.state is {state.tolist()}; expected {size} finite numbers: "
                         f"x y z, {rotation}, {gripper} (policy.state_rotation, state_gripper)")
    num_rotation, to_xyzw, _ = ROTATIONS[rotation]
    try:
        quaternion = to_xyzw(state[3:3 + num_rotation])
    except ValueError as error:
        raise ValueError(f"observation.state: {error}; is policy.state_rotation {rotation}?"
                         ) from error
    openness = STATE_GRIPPERS[gripper][1](state[3 + num_rotation:])
    return np.array([*state[:3], *quaternion, np.clip(openness, 0, 1)])


def actions_of_poses(poses, rotation, gripper):
    """[T, D] of poses [T, 8]."""
    from_xyzw, gripper_of = ROTATIONS[rotation][2], ACTION_GRIPPERS[gripper]
    return np.stack([np.array([*pose[:3], *from_xyzw(pose[3:7]), gripper_of(pose[7])])
                     for pose in np.asarray(poses, dtype=np.float64)])


def _between(first, second, fraction):
    """Straight, turning at a steady rate the shorter way; the gripper stays until it is there."""
    a, b = first[3:7], second[3:7]
    cosine = float(np.dot(a, b))
    b = -b if cosine < 0 else b
    angle = np.arccos(min(abs(cosine), 1.0))
    if angle < 1e-6:
        turned = a + (b - a) * fraction
    else:
        turned = (np.sin((1 - fraction) * angle) * a + np.sin(fraction * angle) * b) / np.sin(angle)
    place = first[:3] + (second[:3] - first[:3]) * fraction
    return np.array([*place, *_unit(turned), first[7]])


def resampled(present, poses, period_s, target_period_s):
    """Of poses at period_s, 2 period_s, ... after `present`: those at target_period_s, ... to the
    end. Times within 1e-6 of a pose are that pose."""
    path = np.concatenate([np.asarray(present)[None], poses])
    targets = []
    while True:
        time = (len(targets) + 1) * target_period_s / period_s
        if time >= len(path) - 1 - 1e-6:
            targets.append(path[-1])
            return np.stack(targets)
        exact = round(time) if abs(time - round(time)) < 1e-6 else time
        index = int(exact)
        fraction = exact - index
        targets.append(path[index] if fraction == 0
                       else _between(path[index], path[index + 1], fraction))
