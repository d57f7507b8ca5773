"""The unmodified client of openpi drives aim-serve with the example of assets/example.

    python3 tests/tools/openpi_check.py PORT REPOSITORY

Prints "ok" after plans of the right form, the same for the same input, and a refusal as openpi's.
"""

import pathlib
import sys

import numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy

port, root = int(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(root / "scripts"))
sys.dont_write_bytecode = True
from policy_client import read_cameras, read_png  # noqa: E402

client = WebsocketClientPolicy("127.0.0.1", port)
metadata = client.get_server_metadata()
assert metadata["action_layout"] == "xyz_quat_xyzw_open", metadata

observation = {
    "prompt": "grasp the red block and lift it",
    "observation/gripper_pose": np.array([0.422, -0.086, 0.2199, -0.975791, 0.213675, 0.018254,
                                          0.042907]),
    "observation/gripper_open": np.float32(1),
    "observation/joint_position": np.zeros(7, np.float32),
    "step": 0,
}
cameras = read_cameras(root / "assets/example/cameras.json")
for view, (name, (intrinsics, world_from_camera)) in enumerate(cameras.items()):
    observation[f"observation/image/{name}"] = read_png(root / f"assets/example/view{view}.png")
    observation[f"camera/{name}/intrinsics"] = intrinsics
    observation[f"camera/{name}/extrinsics_c2w"] = world_from_camera

replies = [client.infer(observation) for _ in range(2)]
actions = replies[0]["actions"]
assert actions.shape == (metadata["horizon"], metadata["action_dim"]), actions.shape
assert np.isfinite(actions).all()
assert np.allclose(np.linalg.norm(actions[:, 3:7], axis=1), 1)
assert (actions == replies[1]["actions"]).all(), "the same request has two plans"
assert np.linalg.norm(actions[0, :3] - observation["observation/gripper_pose"][:3]) < 0.1
assert "infer_ms" in replies[0]["server_timing"] and "prev_total_ms" in replies[1]["server_timing"]

del observation["observation/gripper_pose"]
try:
    client.infer(observation)
    raise AssertionError("a request without a pose was taken")
except RuntimeError as error:
    assert "observation/gripper_pose is missing" in str(error), error
print("ok")
