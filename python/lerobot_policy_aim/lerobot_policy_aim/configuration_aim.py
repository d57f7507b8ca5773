"""What --policy.NAME sets."""

from dataclasses import dataclass, field

from lerobot.configs import PreTrainedConfig

from .poses import ACTION_GRIPPERS, ROTATIONS, STATE_GRIPPERS, action_size, state_size


@PreTrainedConfig.register_subclass("aim")
@dataclass
class AimConfig(PreTrainedConfig):
    url: str = "ws://127.0.0.1:8000"  # of aim-serve
    api_key_file: str = ""  # holds what the server's --api-key-file holds; the key is not saved
    timeout_s: float = 120.0  # of a plan, requests that are sent again included

    # Calibration: a cameras.json whose views are called as the pictures are (front for
    # observation.images.front). Batches may bring their own, which goes first:
    # observation.camera.NAME.intrinsics [B, 3, 3] and .extrinsics_c2w [B, 4, 4].
    cameras: str = ""
    # What a saved policy holds of that file: {NAME: {"intrinsics": 9, "extrinsics_c2w": 16}}.
    calibration: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    views: str = ""  # pictures to plan with, "front,overhead"; all that are calibrated if empty

    prompt: str = ""  # what to do; that of the batch (task) if empty
    seed: int = 0  # of the first trial's noise; the next one's is one more
    n_action_steps: int = 0  # of a plan, before the next is asked for; all if 0
    action_hz: float = 0.0  # of the robot; the plan is interpolated to it. As planned if 0

    state_rotation: str = "quat_xyzw"  # quat_wxyz, rotation_vector, euler_xyz
    state_gripper: str = "open"  # closed, fingers
    action_rotation: str = "quat_xyzw"
    action_gripper: str = "open"  # closed, closed_sign

    def __post_init__(self):
        super().__post_init__()
        for name, words in (("state_rotation", ROTATIONS), ("action_rotation", ROTATIONS),
                            ("state_gripper", STATE_GRIPPERS),
                            ("action_gripper", ACTION_GRIPPERS)):
            if getattr(self, name) not in words:
                raise ValueError(f"policy.{name} is {getattr(self, name)!r}; expected one of "
                                 f"{', '.join(words)}")
        for name in ("n_action_steps", "action_hz"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"policy.{name} is {getattr(self, name)}; expected 0 or more")
        if not self.timeout_s > 0:
            raise ValueError(f"policy.timeout_s is {self.timeout_s}; expected more than 0")

    @property
    def observation_delta_indices(self):
        return None

    @property
    def action_delta_indices(self):
        return None

    @property
    def reward_delta_indices(self):
        return None

    def get_optimizer_preset(self):
        raise NotImplementedError("a policy behind aim-serve is trained by aim-train, not here")

    def get_scheduler_preset(self):
        return None

    def validate_features(self):
        """Features that are not told are checked in the first batch."""
        if self.input_features and not self.image_features:
            raise ValueError(f"policy.input_features has {', '.join(self.input_features)}; "
                             "expected pictures too, observation.images.NAME")
        for name, feature, size, words in (
                ("observation.state", self.robot_state_feature,
                 state_size(self.state_rotation, self.state_gripper),
                 f"x y z, {self.state_rotation}, {self.state_gripper}"),
                ("action", self.action_feature, action_size(self.action_rotation),
                 f"x y z, {self.action_rotation}, {self.action_gripper}")):
            if feature is not None and tuple(feature.shape) != (size,):
                raise ValueError(f"{name} has shape {tuple(feature.shape)}; expected ({size},): "
                                 f"{words}; set policy.{name.split('.')[-1]}_rotation and _gripper")
