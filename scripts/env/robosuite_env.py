"""robosuite 1.5 for aim-rollout --env robosuite: a Panda at a table, absolute poses, two cameras.

scripts/setup --robosuite makes the environment; docs/rollout.md says how it is used.
"""

import gc
import math
import os
import sys

os.environ.setdefault("MUJOCO_GL", "egl")  # no display; "osmesa" where there is no EGL
if os.environ["MUJOCO_GL"] == "osmesa":
    os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")

import aim_child  # noqa: E402

try:
    import mujoco
    import numpy as np
    import robosuite
    from robosuite.utils.binding_utils import MjRenderContext
    from scipy.spatial.transform import Rotation, Slerp
    MISSING = ""
except ImportError as error:
    MISSING = "%s (in %s); scripts/setup --robosuite installs robosuite" % (error, sys.executable)

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
NEAR_FOVY_DEG = 32.0
NEAR_TARGET = (0.0, 0.0, 0.96)
# The tasks of another robot than the first are called TASK_ROBOT; all have the Panda's gripper.
ROBOTS = ("Panda", "UR5e", "IIWA", "Sawyer", "Kinova3", "Jaco")
PHYSICS_S = 0.002
CONTROL_HZ = 25  # at least: a frame is divided into whole control steps
SETTLE_S = 0.5
DOOR_S = 25.0  # robosuite's own horizon, 500 steps at 20 Hz; there is no expert
TABLE_Z = 0.8
WORKSPACE_LOW = [-0.45, -0.5, 0.79]
WORKSPACE_HIGH = [0.45, 0.5, 1.5]
# robosuite's grip site has x along the opening and lies 9.3 mm before the finger ends; aim's tool
# has y there, and its origin level with them.
SITE_TO_TIP_M = 0.0093
FINGER_TRAVEL_M = 0.04
# Of the experts.
SPEED_M_S = 0.2
TURN_RAD_S = 1.2
GRIP_WAIT_S = 0.9
APPROACH_M = 0.1
HANDLE_OF_NUT = 0.054  # from the middle of the hole, along the nut's x
PEG_Z = 0.85


def free_in_own_context(context):
    """robosuite 1.5.2 frees the OpenGL objects of a simulator that is gone in whatever context is
    current: in that of the next one, whose objects have the same names."""
    context.gl_ctx.make_current()
    context.con.free()
    context.gl_ctx.free()


def listed(variable, default, known):
    """The words of a variable of the environment, with commas between them."""
    words = [word for word in os.environ.get(variable, default).split(",") if word]
    unknown = [word for word in words if known and word not in known]
    if unknown or not words or len(set(words)) < len(words):
        raise aim_child.UsageError("%s is \"%s\"; expected different words out of %s" % (
            variable, os.environ.get(variable, default), ", ".join(known) or "robosuite's cameras"))
    return words


