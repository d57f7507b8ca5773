"""scripts/policy_client.py against servers that are busy, end or change, and against aim-serve.

    python3 tests/tools/policy_client_check.py PORT REPOSITORY

Prints "ok" after every job of the model that is served at PORT, with the example of assets/example.
"""

import pathlib
import sys
import threading

import msgpack
import numpy as np
import websockets.sync.server

port, root = int(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(root / "scripts"))
sys.dont_write_bytecode = True
import policy_client  # noqa: E402
from expect import raises  # noqa: E402
from policy_client import OtherPolicyError, PolicyClient, ServerError  # noqa: E402

policy_client.FIRST_PAUSE_S = 0.001
GREETING = {"protocol": {"name": "aim-policy", "major": 1}, "policy": "fake",
            "policy_fingerprint": "a", "action_layout": "xyz_quat_xyzw_open", "jobs": []}


class FakeServer:
    """Answers requests by what stands in `script`, in turn: "plan", "close", a code of an error, or
    a greeting that a server begun anew has."""

    def __init__(self, script):
        self.script, self.greeting, self.ids = list(script), dict(GREETING), []
        self._server = websockets.sync.server.serve(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _serve(self, socket):
        socket.send(msgpack.packb(self.greeting))
        for message in socket:
            request = msgpack.unpackb(message)
            self.ids.append(request["request_id"])
            answer = self.script.pop(0)
            if isinstance(answer, dict):
                self.greeting.update(answer)
                answer = "close"
            if answer == "close":
                return
            reply = {"request_id": request["request_id"], "period_s": 0.5}
            if answer != "plan":
                reply["error"] = {"code": answer, "message": "said so"}
            socket.send(msgpack.packb(reply))

    def close(self):
        self._server.shutdown()


def ask(server, timeout_s=20.0):
    client = PolicyClient(server.url, timeout_s=timeout_s)
    try:
        return client.plan({}, {}, [0, 0, 0, 0, 0, 0, 1], 1, "go")
    finally:
        client.close()


fake = FakeServer(["busy", "close", "deadline", "closing", "close", "plan"])
assert ask(fake)["period_s"] == 0.5
assert len(fake.ids) == 6 and len(set(fake.ids)) == 1, fake.ids
fake.script = ["bad_request", "plan"]
raises(ServerError, "bad_request: said so", lambda: ask(fake))
fake.script = ["internal", "plan"]
raises(ServerError, "internal: said so", lambda: ask(fake))
fake.script = ["busy"] * 1000
raises(ServerError, "busy: said so", lambda: ask(fake, timeout_s=1))
assert len(fake.script) < 1000
fake.script = [{"policy_fingerprint": "b"}, "plan"]
raises(OtherPolicyError, "policy_fingerprint 'b'; expected fake, policy_fingerprint 'a'",
       lambda: ask(fake))
fake.close()

client = PolicyClient(f"ws://127.0.0.1:{port}")
assert client.metadata["jobs"] == ["i2a", "i2va", "v2a", "a2v", "i2v"], client.metadata
num_frames = client.metadata["horizon"] + 1
cameras = policy_client.read_cameras(root / "assets/example/cameras.json")
pictures = {name: policy_client.read_png(root / f"assets/example/view{view}.png")
            for view, name in enumerate(cameras)}
prompt = "grasp the red block and lift it"
pose = [0.422, -0.086, 0.2199, -0.975791, 0.213675, 0.018254, 0.042907]
shape = (num_frames, *next(iter(pictures.values())).shape)


def videos_of(reply):
    videos = {name: reply[f"video/{name}"] for name in cameras}
    for name, video in videos.items():
        assert video.dtype == np.uint8 and video.shape == shape, video.shape
        assert np.abs(reply[f"camera/{name}/intrinsics"] - cameras[name][0]).max() < 1e-9
    return videos


acted = client.run("i2va", pictures, cameras, prompt, pose=pose, gripper_open=1, seed=3)
imagined = videos_of(acted)
assert acted["poses"].shape == (num_frames, 8) and acted["actions"].shape == (num_frames - 1, 8)
assert np.abs(acted["poses"][0] - [*pose, 1]).max() < 1e-6
plan = client.run("i2a", pictures, cameras, prompt, pose=pose, gripper_open=1, seed=3)
assert "video/" + next(iter(cameras)) not in plan
labels = client.run("v2a", imagined, cameras, prompt, pose=pose, gripper_open=1, seed=3)
assert labels["poses"].shape == (num_frames, 8) and "actions" not in labels
assert labels["confidence"].shape == (num_frames,) and np.median(labels["confidence"]) > 0.3
simulated = videos_of(client.run("a2v", pictures, cameras, prompt, poses=acted["poses"], seed=3))
assert any((simulated[name] != imagined[name]).any() for name in cameras)
videos_of(client.run("i2v", pictures, cameras, prompt, seed=3))
raises(ServerError, "frame long; expected", lambda: client.run("v2a", pictures, cameras, prompt))

client.reset(3)
actions = client.plan(pictures, cameras, pose, 1, prompt, step=0)["actions"]
assert (actions == plan["actions"]).all(), "job i2a is not the plan"


def second_plan(loses_connection):
    client.reset(7)
    client.plan(pictures, cameras, pose, 1, prompt)
    if loses_connection:
        client.close()
    return client.plan(pictures, cameras, pose, 1, prompt)["actions"]


assert (second_plan(True) == second_plan(False)).all(), "a new connection has another seed or count"
client.close()
print("ok")
