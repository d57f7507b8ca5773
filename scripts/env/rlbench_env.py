"""RLBench for aim-rollout --env rlbench: its tasks, its cameras, its own ways of moving the arm.

scripts/env/rlbench_setup.sh says what a machine still lacks; docs/rollout.md how this is used.
COPPELIASIM_ROOT names CoppeliaSim 4.1; without a display the script starts one of its own (Xvfb).
  AIM_RLBENCH_ARM=planning   how the arm goes to a pose: planning, or ik
  AIM_RLBENCH_VIEWS=front,overhead   of front, overhead, left_shoulder, right_shoulder, wrist
"""

import logging
import os
import shutil
import sys

STARTED = "AIM_RLBENCH_STARTED"


def start_where_coppeliasim_runs():
    """Its libraries are looked up when a process starts: the script starts itself once more."""
    root = os.environ.get("COPPELIASIM_ROOT", "")
    if os.environ.get(STARTED) or not root or "--fd" not in sys.argv:
        return
    environment = dict(os.environ)
    environment[STARTED] = "1"
    libraries = environment.get("LD_LIBRARY_PATH", "")
    environment["LD_LIBRARY_PATH"] = libraries + ":" + root if libraries else root
    environment["QT_QPA_PLATFORM_PLUGIN_PATH"] = root
    command = [sys.executable, os.path.abspath(__file__)] + sys.argv[1:]
    # Cameras need an X display, headless or not; Qt's "offscreen" has no OpenGL.
    if not environment.get("DISPLAY") and shutil.which("xvfb-run"):
        command = [shutil.which("xvfb-run"), "-a", "-s", "-screen 0 1280x1024x24"] + command
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    start_where_coppeliasim_runs()

import aim_child  # noqa: E402

try:
    import numpy as np
    from pyrep.const import ObjectType
    from pyrep.errors import ConfigurationPathError, IKError
    from pyrep.objects.vision_sensor import VisionSensor
    import rlbench.tasks
    from rlbench.action_modes.action_mode import MoveArmThenGripper
    from rlbench.action_modes.arm_action_modes import (EndEffectorPoseViaIK,
                                                       EndEffectorPoseViaPlanning)
    from rlbench.action_modes.gripper_action_modes import Discrete
    from rlbench.backend.exceptions import BoundaryError, InvalidActionError
    from rlbench.environment import Environment
    from rlbench.observation_config import CameraConfig, ObservationConfig
    MISSING = ""
except (ImportError, OSError) as error:
    MISSING = str(error)

ARMS = {} if MISSING else {"planning": EndEffectorPoseViaPlanning, "ik": EndEffectorPoseViaIK}
STEP_S = 0.05  # of RLBench's physics
SENSORS = {"front": "cam_front", "overhead": "cam_overhead",
           "left_shoulder": "cam_over_shoulder_left", "right_shoulder": "cam_over_shoulder_right",
           "wrist": "cam_wrist"}
DEMO_ATTEMPTS = 10
SCENES_KEPT = 4  # demonstrations, which are what a seed's scene is


class LastWords(logging.Handler):
    """RLBench tells its log why a demonstration failed, and its caller only that all did."""

    text = ""

    def emit(self, record):
        self.text = record.getMessage()


