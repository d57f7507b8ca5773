"""A simulator of a point that a gripper carries, for tests of the child protocol; needs nothing.

Faults are words of the command line:
  crash-on-step N FILE   exits at step N, but only while FILE does not exist; makes it
  hang-on-step N FILE    sleeps instead of answering, the same
  spoil-on-step N FILE   raises, and answers nothing right after that, the same
  reopens-twice FILE     its second start fails, in which FILE is made
  crash-on-open, hang-on-open, rubbish, huge, wrong-version, bad-tool, short-picture,
  mirrored, inverted, opengl, no-expert, fixed-cameras, missing, rlbench, hidden,
  own-centre, flat-centre, option-as-setting, number-as-setting
"""

import math
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/env"))
import aim_child  # noqa: E402

FAULTS = sys.argv[1:sys.argv.index("--fd")]
sys.argv = [sys.argv[0]] + sys.argv[sys.argv.index("--fd"):]
FOVY = math.radians(60)
PEN = 4  # pixels of the gripper's mark to each side


def look_at(position, target):
    """world_from_camera with OpenCV's axes, rows."""
    forward = normalized([t - p for t, p in zip(target, position)])
    right = normalized(cross(forward, [0, 0, 1]))
    down = cross(forward, right)
    return [[right[i], down[i], forward[i], position[i]] for i in range(3)] + [[0, 0, 0, 1]]


def normalized(v):
    norm = math.sqrt(sum(x * x for x in v))
    return [x / norm for x in v]


def cross(a, b):
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


