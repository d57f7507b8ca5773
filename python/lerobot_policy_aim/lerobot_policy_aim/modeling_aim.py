"""A policy of LeRobot whose plans aim-serve makes."""

import collections

import numpy as np
import torch
import websockets.exceptions
from lerobot.policies.pretrained import PreTrainedPolicy

from .configuration_aim import AimConfig
from .policy_client import PolicyClient, read_cameras
from .poses import actions_of_poses, pose_of_state, resampled

PICTURES = "observation.images."
ONE_PICTURE = "observation.image"  # of environments with a single, unnamed camera
STATE = "observation.state"


class AimPolicy(PreTrainedPolicy):
    """Each row of a batch is a trial of its own, with a connection of its own: what the server
    plans for it depends on that row alone, the trial's seed and how many plans came before."""

    config_class = AimConfig
    name = "aim"

    def __init__(self, config, **_):
        super().__init__(config)
        config.validate_features()
        if config.cameras:
            config.calibration = _read_calibration(config.cameras)
            config.cameras = ""  # a saved policy is whole without the file
        # A saved policy is loaded from its weights: these are all.
        self.register_buffer("no_weights", torch.zeros(1))
        self._clients = []
        self._num_trials = 0
        self._queue = collections.deque()
        self._begins = True

    def get_optim_params(self):
        return {}

    def forward(self, batch):
        raise NotImplementedError("a policy behind aim-serve is trained by aim-train, not here")

    def reset(self):
        self._queue.clear()
        self._begins = True

    @torch.no_grad()
    def select_action(self, batch, **_):
        """[B, D]"""
        if not self._queue:
            chunk = self.predict_action_chunk(batch)
            most = self.config.n_action_steps or chunk.shape[1]
            self._queue.extend(chunk[:, :most].unbind(dim=1))
        return self._queue.popleft()

    @torch.no_grad()
    def predict_action_chunk(self, batch, **_):
        """[B, T, D]: action k is where the tool should be (k + 1) periods after the pictures."""
        if STATE not in batch:
            raise ValueError(f"{STATE} is missing; expected the pose of the tool")
        states = _numbers(batch[STATE])
        pictures = _pictures_of(batch)
        prompts = self._prompts_of(batch, len(states))
        views = self._views_of(batch, pictures)
        self._require_clients(len(states))
        chunks = []
        for row, client in enumerate(self._clients[:len(states)]):
            pose = pose_of_state(states[row], self.config.state_rotation,
                                 self.config.state_gripper)
            plan = client.plan({name: pictures[name][row] for name in views},
                               {name: self._camera_of(batch, name, row) for name in views},
                               pose[:7], pose[7], prompts[row])
            poses = plan["actions"]
            if self.config.action_hz > 0:
                poses = resampled(pose, poses, plan["period_s"], 1 / self.config.action_hz)
            chunks.append(actions_of_poses(poses, self.config.action_rotation,
                                           self.config.action_gripper))
        return torch.as_tensor(np.stack(chunks), dtype=torch.float32, device=self.config.device)

    def _prompts_of(self, batch, num_rows):
        tasks = batch.get("task") or ""
        tasks = [tasks] * num_rows if isinstance(tasks, str) else list(tasks)
        prompts = [self.config.prompt or task for task in tasks]
        if len(prompts) != num_rows or not all(prompts):
            raise ValueError(f"task is {tasks}; expected what to do, in words, for each of "
                             f"{num_rows} rows; or set policy.prompt")
        return prompts

    def _views_of(self, batch, pictures):
        calibrated = [name for name in pictures if _is_calibrated(batch, name)]
        calibrated += [name for name in self.config.calibration
                       if name in pictures and name not in calibrated]
        if not self.config.views:
            if calibrated:
                return calibrated
            raise ValueError(
                f"the pictures {', '.join(pictures) or '(none)'} have no cameras; expected them in "
                f"policy.cameras, by these names, or as observation.camera.NAME.intrinsics and "
                f"extrinsics_c2w of the batch")
        views = [name.strip() for name in self.config.views.split(",")]
        for name in views:
            if name not in calibrated:
                lack = "camera" if name in pictures else "picture"
                raise ValueError(f"policy.views names {name!r}, which has no {lack}; calibrated "
                                 f"pictures are {', '.join(calibrated) or '(none)'}")
        return views

    def _camera_of(self, batch, name, row):
        """K [3, 3] and world_from_camera [4, 4]."""
        if _is_calibrated(batch, name):
            intrinsics, world_from_camera = (_numbers(batch[key]) for key in _camera_keys(name))
            if intrinsics.ndim == 2:  # cameras that all rows share
                return intrinsics, world_from_camera
            return intrinsics[row], world_from_camera[row]
        camera = self.config.calibration[name]
        return (np.reshape(camera["intrinsics"], (3, 3)),
                np.reshape(camera["extrinsics_c2w"], (4, 4)))

    def _require_clients(self, num_rows):
        while len(self._clients) < num_rows:
            self._clients.append(self._connected())
        if self._begins:
            for row, client in enumerate(self._clients[:num_rows]):
                client.reset(self.config.seed + self._num_trials + row)
            self._num_trials += num_rows
            self._begins = False

    def _connected(self):
        key = None
        if self.config.api_key_file:
            with open(self.config.api_key_file, encoding="utf-8") as file:
                key = file.readline().strip()
        try:
            return PolicyClient(self.config.url, key, self.config.timeout_s)
        except (OSError, websockets.exceptions.WebSocketException) as error:
            raise ConnectionError(
                f"policy.url is {self.config.url}, where no policy server answers ({error}); start "
                f"one with: aim-serve --model DIR --port 8000") from error


def _camera_keys(name):
    return (f"observation.camera.{name}.intrinsics", f"observation.camera.{name}.extrinsics_c2w")


def _is_calibrated(batch, name):
    return all(key in batch for key in _camera_keys(name))


def _numbers(tensor):
    return tensor.detach().cpu().numpy().astype(np.float64)


def _pictures_of(batch):
    """{name: uint8 [B, H, W, 3]} of float [B, 3, H, W] in [0, 1]."""
    pictures = {}
    for key, value in batch.items():
        if not isinstance(value, torch.Tensor) or value.ndim != 4 or value.shape[1] != 3:
            continue
        if key.startswith(PICTURES) or key == ONE_PICTURE:
            name = key[len(PICTURES):] if key.startswith(PICTURES) else "image"
            levels = (value.detach().cpu().float() * 255).round().clamp(0, 255)
            pictures[name] = levels.to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return pictures


def _read_calibration(path):
    try:
        cameras = read_cameras(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"policy.cameras: {path}: {error!r}; expected a cameras.json of cameras "
                         f"that stand still (aim-data cameras makes it)") from error
    return {name: {"intrinsics": intrinsics.ravel().tolist(),
                   "extrinsics_c2w": world_from_camera.ravel().tolist()}
            for name, (intrinsics, world_from_camera) in cameras.items()}
