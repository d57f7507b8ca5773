"""A Panda in robosuite, 1.4 or 1.5: what the scripts of simulators that are built on it share."""

import gc
import math
import os
import sys

os.environ.setdefault("MUJOCO_GL", "egl")  # no display; "osmesa" where there is no EGL
if os.environ["MUJOCO_GL"] == "osmesa":
    os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")

import aim_child  # noqa: E402

try:
    import numpy as np
    import robosuite
    from mujoco import mjtObj, mjtRndFlag
    from robosuite.utils.binding_utils import MjRenderContext
    from scipy.spatial.transform import Rotation, Slerp
    MISSING = ""
except ImportError as error:
    MISSING = "%s (in %s)" % (error, sys.executable)

PHYSICS_S = 0.002
# robosuite's grip site has x along the opening and lies 9.3 mm before the finger ends; aim's tool
# has y there, and its origin level with them.
SITE_TO_TIP_M = 0.0093
FINGER_TRAVEL_M = 0.04


def free_in_own_context(context):
    """robosuite frees the OpenGL objects of a simulator that is gone in whatever context is
    current: in that of the next one, whose objects have the same names (1.4.0 and 1.5.2)."""
    context.gl_ctx.make_current()
    context.con.free()
    context.gl_ctx.free()


class PandaSimulator(aim_child.Simulator):
    """A subclass sets these and is_solved(); begin_trial() ends its reset()."""

    env = None  # robosuite's, whose controller takes absolute poses of the grip site in the world
    prompt = ""
    gripper = ""  # how the names of the gripper's parts begin in the model
    cameras = {}  # what the model calls each view
    low = high = ()  # of the tip; other targets are refused

    def grip_site(self):
        raise NotImplementedError

    def is_solved(self):
        raise NotImplementedError

    def start(self, image_size, frame_period_s, control_hz, version, setup):
        """A frame is whole control steps, of at least that rate, and these are whole physics
        steps."""
        if MISSING:
            raise aim_child.UsageError("%s; scripts/setup %s installs it" % (MISSING, setup))
        if not robosuite.__version__.startswith(version):
            raise aim_child.UsageError("robosuite %s (in %s); this script is for %s"
                                       % (robosuite.__version__, sys.executable, version))
        MjRenderContext.__del__ = free_in_own_context
        gc.disable()  # not in the middle of making a context, but when a trial begins
        self.size = image_size
        self.substeps = max(1, math.ceil(frame_period_s * control_hz - 1e-9))
        self.physics_steps = max(1, round(frame_period_s / self.substeps / PHYSICS_S))
        self.period_s = self.substeps * self.physics_steps * PHYSICS_S

    def control_freq(self):
        """As robosuite wants it, which rounds the physics steps of a control step down."""
        return 1 / (self.physics_steps * PHYSICS_S + 1e-7)

    def steps_of(self, duration_s):
        return math.ceil(duration_s / self.period_s * self.substeps)

    def begin_trial(self):
        gc.collect()  # the simulator before this one, 100 MB, is held by cycles
        # Little reflects (a table's legs), for a third of the time of a picture.
        self.sim._render_context_offscreen.scn.flags[mjtRndFlag.mjRND_REFLECTION] = 0
        self.start_s = self.sim.data.time
        self.target = self.measured()
        self.solved = False

    @property
    def sim(self):
        return self.env.sim

    def measured(self):
        """(tip in the world, rotation of the tool, openness)."""
        site = self.grip_site()
        rotation = self.sim.data.site_xmat[site].reshape(3, 3)
        tip = self.sim.data.site_xpos[site] + SITE_TO_TIP_M * rotation[:, 2]
        qpos = [self.sim.data.get_joint_qpos("%sfinger_joint%d" % (self.gripper, i))
                for i in (1, 2)]
        # Open or not, as it is commanded: fingers around an object are not open.
        opening = 1.0 if qpos[0] - qpos[1] > 0.9 * 2 * FINGER_TRAVEL_M else 0.0
        tool = Rotation.from_matrix(rotation) * Rotation.from_euler("z", -90, degrees=True)
        return np.array(tip), tool, opening

    def step(self, target):
        tip = np.array(target[:3])
        refused = bool(np.any(tip < self.low) or np.any(tip > self.high))
        aim = self.target
        if not refused:
            aim = (tip, Rotation.from_quat(target[3:7]), target[7])
            self.gripper_action = -1.0 if target[7] > 0.5 else 1.0
        between = Slerp([0, 1], Rotation.concatenate([self.target[1], aim[1]]))
        for i in range(1, self.substeps + 1):
            fraction = i / self.substeps
            self.control((1 - fraction) * self.target[0] + fraction * aim[0], between(fraction))
        self.target = aim
        self.solved = self.solved or self.is_solved()
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
            "prompt": self.prompt,
            "tool": pose_list(tip, rotation, opening),
            "success": self.solved,
            "views": [self.view(name) for name in self.cameras],
        }

    def view(self, name):
        camera = self.sim.model.camera_name2id(self.cameras[name])
        focal = 0.5 * self.size / math.tan(math.radians(self.sim.model.cam_fovy[camera]) / 2)
        middle = self.size / 2
        extrinsics = np.eye(4)
        # MuJoCo's cameras look along -z with y up.
        extrinsics[:3, :3] = self.sim.data.cam_xmat[camera].reshape(3, 3) @ np.diag([1, -1, -1])
        extrinsics[:3, 3] = self.sim.data.cam_xpos[camera]
        return {"name": name, "rgb": self.rendered(name, self.size).tobytes(),
                "intrinsics": [focal, 0.0, middle, 0.0, focal, middle, 0.0, 0.0, 1.0],
                "extrinsics": extrinsics.ravel().tolist()}

    def rendered(self, view, size, segmentation=False):
        """The top row first; robosuite renders in whatever OpenGL context is current."""
        self.sim._render_context_offscreen.gl_ctx.make_current()
        rows_up = self.sim.render(camera_name=self.cameras[view], width=size, height=size,
                                  segmentation=segmentation)
        return np.ascontiguousarray(rows_up[::-1])

    def marks(self):
        names = [self.sim.model.geom_id2name(i) or "" for i in range(self.sim.model.ngeom)]
        parts = {"tip": (self.gripper, self.measured()[0])}
        for finger in (1, 2):
            prefix = "%sfinger%d" % (self.gripper, finger)
            pad = self.sim.model.geom_name2id(prefix + "_pad_collision")
            parts["finger %d" % finger] = (prefix, self.sim.data.geom_xpos[pad])
        views = []
        for view in self.cameras:
            kinds, ids = np.moveaxis(self.rendered(view, self.size, segmentation=True), 2, 0)
            marks = []
            for part, (prefix, position) in parts.items():
                geoms = [i for i, name in enumerate(names) if name.startswith(prefix)]
                mask = (kinds == int(mjtObj.mjOBJ_GEOM)) & np.isin(ids, geoms)
                marks.append({"name": part, "position": [float(x) for x in position],
                              "mask": mask.astype(np.uint8).tobytes()})
            views.append(marks)
        return views

    def place_cameras(self, views):
        for view in views:
            extrinsics = np.array(view["extrinsics"]).reshape(4, 4)
            self.put_camera(view["name"], extrinsics[:3, 3],
                       extrinsics[:3, :3] @ np.diag([1, -1, -1]), math.degrees(view["fovy_rad"]))
        self.sim.forward()

    def put_camera(self, view, position, axes, fovy_deg):
        """Axes: right, up, back, as MuJoCo's cameras have them."""
        camera = self.sim.model.camera_name2id(self.cameras[view])
        self.sim.model.cam_pos[camera] = position
        self.sim.model.cam_quat[camera] = Rotation.from_matrix(axes).as_quat()[[3, 0, 1, 2]]
        self.sim.model.cam_fovy[camera] = fovy_deg

    def render(self, view, size):
        return self.rendered(list(self.cameras)[view], size).tobytes()


def pose_list(tip, rotation, opening):
    quaternion = rotation.as_quat()
    if quaternion[3] < 0:
        quaternion = -quaternion
    return [float(x) for x in (*tip, *quaternion, opening)]
