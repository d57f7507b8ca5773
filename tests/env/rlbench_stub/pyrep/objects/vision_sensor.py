"""A pinhole camera of the stand-in: grey, the gripper's fingers white, the target red."""

import numpy as np

FINGERS = {31: -0.052, 34: 0.052}  # handle: offset along the tool's y, as in RLBench's scene
# position and the rows of the rotation to the world; camera axes x left, y up, z forward.
SCENE = {"tip": np.array([0.2785, -0.008, 1.472]), "quaternion": np.array([0, 0.9927, 0, 0.1209]),
         "target": np.array([0.2, 0.1, 1.0]), "sensors": {}}


def facing(position, target):
    forward = (target - position) / np.linalg.norm(target - position)
    left = np.cross([0, 0, 1], forward)
    left /= np.linalg.norm(left)
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([left, np.cross(forward, left), forward])
    matrix[:3, 3] = position
    return matrix


class VisionSensor:
    PLACES = {"cam_front": [1.35, 0, 1.58], "cam_overhead": [-0.175, 0.01, 2.43],
              "cam_over_shoulder_left": [-0.175, 0.2, 1.98],
              "cam_over_shoulder_right": [-0.175, -0.2, 1.98], "cam_wrist": [0.3, 0, 1.6]}

    def __new__(cls, name):
        # One object a name, as two VisionSensor of a name are one sensor.
        if name not in SCENE["sensors"]:
            sensor = super().__new__(cls)
            sensor.matrix = facing(np.array(cls.PLACES[name]), np.array([0.25, 0.03, 1.2]))
            sensor.angle = 60.0
            sensor.resolution = [128, 128]
            SCENE["sensors"][name] = sensor
        return SCENE["sensors"][name]

    def get_matrix(self):
        return self.matrix.copy()

    def set_matrix(self, matrix):
        assert np.shape(matrix) == (4, 4)
        self.matrix = np.array(matrix)

    def get_perspective_angle(self):
        return self.angle

    def set_perspective_angle(self, angle):
        self.angle = angle

    def get_resolution(self):
        return list(self.resolution)

    def set_resolution(self, resolution):
        self.resolution = list(resolution)

    def handle_explicitly(self):
        pass

    def intrinsics(self):
        focal = -self.resolution[0] / 2 / np.tan(np.radians(self.angle) / 2)
        width, height = self.resolution
        return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])

    def pixel(self, point):
        x, y, z = self.matrix[:3, :3].T @ (point - self.matrix[:3, 3])
        k = self.intrinsics()
        return int(k[0, 2] + k[0, 0] * x / z), int(k[1, 2] + k[1, 1] * y / z)

    def parts(self):
        """handle: middle of that part."""
        x, y, z, w = SCENE["quaternion"]
        y_axis = np.array([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)])
        parts = {handle: SCENE["tip"] + offset * y_axis for handle, offset in FINGERS.items()}
        return {**parts, 90: SCENE["target"]}

    def capture_mask(self):
        width, height = self.resolution
        mask = np.zeros((height, width), dtype=np.int64)
        reach = max(1, width // 40)
        for handle, point in self.parts().items():
            u, v = self.pixel(point)
            mask[max(0, v - reach):max(0, v + reach + 1),
                 max(0, u - reach):max(0, u + reach + 1)] = handle
        return mask

    def capture_rgb(self):
        mask = self.capture_mask()
        rgb = np.full(mask.shape + (3,), 0.35)
        rgb[np.isin(mask, list(FINGERS))] = 1
        rgb[mask == 90] = (1, 0, 0)
        return rgb
