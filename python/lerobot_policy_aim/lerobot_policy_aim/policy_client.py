#!/usr/bin/env python3
"""Asks a policy server (aim-serve) for a plan; the class PolicyClient is to be copied or imported.

Needs numpy, msgpack and websockets 11 or later, nothing else. docs/serving.md has the keys.

    python3 scripts/policy_client.py --url ws://127.0.0.1:8000 \\
        --view view0.png --view view1.png --cameras cameras.json --prompt "lift the block" \\
        --first-pose "x y z qx qy qz qw open"

prints the plan as CSV: a pose target a line, in metres, xyzw quaternions, 1 = open. Exit code 2 is
a wrong call or a request that the server refused, 1 a server that failed or is not there.
"""

import argparse
import json
import os
import sys
import time
import zlib

import msgpack
import numpy as np
import websockets.exceptions
import websockets.sync.client

PROTOCOL = "aim-policy"
MAJOR_VERSION = 1
ACTION_LAYOUT = "xyz_quat_xyzw_open"
FIRST_PAUSE_S = 0.1  # before asking again; then twice as long each time
LONGEST_PAUSE_S = 5.0
CONNECT_S = 10.0
RETRYABLE = ("busy", "deadline", "closing")


class ServerError(RuntimeError):
    """What the server refused, as it says it. `code` is bad_request, busy, deadline, closing or
    internal; the last four are no fault of the request."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class OtherPolicyError(RuntimeError):
    """Another policy is behind the server than when the client was made."""


def _pack_array(value):
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "VOc":
            raise ValueError(f"arrays of {value.dtype} are not sent")
        value = np.ascontiguousarray(value)
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str,
                b"shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot send a {type(value).__name__}")


def _unpack_array(value):
    if b"__ndarray__" in value:
        array = np.frombuffer(value[b"data"], dtype=np.dtype(value[b"dtype"]))
        return array.reshape(value[b"shape"])
    return value


class PolicyClient:
    """A connection to a policy server. A request that got no answer, or for which the server had no
    time, is sent again with its id, over a new connection if need be, until `timeout_s` is over; it
    is never planned twice."""

    def __init__(self, url, api_key=None, timeout_s=120.0):
        self._url = url
        self._headers = {"Authorization": f"Api-Key {api_key}"} if api_key else None
        self._timeout_s = timeout_s
        self._name = os.urandom(8).hex()
        self._num_requests = 0
        self._episode = 0
        self._seed = None
        self._num_plans = 0  # of the trial
        self._socket = None
        self.metadata = None
        self._connect(time.monotonic() + CONNECT_S)

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def reset(self, seed=None):
        """Begins a trial: plans are counted from 0, their noise comes of the seed."""
        self._episode += 1
        self._seed = seed
        self._num_plans = 0
        self._ask({"op": "reset", **self._trial_seed()})

    def plan(self, pictures, cameras, pose, gripper_open, prompt, step=None):
        """Pose targets from what is seen now.

        pictures      {name: uint8 [H, W, 3], RGB}, in the order of the model's views
        cameras       {name: (K [3, 3], world_from_camera [4, 4])}: OpenCV axes (x right, y down,
                      z forward), focal lengths positive, the picture covers [0, W] x [0, H]
        pose          [7] x y z qx qy qz qw of the tool's tip, in the cameras' world
        gripper_open  [0, 1], 1 = open
        step          plans made before this one in the trial; None: as counted here

        Returns a dict: `actions` float64 [N, 8] (x y z qx qy qz qw open), action k meant for
        (k + 1) * period_s after the pictures were taken; `confidence`, `decodable`, `from_prior`,
        `residual_px` [N]; `visible` [N, 3 a view]; `period_s`; `server_timing`.
        """
        message = self._observation(pictures, cameras, prompt, pose, gripper_open)
        # A connection that is lost takes the trial along that the server knows: each request says
        # all that its plan depends on.
        message["step"] = self._num_plans if step is None else step
        self._num_plans += 1
        message.update(self._trial_seed())
        return self._ask(message)

    def run(self, job, pictures, cameras, prompt, pose=None, gripper_open=None, poses=None, seed=0):
        """One of the jobs in `metadata["jobs"]`, of clips of `metadata["horizon"]` + 1 frames.

        i2v   imagine: first pictures -> videos
        a2v   simulate: first pictures and `poses` [T, 8] (x y z qx qy qz qw open) -> videos
        v2a   label: pictures are videos, uint8 [T, H, W, 3] -> poses
        i2va  imagine and act: first pictures and pose -> videos, poses, actions
        i2a   act: the same -> poses, actions

        The rest as in plan(). Returns a dict: `video/NAME` uint8 [T, H, W, 3] with the cameras that
        belong to them, `poses` float64 [T, 8] with `confidence` and the other columns of plan(), a
        row for each frame, the first too; `actions` where the job acts.
        """
        message = self._observation(pictures, cameras, prompt, pose, gripper_open)
        message.update({"job": job, "seed": seed})
        if poses is not None:
            message["poses"] = np.asarray(poses, dtype=np.float64)
        return self._ask(message)

    def _trial_seed(self):
        return {} if self._seed is None else {"seed": self._seed}

    @staticmethod
    def _observation(pictures, cameras, prompt, pose, gripper_open):
        message = {"prompt": prompt, "camera_convention": "opencv"}
        if pose is not None:
            message["observation/gripper_pose"] = np.asarray(pose, dtype=np.float64)
            message["observation/gripper_open"] = float(gripper_open)
        for name, picture in pictures.items():
            intrinsics, world_from_camera = cameras[name]
            message[f"observation/image/{name}"] = np.asarray(picture, dtype=np.uint8)
            message[f"camera/{name}/intrinsics"] = np.asarray(intrinsics, dtype=np.float64)
            message[f"camera/{name}/extrinsics_c2w"] = np.asarray(world_from_camera,
                                                                  dtype=np.float64)
        return message

    def _connect(self, end):
        socket = websockets.sync.client.connect(
            self._url, compression=None, max_size=None, additional_headers=self._headers,
            open_timeout=max(0.01, min(CONNECT_S, end - time.monotonic())))
        try:
            metadata = self._receive(socket, end)
            self._require_same(metadata)
        except BaseException:
            socket.close()
            raise
        self._socket, self.metadata = socket, metadata

    def _require_same(self, metadata):
        protocol = metadata.get("protocol", {})
        if protocol.get("name") != PROTOCOL or metadata.get("action_layout") != ACTION_LAYOUT:
            raise ServerError("internal", f"{self._url} is no server of {PROTOCOL}")
        if protocol.get("major") != MAJOR_VERSION:
            raise ServerError("internal", f"{PROTOCOL} {protocol.get('major')} is spoken there, "
                              f"{MAJOR_VERSION} here")
        if self.metadata is None:
            return
        for key in ("policy", "policy_fingerprint", "horizon", "action_hz", "views",
                    "image_resolution"):
            now, before = metadata.get(key), self.metadata.get(key)
            if now != before:
                raise OtherPolicyError(
                    f"{self._url} serves {metadata.get('policy')} now, {key} {now!r}; expected "
                    f"{self.metadata.get('policy')}, {key} {before!r}, as when this began")

    @staticmethod
    def _receive(socket, end):
        message = socket.recv(timeout=max(0.0, end - time.monotonic()))
        if isinstance(message, str):
            raise ServerError("internal", message)
        return msgpack.unpackb(message, object_hook=_unpack_array)

    def _ask(self, message):
        self._num_requests += 1
        request_id = f"{self._name}-{self._num_requests}"
        message = {**message, "request_id": request_id,
                   "episode_id": f"{self._name}-trial{self._episode}"}
        packed = msgpack.packb(message, default=_pack_array)
        end = time.monotonic() + self._timeout_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                if self._socket is None:
                    self._connect(end)
                return self._exchange(packed, request_id, end)
            except (OSError, websockets.exceptions.WebSocketException):
                self.close()
                if time.monotonic() + pause_s >= end:
                    raise
            except ServerError as error:
                if error.code not in RETRYABLE or time.monotonic() + pause_s >= end:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _exchange(self, packed, request_id, end):
        self._socket.send(packed)
        while True:
            reply = self._receive(self._socket, end)
            if reply.get("request_id") != request_id:
                continue  # of an earlier one that was given up
            if "error" in reply:
                raise ServerError(reply["error"]["code"], reply["error"]["message"])
            return reply


def read_png(path):
    """uint8 [H, W, 3] of a PNG of 8 bits a channel, not interlaced: grey or RGB, alpha or not."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG")
    at, pixels, header = 8, b"", None
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + size]
        header = body if kind == b"IHDR" else header
        pixels += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(header[9])
    if header[8] != 8 or channels is None or header[12] != 0:
        raise ValueError(f"{path} has a palette, 16 bits or interlacing; save it as plain RGB")
    raw = np.frombuffer(zlib.decompress(pixels), np.uint8).reshape(height, 1 + width * channels)
    rows = np.zeros((height + 1, width + 1, channels), np.int32)  # zeros before
    for y in range(height):
        kind, line = raw[y, 0], raw[y, 1:].reshape(width, channels)
        above, row = rows[y], rows[y + 1]
        if kind in (0, 2):
            row[1:] = (line + (above[1:] if kind == 2 else 0)) & 255
            continue
        for x in range(1, width + 1):
            left, up, corner = row[x - 1], above[x], above[x - 1]
            if kind == 1:
                guess = left
            elif kind == 3:
                guess = (left + up) // 2
            else:
                a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
                guess = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
            row[x] = (line[x - 1] + guess) & 255
    picture = rows[1:, 1:].astype(np.uint8)
    return np.repeat(picture[..., :1], 3, axis=2) if channels < 3 else picture[..., :3].copy()


