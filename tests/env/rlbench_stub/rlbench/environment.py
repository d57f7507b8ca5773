"""A stand-in for RLBench over CoppeliaSim, neither of which can be installed where tests run.

It has the interface, the errors and the conventions of RLBench 1.2 that docs/reference/formats.md
describes (section 1), and in place of the arm a tip that flies. What is unlike a simple simulator is
kept: a seed alone does not restore a scene; a step takes as many of 0.05 s as the motion needs;
intrinsics are negative; the global state of numpy is all the randomness.
"""

import logging
import os

import numpy as np
from pyrep.objects.vision_sensor import FINGERS, SCENE, VisionSensor
from rlbench.backend.exceptions import TaskEnvironmentError
from rlbench.observation_config import ObservationConfig

SENSORS = {"front": "cam_front", "overhead": "cam_overhead",
           "left_shoulder": "cam_over_shoulder_left", "right_shoulder": "cam_over_shoulder_right",
           "wrist": "cam_wrist"}
HOME = (np.array([0.2785, -0.008, 1.472]), np.array([0, 0.9927, 0, 0.1209]))


def handles_of(sensor):
    """Handles came as colours in [0, 1]: they are float32, and may be off by a rounding."""
    return sensor.capture_mask().astype(np.float32) * np.float32(1 + 1e-7)


class Observation:
    def __init__(self):
        self.misc = {}


class Demo:
    def __init__(self, observations, random_seed):
        self._observations = observations
        self.random_seed = random_seed

    def __len__(self):
        return len(self._observations)

    def __getitem__(self, index):
        return self._observations[index]

    def restore_state(self):
        np.random.set_state(self.random_seed)


class PyRep:
    def step(self):
        pass


class Shape:
    def __init__(self, handle):
        self.handle = handle

    def get_handle(self):
        return self.handle


class Gripper:
    def get_objects_in_tree(self, object_type=None, exclude_base=True):
        assert object_type == "shape"
        return [Shape(handle) for handle in FINGERS]


class Robot:
    gripper = Gripper()


class Scene:
    _workspace_minx, _workspace_maxx = -0.5, 1.1
    _workspace_miny, _workspace_maxy = -0.66, 0.66
    _workspace_minz, _workspace_maxz = 0.75, 1.75

    def __init__(self, pyrep):
        self.pyrep = pyrep
        self.task = None
        self.open = 1.0
        self.success = False

    def move(self, action, steps):
        start = SCENE["tip"]
        SCENE["quaternion"] = np.array(action[3:])
        for i in range(1, steps + 1):
            SCENE["tip"] = start + (action[:3] - start) * i / steps
            self.pyrep.step()
            self.judge()

    def judge(self):
        self.success = bool(np.linalg.norm(SCENE["tip"] - SCENE["target"]) < 0.02)


class TaskEnvironment:
    def __init__(self, scene, task, action_mode, config):
        self._scene = scene
        self._task = task
        self._action_mode = action_mode
        self._config = config
        self._variation = 0
        self._is_reset = False
        self._has_episode = False
        scene.task = task
        task.load()

    def variation_count(self):
        return self._task.variation_count()

    def set_variation(self, variation):
        if variation >= self.variation_count():
            raise TaskEnvironmentError("Requested variation %d" % variation)
        self._variation = variation

    def reset(self, _restored=False):
        assert self._scene.task is self._task, "another task is loaded"
        # As RLBench has it: a task's first episode forgets its variation in what is recorded.
        self._recorded_variation = self._variation if self._has_episode else 0
        self._has_episode = True
        if not _restored:
            np.random.uniform()  # an attempt at placing the task that a demonstration does not make
        SCENE["target"] = np.random.uniform([0.1, -0.2, 0.9], [0.4, 0.2, 1.2])
        SCENE["tip"], SCENE["quaternion"] = HOME[0].copy(), HOME[1] / np.linalg.norm(HOME[1])
        self._scene.open = 1.0
        for _ in range(10):
            self._scene.pyrep.step()
        self._scene.judge()
        self._is_reset = True
        return self._task.describe(self._variation), self.get_observation()

    def get_demos(self, amount, live_demos=False, max_attempts=10):
        assert live_demos, "there are no stored ones"
        demos = []
        for _ in range(amount):
            try:
                self._task.demonstrate()
            except Exception as error:
                logging.info("Bad demo. " + str(error))
                raise RuntimeError("Could not collect demos. Maybe a problem with the task?")
            state = np.random.get_state()
            self.reset(_restored=True)
            observations = [self.get_observation()]
            start = SCENE["tip"]
            for i in range(1, 41):
                SCENE["tip"] = start + (SCENE["target"] - start) * i / 40
                self._scene.pyrep.step()
                observations.append(self.get_observation())
            demos.append(Demo(observations, state))
        return demos

    def reset_to_demo(self, demo):
        demo.restore_state()
        self.set_variation(demo._observations[0].misc["variation_index"])
        return self.reset(_restored=True)

    def step(self, action):
        if not self._is_reset:
            raise RuntimeError("Call 'reset' before calling 'step' on a task.")
        self._action_mode.action(self._scene, np.asarray(action))
        self._scene.judge()
        return self.get_observation(), float(self._scene.success), self._scene.success

    def get_observation(self):
        seen = Observation()
        seen.gripper_pose = np.concatenate([SCENE["tip"], SCENE["quaternion"]])
        seen.gripper_open = self._scene.open
        for view, name in SENSORS.items():
            camera = getattr(self._config, view + "_camera")
            if not camera.rgb:
                continue
            sensor = VisionSensor(name)
            picture = np.clip((sensor.capture_rgb() * 255.0).astype(np.uint8), 0, 255)
            setattr(seen, view + "_rgb", picture)
            setattr(seen, view + "_mask", handles_of(sensor) if camera.mask else None)
            seen.misc[view + "_camera_extrinsics"] = sensor.get_matrix()
            seen.misc[view + "_camera_intrinsics"] = sensor.intrinsics()
        seen.misc["variation_index"] = self._recorded_variation
        return seen


class Environment:
    def __init__(self, action_mode, obs_config=None, headless=False):
        assert headless, "there is no window"
        self._action_mode = action_mode
        self._config = obs_config or ObservationConfig()
        self._robot = Robot()
        self._pyrep = None

    def launch(self):
        root = os.environ["COPPELIASIM_ROOT"]
        assert root in os.environ["LD_LIBRARY_PATH"].split(":"), "libcoppeliaSim.so not found"
        assert os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"] == root
        self._pyrep = PyRep()
        self._scene = Scene(self._pyrep)
        for view, name in SENSORS.items():
            camera = getattr(self._config, view + "_camera")
            if camera.rgb:
                VisionSensor(name).set_resolution(camera.image_size)

    def get_task(self, task_class):
        task = task_class(self._pyrep, self._robot)
        return TaskEnvironment(self._scene, task, self._action_mode, self._config)

    def shutdown(self):
        self._pyrep = None