class Rlbench(aim_child.Simulator):
    env = None

    def open(self, image_size, frame_period_s):
        self.check_machine()
        self.size = image_size
        self.stride = max(1, round(frame_period_s / STEP_S))
        self.views = self.chosen("AIM_RLBENCH_VIEWS", "front,overhead", SENSORS, least=2)
        (arm,) = self.chosen("AIM_RLBENCH_ARM", "planning", ARMS, most=1)
        self.env = Environment(MoveArmThenGripper(ARMS[arm](), Discrete()),
                               obs_config=self.observations(), headless=True)
        self.env.launch()
        self.count_steps()
        self.sensors = {view: VisionSensor(SENSORS[view]) for view in self.views}
        self.usual = {view: (sensor.get_matrix(), sensor.get_perspective_angle())
                      for view, sensor in self.sensors.items()}
        self.task_name = None
        self.scenes = {}
        self.last_words = LastWords()
        logging.getLogger().addHandler(self.last_words)
        logging.getLogger().setLevel(logging.INFO)
        scene = self.env._scene
        return {
            "simulator": "RLBench %s" % getattr(rlbench, "__version__", ""),
            "tasks": [{"name": name, "variations": num_variations(name),
                       "frames_without_expert": 0} for name in task_names()],
            "views": self.views,
            "camera_axes": "rlbench",
            "frame_period_s": self.stride * STEP_S,
            "control_hz": 1 / STEP_S,
            "scene_centre": [0.25, 0.0, 0.9],
            "workspace_low": numbers([scene._workspace_minx, scene._workspace_miny,
                                      scene._workspace_minz]),
            "workspace_high": numbers([scene._workspace_maxx, scene._workspace_maxy,
                                       scene._workspace_maxz]),
            "can_place_cameras": "wrist" not in self.views,
        }

    def check_machine(self):
        hint = "; scripts/env/rlbench_setup.sh checks every step"
        root = os.environ.get("COPPELIASIM_ROOT", "")
        if not root or not os.path.isdir(root):
            raise aim_child.UsageError(
                "COPPELIASIM_ROOT is %r; expected the folder of CoppeliaSim 4.1%s" % (root, hint))
        if MISSING:
            raise aim_child.UsageError("%s (in %s)%s" % (MISSING, sys.executable, hint))
        if not os.environ.get("DISPLAY"):
            raise aim_child.UsageError("there is no display and no xvfb-run" + hint)

    def observations(self):
        config = ObservationConfig()
        config.set_all(False)
        config.gripper_open = True
        config.gripper_pose = True
        self.cameras = []
        for view in self.views:
            camera = CameraConfig(depth=False, image_size=(self.size, self.size))
            camera.point_cloud = False
            setattr(config, view + "_camera", camera)
            self.cameras.append(camera)
        return config

    def count_steps(self):
        """A step of ours takes as many of RLBench's as the motion needs."""
        self.num_steps = 0
        pyrep = self.env._pyrep
        plain_step = pyrep.step

        def step():
            self.num_steps += 1
            plain_step()

        pyrep.step = step

    def reset(self, task, variation, seed):
        if task != self.task_name:
            self.task = self.env.get_task(task_class(task))
            # RLBench 1.2.0 takes a task's first episode for one of variation 0.
            self.task.reset()
            self.task_name = task
            self.scenes = {}
        for view, sensor in self.sensors.items():
            sensor.set_matrix(self.usual[view][0])
            sensor.set_perspective_angle(self.usual[view][1])
        self.demo = self.demonstration(variation, seed)
        self.task.set_variation(variation)
        descriptions, self.seen = self.task.reset_to_demo(self.demo)
        self.prompt = descriptions[0]
        self.num_steps = 0
        self.solved = False

    def demonstration(self, variation, seed):
        """A seed alone does not restore a scene; resetting to a demonstration does, and it shows
        that the scene can be solved."""
        key = (variation, seed)
        if key not in self.scenes:
            np.random.seed(seed % 2**32)
            self.task.set_variation(variation)
            self.last_words.text = ""
            try:
                demo = self.task.get_demos(1, live_demos=True, max_attempts=DEMO_ATTEMPTS)[0]
            except RuntimeError as error:
                raise aim_child.TrialError("%s %s" % (error, self.last_words.text)) from error
            if len(self.scenes) == SCENES_KEPT:
                del self.scenes[next(iter(self.scenes))]
            self.scenes[key] = demo
        return self.scenes[key]

    def step(self, target):
        quaternion = np.array(target[3:7], dtype=np.float64)
        quaternion /= np.linalg.norm(quaternion)  # in double, last: RLBench wants 1 within 1e-5
        opening = 1.0 if target[7] > 0.5 else 0.0  # its own range check cannot fire
        action = np.concatenate([np.array(target[:3], dtype=np.float64), quaternion, [opening]])
        try:
            self.seen, reward, _ = self.task.step(action)
        except (InvalidActionError, BoundaryError, IKError, ConfigurationPathError) as error:
            self.seen = self.task.get_observation()
            raise aim_child.Refused(outcome_of(error)) from error
        self.solved = self.solved or reward > 0.5

    def observe(self):
        return {
            "time_s": self.num_steps * STEP_S,
            "prompt": self.prompt,
            "tool": pose_of(self.seen),
            "success": self.solved,
            "views": [self.view(name) for name in self.views],
        }

    def view(self, name):
        misc = self.seen.misc
        return {"name": name,
                "rgb": np.ascontiguousarray(getattr(self.seen, name + "_rgb")).tobytes(),
                "intrinsics": numbers(misc[name + "_camera_intrinsics"]),
                "extrinsics": numbers(misc[name + "_camera_extrinsics"])}

    def marks(self):
        gripper = self.env._robot.gripper
        handles = [shape.get_handle() for shape in gripper.get_objects_in_tree(
            object_type=ObjectType.SHAPE, exclude_base=False)]
        views = []
        for view in self.views:
            mask = np.rint(getattr(self.seen, view + "_mask"))  # handles as float32
            mask = np.isin(mask, handles).astype(np.uint8)
            views.append([{"name": "tip", "position": numbers(self.seen.gripper_pose[:3]),
                           "mask": mask.tobytes()}])
        for camera in self.cameras:
            camera.mask = False  # they have served: each costs as much as a picture
        return views

    def place_cameras(self, views):
        for view in views:
            sensor = self.sensors[view["name"]]
            sensor.set_matrix(np.array(view["extrinsics"]).reshape(4, 4))
            sensor.set_perspective_angle(float(np.degrees(view["fovy_rad"])))
        self.seen = self.task.get_observation()

    def render(self, view, size):
        sensor = self.sensors[self.views[view]]
        usual = sensor.get_resolution()
        sensor.set_resolution([size, size])
        sensor.handle_explicitly()
        picture = np.clip(sensor.capture_rgb() * 255, 0, 255).astype(np.uint8)
        sensor.set_resolution(usual)
        return np.ascontiguousarray(picture).tobytes()

    def plan(self, task, variation, seed):
        self.reset(task, variation, seed)
        last = len(self.demo) - 1
        frames = list(range(0, last, self.stride)) + [last]
        return self.observe(), [pose_of(self.demo[i]) for i in frames]

    def close(self):
        if self.env is not None:
            self.env.shutdown()