class FakeSimulator(aim_child.Simulator):
    def open(self, image_size, frame_period_s):
        if "crash-on-open" in FAULTS:
            print("out of licences")
            sys.stdout.flush()
            os._exit(3)
        if "hang-on-open" in FAULTS:
            time.sleep(1000)
        if "reopens-twice" in FAULTS:
            self.fail_to_reopen(FAULTS[FAULTS.index("reopens-twice") + 1])
        if "missing" in FAULTS:
            raise aim_child.UsageError("fakesim is not installed")
        self.size = image_size
        self.num_steps = 0
        self.chosen("AIM_FAKE_TABLE", "oak", ("oak", "steel"))
        if "option-as-setting" in FAULTS:
            self.settings = {"seed": "7"}
        if "number-as-setting" in FAULTS:
            self.settings = {"AIM_FAKE_TABLE": 7}
        reach = {"name": "reach", "variations": 0 if "no-variations" in FAULTS else 2,
                 "frames_without_expert": 12 if "no-expert" in FAULTS else 0}
        if "own-centre" in FAULTS:
            reach["scene_centre"] = [0.1, 0, 0.05]
        if "flat-centre" in FAULTS:
            reach["scene_centre"] = [0.1, 0]
        return {
            "simulator": "fake 1.0",
            "tasks": [reach,
                      {"name": "impossible", "variations": 1, "frames_without_expert": 0}],
            "views": ["left", "right"],
            "camera_axes": "rlbench" if "rlbench" in FAULTS else "opencv",
            "frame_period_s": 0.1,
            "control_hz": 20,
            "scene_centre": [0, 0, 0.2],
            "workspace_low": [-1, -1, 0],
            "workspace_high": [1, 1, 1],
            "can_place_cameras": "fixed-cameras" not in FAULTS,
        }

    def reset(self, task, variation, seed):
        if task == "impossible":
            raise aim_child.TrialError("no place for the cup")
        self.prompt = "reach goal %d" % variation
        self.time_s = 0.0
        angle = (seed * 2654435761 % 1000) / 1000 * 2 * math.pi
        self.goal = [0.3 * math.cos(angle), 0.3 * math.sin(angle), 0.1 + 0.1 * variation]
        self.tool = [0.0, 0.05, 0.3, 1.0, 0.0, 0.0, 0.0, 1.0]
        self.reached = False
        self.cameras = {"left": (look_at([0.8, 0.6, 0.9], [0.05, 0, 0.1]), FOVY),
                        "right": (look_at([0.8, -0.6, 0.7], [0, 0, 0.1]), FOVY)}

    def step(self, target):
        self.num_steps += 1
        for fault in ("crash-on-step", "hang-on-step", "spoil-on-step"):
            self.fail_once(fault)
        self.time_s += 0.1
        x, y, z = target[:3]
        if not (abs(x) <= 1 and abs(y) <= 1 and 0 <= z <= 1):
            raise aim_child.Refused("boundary")
        if z > 0.9:
            raise aim_child.Refused("planning_failure")
        if x > 0.9:
            raise aim_child.Refused("ik_failure")
        if y > 0.9:
            raise aim_child.Refused("invalid_action")
        self.tool = list(target)
        self.reached = self.reached or math.dist(self.tool[:3], self.goal) < 0.01

    def fail_to_reopen(self, path):
        starts = 1 + (os.path.getsize(path) if os.path.exists(path) else 0)
        with open(path, "a") as file:
            file.write("x")
        if starts == 2:
            raise aim_child.TrialError("no display just now")

    def fail_once(self, fault):
        if fault not in FAULTS:
            return
        at = FAULTS.index(fault)
        if self.num_steps != int(FAULTS[at + 1]) or os.path.exists(FAULTS[at + 2]):
            return
        with open(FAULTS[at + 2], "w"):
            pass
        if fault == "hang-on-step":
            time.sleep(1000)
        if fault == "spoil-on-step":
            self.reset = None
            raise RuntimeError("the arm has no length")
        os._exit(4)

    def observe(self):
        tool = [float("nan")] * 8 if "bad-tool" in FAULTS and self.time_s > 0 else self.tool
        if "odd-number" in FAULTS and self.time_s > 0:
            tool = [complex(x) for x in tool]  # msgpack has none
        return {"time_s": self.time_s, "prompt": self.prompt, "tool": tool,
                "success": self.reached,
                "views": [self.view(name) for name in ("left", "right")]}

    def view(self, name):
        rgb = self.picture(name, self.size)
        if "short-picture" in FAULTS:
            rgb = rgb[:-1]
        extrinsics, fovy = self.cameras[name]
        focal = self.size / 2 / math.tan(fovy / 2)
        rows = [list(row) for row in extrinsics]
        if "mirrored" in FAULTS:  # RLBench's axes, called OpenCV's
            rows = [[-row[0], -row[1], row[2], row[3]] for row in rows[:3]] + rows[3:]
        if "opengl" in FAULTS:
            rows = [[row[0], -row[1], -row[2], row[3]] for row in rows[:3]] + rows[3:]
        if "inverted" in FAULTS:
            rows = inverse(rows)
        sign = 1
        if "rlbench" in FAULTS:
            rows = [[-row[0], -row[1], row[2], row[3]] for row in rows[:3]] + rows[3:]
            sign = -1
        middle = self.size / 2
        return {"name": name, "rgb": rgb,
                "intrinsics": [sign * focal, 0.0, middle, 0.0, sign * focal, middle, 0.0, 0.0,
                               1.0],
                "extrinsics": [float(x) for row in rows for x in row]}

    def pixel(self, name, size, point):
        rows, fovy = self.cameras[name]
        offset = [point[i] - rows[i][3] for i in range(3)]
        x, y, z = (sum(rows[i][axis] * offset[i] for i in range(3)) for axis in range(3))
        focal = size / 2 / math.tan(fovy / 2)
        return (size / 2 + focal * x / z, size / 2 + focal * y / z) if z > 0 else (-99, -99)

    def picture(self, name, size):
        """Grey, a white square where the gripper is, a red one where the goal is."""
        rows = [[(90, 90, 90)] * size for _ in range(size)]
        for point, colour in ((self.goal, (255, 0, 0)), (self.tool, (255, 255, 255))):
            for row, column in self.square(name, size, point):
                rows[row][column] = colour
        return b"".join(bytes(pixel) for row in rows for pixel in row)

    def square(self, name, size, point):
        u, v = self.pixel(name, size, point)
        around = range(-PEN // 2, PEN // 2 + 1)
        places = [(int(v) + row, int(u) + column) for row in around for column in around]
        return [(r, c) for r, c in places if 0 <= r < size and 0 <= c < size]

    def marks(self):
        views = []
        for name in ("left", "right"):
            mask = bytearray(self.size * self.size)
            if "hidden" not in FAULTS:
                for row, column in self.square(name, self.size, self.tool):
                    mask[row * self.size + column] = 1
            views.append([{"name": "tip", "position": self.tool[:3], "mask": bytes(mask)}])
        return views

    PLANS_AT_START = "plans-at-start" in FAULTS

    def plan(self, task, variation, seed):
        self.reset(task, variation, seed)
        start = list(self.tool)
        commands = []
        for i in range(11):
            pose = [a + i / 10 * (b - a) for a, b in zip(start[:3], self.goal)] + start[3:]
            commands.append(pose)
        seen = self.observe()
        if not self.PLANS_AT_START:
            self.tool = list(commands[-1])
        return seen, commands

    def place_cameras(self, views):
        sign = -1 if "rlbench" in FAULTS else 1
        for view in views:
            e = view["extrinsics"]
            rows = [e[4 * i:4 * i + 4] for i in range(4)]
            rows = [[sign * row[0], sign * row[1], row[2], row[3]] for row in rows[:3]] + rows[3:]
            self.cameras[view["name"]] = (rows, view["fovy_rad"])

    def render(self, view, size):
        return self.picture(("left", "right")[view], size)


def inverse(rows):
    turned = [[rows[j][i] for j in range(3)] for i in range(3)]
    return [turned[i] + [-sum(turned[i][j] * rows[j][3] for j in range(3))] for i in range(3)] + [
        [0, 0, 0, 1]]


def break_protocol():
    """Faults of the bytes themselves."""
    real_answer = aim_child.answer
    if "rubbish" in FAULTS:
        aim_child.pack = lambda value: b"\xc1 this is no msgpack"
    if "huge" in FAULTS:
        aim_child.send = lambda connection, value: connection.sendall(struct.pack("<I", 2**32 - 1))
    if "wrong-version" in FAULTS:
        aim_child.answer = lambda simulator, message: dict(
            real_answer(simulator, message), protocol={"name": "aim-env", "major": 2, "minor": 0})


if __name__ == "__main__":
    break_protocol()
    aim_child.serve(FakeSimulator())
