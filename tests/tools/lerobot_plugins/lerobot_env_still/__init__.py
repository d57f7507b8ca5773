"""An environment of LeRobot for tests: the pictures of assets/example, whatever is done.

STILL_REPOSITORY names the repository, STILL_ACTIONS the file that gets the actions (.npy).
"""

import os
import pathlib
import sys
from dataclasses import dataclass, field

import gymnasium
import numpy as np
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig

ROOT = pathlib.Path(os.environ["STILL_REPOSITORY"])
sys.path.insert(0, str(ROOT / "scripts"))
from policy_client import read_cameras, read_png  # noqa: E402

STEPS = 20  # more than a plan has: it is made twice
PROMPT = "grasp the red block and lift it"
POSE = [0.422, -0.086, 0.2199, -0.975791, 0.213675, 0.018254, 0.042907, 1]
CAMERAS = read_cameras(ROOT / "assets/example/cameras.json")
PICTURES = {name: read_png(ROOT / f"assets/example/view{view}.png")
            for view, name in enumerate(CAMERAS)}


class Still(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    task = "still"
    task_description = PROMPT
    _max_episode_steps = STEPS

    def __init__(self, sends_cameras):
        self.sends_cameras = sends_cameras
        self.actions = []
        box = gymnasium.spaces.Box
        self.observation_space = gymnasium.spaces.Dict({
            "pixels": gymnasium.spaces.Dict({name: box(0, 255, picture.shape, np.uint8)
                                             for name, picture in PICTURES.items()}),
            "agent_pos": box(-10, 10, (8,), np.float64)})
        if sends_cameras:
            for name in CAMERAS:
                self.observation_space[f"camera.{name}.intrinsics"] = box(-1e4, 1e4, (3, 3))
                self.observation_space[f"camera.{name}.extrinsics_c2w"] = box(-1e4, 1e4, (4, 4))
        self.action_space = box(-10, 10, (8,), np.float32)

    def seen(self):
        seen = {"pixels": dict(PICTURES), "agent_pos": np.array(POSE)}
        if self.sends_cameras:
            for name, (intrinsics, world_from_camera) in CAMERAS.items():
                seen[f"camera.{name}.intrinsics"] = intrinsics.astype(np.float32)
                seen[f"camera.{name}.extrinsics_c2w"] = world_from_camera.astype(np.float32)
        return seen

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.actions = []
        return self.seen(), {}

    def step(self, action):
        self.actions.append(np.array(action))
        ends = len(self.actions) == STEPS
        if ends:
            np.save(os.environ["STILL_ACTIONS"], np.stack(self.actions))
        return self.seen(), 0.0, ends, False, {"is_success": ends}

    def render(self):
        return next(iter(PICTURES.values()))


@EnvConfig.register_subclass("still")
@dataclass
class StillConfig(EnvConfig):
    task: str = "still"
    fps: int = 10
    sends_cameras: bool = False
    features: dict[str, PolicyFeature] = field(default_factory=lambda: {
        "action": PolicyFeature(type=FeatureType.ACTION, shape=(8,)),
        "agent_pos": PolicyFeature(type=FeatureType.STATE, shape=(8,)),
        **{f"pixels/{name}": PolicyFeature(type=FeatureType.VISUAL, shape=picture.shape)
           for name, picture in PICTURES.items()}})
    features_map: dict[str, str] = field(default_factory=lambda: {
        "action": "action", "agent_pos": "observation.state",
        **{f"pixels/{name}": f"observation.images.{name}" for name in PICTURES}})

    @property
    def gym_kwargs(self):
        return {}

    def create_envs(self, n_envs, use_async_envs=False):
        make = [lambda: Still(self.sends_cameras)] * n_envs
        return {"still": {0: gymnasium.vector.SyncVectorEnv(make)}}