class Robosuite(aim_child.Simulator):
    PLANS_AT_START = True

    def open(self, image_size, frame_period_s):
        if MISSING:
            raise aim_child.UsageError(MISSING)
        MjRenderContext.__del__ = free_in_own_context
        gc.disable()  # not in the middle of making a context, but after each reset
        if not robosuite.__version__.startswith("1.5."):
            raise aim_child.UsageError("robosuite %s; this script is for 1.5"
                                       % robosuite.__version__)
        self.size = image_size
        self.substeps = max(1, round(frame_period_s * CONTROL_HZ))
        self.physics_steps = max(1, round(frame_period_s / self.substeps / PHYSICS_S))
        self.period_s = self.substeps * self.physics_steps * PHYSICS_S
        self.views = listed("AIM_ROBOSUITE_VIEWS", ",".join(NEAR_VIEWS), ())
        robots = listed("AIM_ROBOSUITE_ROBOTS", ROBOTS[0], ROBOTS)
        # Name of a task: (robosuite's name, robot).
        self.tasks = {task if robot == robots[0] else task + "_" + robot: (task, robot)
                      for robot in robots for task in PROMPTS}
        self.envs = {}
        self.env = None
        return {
            "simulator": "robosuite %s (MuJoCo %s)" % (
                robosuite.__version__, mujoco.__version__),
            "tasks": [{"name": name, "variations": 1,
                       "frames_without_expert":
                           round(DOOR_S / self.period_s) if task == "Door" else 0}
                      for name, (task, _) in self.tasks.items()],
            "views": self.views,
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
        arm["input_type"] = "absolute"
        arm["input_ref_frame"] = "world"
        config["body_parts"] = {"right": arm}
        # The controller's period has to be whole physics steps; robosuite rounds down.
        control_s = self.physics_steps * PHYSICS_S + 1e-7
        return robosuite.make(
            task, robots=robot, gripper_types="PandaGripper", controller_configs=config,
            has_renderer=False,
            has_offscreen_renderer=True, use_camera_obs=False, control_freq=1 / control_s,
            ignore_done=True, hard_reset=True, seed=0)

    def reset(self, task, variation, seed):
        if task not in self.envs:
            self.envs[task] = self.make(*self.tasks[task])
        self.task = self.tasks[task][0]
        self.env = self.envs[task]
        # Everything of a scene is drawn from this generator, which others hold references to.
        self.env.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        np.random.seed(seed % 2**32)
        self.env.reset()
        gc.collect()  # the simulator before this one, 100 MB, is held by cycles
        # The table's legs are all that reflects, for a third of the time of a picture.
        self.sim._render_context_offscreen.scn.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self.place_near_views()
        self.gripper_action = -1.0
        self.settle()
        self.start_s = self.sim.data.time
        self.target = self.measured()
        self.solved = False

    def camera(self, view):
        name = NEAR_VIEWS[view][0] if view in NEAR_VIEWS else view
        try:
            return self.sim.model.camera_name2id(name)
        except ValueError:
            raise aim_child.UsageError("AIM_ROBOSUITE_VIEWS: robosuite has no camera %s; it has %s" % (
                name, ", ".join(self.sim.model.camera_names)))

    def place_near_views(self):
        for view in self.views:
            if view not in NEAR_VIEWS:
                continue
            position = np.array(NEAR_VIEWS[view][1])
            back = position - NEAR_TARGET
            back /= np.linalg.norm(back)
            right = np.cross([0, 0, 1], back)
            right /= np.linalg.norm(right)
            self.place(self.camera(view), position,
                       np.column_stack([right, np.cross(back, right), back]), NEAR_FOVY_DEG)
        self.sim.forward()

    def place(self, camera, position, axes, fovy_deg):
        """Axes: right, up, back, as MuJoCo's cameras have them."""
        self.sim.model.cam_pos[camera] = position
        self.sim.model.cam_quat[camera] = Rotation.from_matrix(axes).as_quat()[[3, 0, 1, 2]]
        self.sim.model.cam_fovy[camera] = fovy_deg

    def settle(self):
        """robosuite drops its objects from two centimetres above the table, and begins with the
        fingers half open."""
        pose = self.measured()
        for _ in range(math.ceil(SETTLE_S / self.period_s * self.substeps)):
            self.control(pose[0], pose[1])

    @property
    def sim(self):
        return self.env.sim

    def measured(self):
        """(tip in the world, rotation of the tool, openness)."""
        site = self.env.robots[0].eef_site_id["right"]
        rotation = self.sim.data.site_xmat[site].reshape(3, 3)
        tip = self.sim.data.site_xpos[site] + SITE_TO_TIP_M * rotation[:, 2]
        qpos = [self.sim.data.get_joint_qpos("gripper0_right_finger_joint%d" % i) for i in (1, 2)]
        # Open or not, as the expert commands it: fingers around an object are not open.
        opening = 1.0 if qpos[0] - qpos[1] > 0.9 * 2 * FINGER_TRAVEL_M else 0.0
        tool = Rotation.from_matrix(rotation) * Rotation.from_euler("z", -90, degrees=True)
        return np.array(tip), tool, opening

    def step(self, target):
        tip = np.array(target[:3])
        refused = bool(np.any(tip < WORKSPACE_LOW) or np.any(tip > WORKSPACE_HIGH))
        aim = self.target
        if not refused:
            aim = (tip, Rotation.from_quat(target[3:7]), target[7])
            self.gripper_action = -1.0 if target[7] > 0.5 else 1.0
        between = Slerp([0, 1], Rotation.concatenate([self.target[1], aim[1]]))
        for i in range(1, self.substeps + 1):
            fraction = i / self.substeps
            self.control((1 - fraction) * self.target[0] + fraction * aim[0], between(fraction))
        self.target = aim
        self.solved = self.solved or bool(self.env._check_success())
        if refused:
            raise aim_child.Refused("boundary")

    def control(self, tip, tool):
        site = tool * Rotation.from_euler("z", 90, degrees=True)
        position = tip - SITE_TO_TIP_M * site.as_matrix()[:, 2]
        self.env.step(np.concatenate([position, site.as_rotvec(), [self.gripper_action]]))

    def observe(self):
        tip, rotation, opening = self.measured()
        return {
            "time_s": float(self.sim.data.time - self.start_s),
            "prompt": PROMPTS[self.task],
            "tool": pose_list(tip, rotation, opening),
            "success": self.solved,
            "views": [self.view(name) for name in self.views],
        }

    def view(self, name):
        camera = self.camera(name)
        focal = 0.5 * self.size / math.tan(math.radians(self.sim.model.cam_fovy[camera]) / 2)
        middle = self.size / 2
        extrinsics = np.eye(4)
        # MuJoCo's cameras look along -z with y up.
        extrinsics[:3, :3] = self.sim.data.cam_xmat[camera].reshape(3, 3) @ np.diag([1, -1, -1])
        extrinsics[:3, 3] = self.sim.data.cam_xpos[camera]
        return {"name": name, "rgb": self.picture(name, self.size),
                "intrinsics": [focal, 0.0, middle, 0.0, focal, middle, 0.0, 0.0, 1.0],
                "extrinsics": extrinsics.ravel().tolist()}

    def picture(self, name, size):
        return self.rendered(name, size).tobytes()

    def rendered(self, name, size, segmentation=False):
        """The top row first; robosuite renders in whatever OpenGL context is current."""
        self.sim._render_context_offscreen.gl_ctx.make_current()
        camera = NEAR_VIEWS[name][0] if name in NEAR_VIEWS else name
        rows_up = self.sim.render(camera_name=camera, width=size, height=size,
                                  segmentation=segmentation)
        return np.ascontiguousarray(rows_up[::-1])

    def marks(self):
        names = [self.sim.model.geom_id2name(i) or "" for i in range(self.sim.model.ngeom)]
        parts = {"tip": ("gripper0_right_", self.measured()[0])}
        for finger in (1, 2):
            pad = self.sim.model.geom_name2id("gripper0_right_finger%d_pad_collision" % finger)
            parts["finger %d" % finger] = ("gripper0_right_finger%d" % finger,
                                           self.sim.data.geom_xpos[pad])
        views = []
        for view in self.views:
            shown = self.rendered(view, self.size, segmentation=True)[:, :, 1]
            marks = []
            for part, (prefix, position) in parts.items():
                geoms = [i for i, name in enumerate(names) if name.startswith(prefix)]
                mask = np.isin(shown, geoms).astype(np.uint8)
                marks.append({"name": part, "position": [float(x) for x in position],
                              "mask": mask.tobytes()})
            views.append(marks)
        return views

    def place_cameras(self, views):
        for view in views:
            extrinsics = np.array(view["extrinsics"]).reshape(4, 4)
            self.place(self.camera(view["name"]), extrinsics[:3, 3],
                       extrinsics[:3, :3] @ np.diag([1, -1, -1]), math.degrees(view["fovy_rad"]))
        self.sim.forward()

    def render(self, view, size):
        return self.picture(self.views[view], size)

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


def pose_list(tip, rotation, opening):
    quaternion = rotation.as_quat()
    if quaternion[3] < 0:
        quaternion = -quaternion
    return [float(x) for x in (*tip, *quaternion, opening)]


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