def read_cameras(path):
    """{name: (K, world_from_camera)} of a cameras.json, in its order; cameras that stand still."""
    with open(path, encoding="utf-8") as file:
        views = json.load(file)["views"]
    return {view["name"]: (np.array([[view["fx"], 0, view["cx"]], [0, view["fy"], view["cy"]],
                                     [0, 0, 1]], dtype=np.float64),
                           np.array(view["world_from_camera"], dtype=np.float64).reshape(4, 4))
            for view in views}


def connect_within(wait_s, url, api_key):
    end = time.monotonic() + wait_s
    while True:
        try:
            return PolicyClient(url, api_key)
        except ConnectionRefusedError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--url", default="ws://127.0.0.1:8000", help="of the server")
    parser.add_argument("--api-key", help="what the server's --api-key-file holds")
    parser.add_argument("--view", action="append", required=True, help="PNG of a view (repeatable)")
    parser.add_argument("--cameras", required=True, help="cameras.json, a camera a view")
    parser.add_argument("--prompt", required=True, help="what to do")
    parser.add_argument("--first-pose", required=True, help='"x y z qx qy qz qw open"')
    parser.add_argument("--seed", type=int, default=0, help="of the plan's noise")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds for a server that starts")
    arguments = parser.parse_args()
    try:
        pose = [float(number) for number in arguments.first_pose.split()]
        cameras = read_cameras(arguments.cameras)
        pictures = {name: read_png(path) for name, path in zip(cameras, arguments.view)}
        if len(pose) != 8 or len(cameras) != len(arguments.view):
            raise ValueError("expected 8 numbers in --first-pose and a --view for each camera")
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        print(f"policy_client.py: {error}", file=sys.stderr)
        return 2
    try:
        client = connect_within(arguments.wait, arguments.url, arguments.api_key)
        client.reset(arguments.seed)
        plan = client.plan(pictures, cameras, pose[:7], pose[7], arguments.prompt)
        client.close()
    except OtherPolicyError as error:
        print(f"policy_client.py: {error}", file=sys.stderr)
        return 2
    except ServerError as error:
        print(f"policy_client.py: {error}", file=sys.stderr)
        return 2 if error.code == "bad_request" else 1
    except (OSError, websockets.exceptions.WebSocketException) as error:
        print(f"policy_client.py: {arguments.url}: {error}", file=sys.stderr)
        return 1
    print("time_s,x,y,z,qx,qy,qz,qw,gripper_open,confidence")
    for k, (action, confidence) in enumerate(zip(plan["actions"], plan["confidence"])):
        numbers = [(k + 1) * plan["period_s"], *action, confidence]
        print(",".join(f"{number:.6g}" for number in numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
