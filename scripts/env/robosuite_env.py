"""robosuite 1.5 for aim-rollout --env robosuite: a Panda at a table, absolute poses, two cameras.

scripts/setup --robosuite makes the environment; docs/rollout.md says how it is used.
"""

import math
import sys

import aim_child
import robosuite_panda
from robosuite_panda import PandaSimulator, pose_list

if not robosuite_panda.MISSING:
    import numpy as np
    import robosuite
    from scipy.spatial.transform import Rotation, Slerp

PROMPTS = {
    "Lift": "lift the red cube",
    "Stack": "stack the red cube on the green cube",
    "NutAssemblySquare": "put the square nut on the square peg",
    "Door": "open the door",
}
# Two cameras of its own, near enough for small pictures: robosuite's frontview and sideview put
# elsewhere. AIM_ROBOSUITE_VIEWS names others of robosuite's, which stay where they are.
NEAR_VIEWS = {
    "front": ("frontview", (1.25, 0.0, 1.55)),
    "side": ("sideview", (0.0, 1.25, 1.45)),
}
OWN_VIEWS = ("frontview", "birdview", "agentview", "sideview")
NEAR_FOVY_DEG = 32.0
NEAR_TARGET = (0.0, 0.0, 0.96)
# The tasks of another robot than the first are called TASK_ROBOT; all have the Panda's gripper.
ROBOTS = ("Panda", "UR5e", "IIWA", "Sawyer", "Kinova3", "Jaco")
# Friction in Sawyer's joints holds it 3 cm off at the stiffness that robosuite takes for all.
STIFFNESS = {"Sawyer": 1000.0}
CONTROL_HZ = 25  # at least: a frame is divided into whole control steps
SETTLE_S = 0.5
DOOR_S = 25.0  # robosuite's own horizon, 500 steps at 20 Hz; there is no expert
TABLE_Z = 0.8
WORKSPACE_LOW = [-0.45, -0.5, 0.79]
WORKSPACE_HIGH = [0.45, 0.5, 1.5]
# Of the experts.
SPEED_M_S = 0.2
TURN_RAD_S = 1.2
GRIP_WAIT_S = 0.9
APPROACH_M = 0.1
HANDLE_OF_NUT = 0.054  # from the middle of the hole, along the nut's x
PEG_Z = 0.85