def outcome_of(error):
    cause = error.__cause__ if isinstance(error, InvalidActionError) else error
    if isinstance(cause, IKError):
        return "ik_failure"
    if isinstance(cause, ConfigurationPathError):
        return "planning_failure"
    if isinstance(error, BoundaryError) or "workspace" in str(error):
        return "boundary"
    return "invalid_action"


def task_names():
    folder = os.path.dirname(rlbench.tasks.__file__)
    files = (name for name in os.listdir(folder) if name.endswith(".py"))
    return sorted(name[:-3] for name in files if not name.startswith("_"))


def num_variations(name):
    """RLBench's tasks know it before they are loaded; of one that does not, the first is played."""
    try:
        return int(task_class(name)(None, None).variation_count())
    except Exception as error:  # whatever a task of the user's own does
        print("%s: the first variation alone, as their number is told by none: %r" % (name, error),
              file=sys.stderr)
        return 1


def task_class(name):
    module = __import__("rlbench.tasks." + name, fromlist=["tasks"])
    return getattr(module, "".join(word[:1].upper() + word[1:] for word in name.split("_")))


def pose_of(seen):
    return numbers(seen.gripper_pose) + [float(min(max(seen.gripper_open, 0.0), 1.0))]


def numbers(array):
    return [float(x) for x in np.asarray(array, dtype=np.float64).ravel()]


if __name__ == "__main__":
    aim_child.serve(Rlbench())
