class CameraConfig:
    def __init__(self, rgb=True, depth=True, point_cloud=True, mask=True, image_size=(128, 128)):
        self.rgb = rgb
        self.depth = depth
        self.point_cloud = point_cloud
        self.mask = mask
        self.image_size = image_size

    def set_all(self, value):
        self.rgb = self.depth = self.point_cloud = self.mask = value


class ObservationConfig:
    VIEWS = ("front", "overhead", "left_shoulder", "right_shoulder", "wrist")

    def __init__(self):
        for view in self.VIEWS:
            setattr(self, view + "_camera", CameraConfig())
        self.gripper_open = self.gripper_pose = True

    def set_all(self, value):
        for view in self.VIEWS:
            getattr(self, view + "_camera").set_all(value)
        self.gripper_open = self.gripper_pose = value