class Robosuite(PandaSimulator):
    gripper = "gripper0_right_"
    low, high = WORKSPACE_LOW, WORKSPACE_HIGH
    PLANS_AT_START = True

    def open(self, image_size, frame_period_s):
        self.start(image_size, frame_period_s, CONTROL_HZ, "1.5.", "--robosuite")
        views = self.chosen("AIM_ROBOSUITE_VIEWS", ",".join(NEAR_VIEWS),
                            (*NEAR_VIEWS, *OWN_VIEWS), least=2)
        self.cameras = {view: NEAR_VIEWS[view][0] if view in NEAR_VIEWS else view
                        for view in views}
        if len(set(self.cameras.values())) < len(views):
            raise aim_child.UsageError("AIM_ROBOSUITE_VIEWS has one view near and far")
        robots = self.chosen("AIM_ROBOSUITE_ROBOTS", ROBOTS[0], ROBOTS)
        # Name of a task: (robosuite's name, robot).
        self.tasks = {task if robot == robots[0] else task + "_" + robot: (task, robot)
                      for robot in robots for task in PROMPTS}
        self.envs = {}
        self.env = None
        return {
            "simulator": "robosuite %s (MuJoCo %s)" % (
                robosuite.__version__, sys.modules["mujoco"].__version__),
            "tasks": [{"name": name, "variations": 1,
                       "frames_without_expert":
                           round(DOOR_S / self.period_s) if task == "Door" else 0}
                      for name, (task, _) in self.tasks.items()],
            "views": list(self.cameras),
            "camera_axes": "opencv",
            "frame_period_s": self.period_s,
            "control_hz": self.substeps / self.period_s,
            "scene_centre": [0.0, 0.0, TABLE_Z + 0.1],
            "workspace_low": WORKSPACE_LOW,
            "workspace_high": WORKSPACE_HIGH,
            "can_place_cameras": True,
        }

    def make(self, task, robot):
        config = robosuite.load_composite_controller_config(controller="BASIC", robot=robot)
        arm = config["body_parts"]["right"]
        arm["kp"] = STIFFNESS.get(robot, arm["kp"])
        arm["input_type"] = "absolute"
        arm["input_ref_frame"] = "world"
        config["body_parts"] = {"right": arm}
        return robosuite.make(
            task, robots=robot, gripper_types="PandaGripper", controller_configs=config,
            has_renderer=False, has_offscreen_renderer=True, use_camera_obs=False,
            control_freq=self.control_freq(), ignore_done=True, hard_reset=True, seed=0)

    def reset(self, task, variation, seed):
        if task not in self.envs:
            self.envs[task] = self.make(*self.tasks[task])
        self.env = self.envs[task]
        self.task = self.tasks[task][0]
        self.prompt = PROMPTS[self.task]
        # Everything of a scene is drawn from this generator, which others hold references to.
        self.env.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        np.random.seed(seed % 2**32)
        self.env.reset()
        self.gripper_action = -1.0
        self.settle()
        self.begin_trial()
        self.place_near_views()

    def settle(self):
        """robosuite drops its objects from two centimetres above the table, and begins with the
        fingers half open."""
        pose = self.measured()
        for _ in range(self.steps_of(SETTLE_S)):
            self.control(pose[0], pose[1])

    def place_near_views(self):
        for view in self.cameras:
            if view not in NEAR_VIEWS:
                continue
            position = np.array(NEAR_VIEWS[view][1])
            back = position - NEAR_TARGET
            back /= np.linalg.norm(back)
            right = np.cross([0, 0, 1], back)
            right /= np.linalg.norm(right)
            self.put_camera(view, position, np.column_stack([right, np.cross(back, right), back]),
                       NEAR_FOVY_DEG)
        self.sim.forward()

    def grip_site(self):
        return self.env.robots[0].eef_site_id["right"]

    def is_solved(self):
        return bool(self.env._check_success())

    def plan(self, task, variation, seed):
        self.reset(task, variation, seed)
        waypoints = {"Lift": self.lift, "Stack": self.stack,
                     "NutAssemblySquare": self.put_on_peg}[self.task]()
        return self.observe(), self.commands(waypoints)

    # The experts: where the tool goes, one after the other, as (tip, rotation, open, wait in s).

    def body(self, name):
        index = self.sim.model.body_name2id(name)
        quat = self.sim.data.body_xquat[index]
        return np.array(self.sim.data.body_xpos[index]), Rotation.from_quat(quat[[1, 2, 3, 0]])

    def grasp(self, point, across):
        """Comes down on a point with the fingers to both sides of it along a direction."""
        yaw = math.atan2(across[1], across[0]) - math.pi / 2  # of the tool's x
        rotation = tool_down(yaw, self.measured()[1])
        return [(point + [0, 0, APPROACH_M], rotation, 1.0, 0.0), (point, rotation, 1.0, 0.2),
                (point, rotation, 0.0, GRIP_WAIT_S)]

    def lift(self):
        centre, cube = self.body("cube_main")
        down = self.grasp(centre - [0, 0, 0.008], nearest_side(cube, self.measured()[1]))
        return down + [(centre + [0, 0, 0.13], down[-1][1], 0.0, 0.3)]

    def stack(self):
        lower, _ = self.body("cubeB_main")
        centre, cube = self.body("cubeA_main")
        grip = centre - [0, 0, 0.005]
        down = self.grasp(grip, nearest_side(cube, self.measured()[1]))
        rotation = down[-1][1]
        sizes = self.env.cubeA.size[2] + self.env.cubeB.size[2]
        placed = lower + [0, 0, sizes + 0.004] + (grip - centre)
        above = np.array([placed[0], placed[1], placed[2] + APPROACH_M])
        return down + [(grip + [0, 0, 0.15], rotation, 0.0, 0.0), (above, rotation, 0.0, 0.2),
                       (placed, rotation, 0.0, 0.3), (placed, rotation, 1.0, GRIP_WAIT_S),
                       (above, rotation, 1.0, 0.2)]

    def put_on_peg(self):
        middle, nut = self.body("SquareNut_main")
        peg, _ = self.body("peg1")
        yaw = nut.as_euler("ZYX")[0]
        along, across = direction(yaw), direction(yaw + math.pi / 2)
        down = self.grasp(middle + HANDLE_OF_NUT * along - [0, 0, 0.004], across)
        grip, rotation = down[-1][0], down[-1][1]
        # The hole is square: the nut turns to the nearest quarter in which its handle does not
        # point away from the robot, where the arm does not reach.
        quarters = [turns * math.pi / 2 for turns in range(-4, 5)]
        turned = min((angle for angle in quarters if math.cos(angle) < 0.5),
                     key=lambda angle: abs(angle - yaw))
        over = Rotation.from_euler("z", turned - yaw) * rotation
        hold = [peg[0], peg[1], 0] + HANDLE_OF_NUT * direction(turned)
        high, low = hold + [0, 0, PEG_Z + 0.16], hold + [0, 0, PEG_Z - 0.015]
        return down + [(grip + [0, 0, 0.22], rotation, 0.0, 0.0), (high, over, 0.0, 0.4),
                       (low, over, 0.0, 0.2), (low, over, 1.0, GRIP_WAIT_S),
                       (high, over, 1.0, 0.2)]

    def commands(self, waypoints):
        tip, rotation, _ = self.measured()
        open_now = 1.0
        poses = [pose_list(tip, rotation, open_now)]
        for next_tip, next_rotation, open_next, wait_s in waypoints:
            far_s = max(np.linalg.norm(next_tip - tip) / SPEED_M_S,
                        (rotation.inv() * next_rotation).magnitude() / TURN_RAD_S)
            frames = math.ceil(far_s / self.period_s)
            between = Slerp([0, 1], Rotation.concatenate([rotation, next_rotation]))
            for i in range(1, frames + 1):
                fraction = i / frames
                poses.append(pose_list((1 - fraction) * tip + fraction * next_tip,
                                       between(fraction), open_next))
            waited = pose_list(next_tip, next_rotation, open_next)
            poses += [waited] * math.ceil(wait_s / self.period_s)
            tip, rotation = next_tip, next_rotation
        return poses

    def close(self):
        for env in getattr(self, "envs", {}).values():
            env.close()


def direction(yaw):
    return np.array([math.cos(yaw), math.sin(yaw), 0.0])


def tool_down(yaw, near):
    """The tool straight down, its x axis at a yaw or opposite to it, whichever is less turning."""
    down = [Rotation.from_matrix(np.column_stack([
        direction(angle), np.cross([0, 0, -1], direction(angle)), [0, 0, -1]]))
        for angle in (yaw, yaw + math.pi)]
    return min(down, key=lambda rotation: (near.inv() * rotation).magnitude())


def nearest_side(box, near):
    """Of the horizontal axes of a box the one nearest to where the fingers open already."""
    yaw = box.as_euler("ZYX")[0]
    opening = near.as_matrix()[:, 1]
    sides = [direction(yaw), direction(yaw + math.pi / 2)]
    return max(sides, key=lambda side: abs(float(side @ opening)))


if __name__ == "__main__":
    aim_child.serve(Robosuite())
