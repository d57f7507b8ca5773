import numpy as np
from pyrep.errors import ConfigurationPathError, IKError
from pyrep.objects.vision_sensor import SCENE
from rlbench.backend.exceptions import InvalidActionError


def check(action):
    if np.shape(action) != (7,):
        raise InvalidActionError("Expected the action shape to be (7,)")
    if not np.isclose(np.linalg.norm(action[3:]), 1.0):
        raise InvalidActionError("Action contained non unit quaternion!")


class EndEffectorPoseViaPlanning:
    def action(self, scene, action):
        check(action)
        x, y, z = action[:3]
        if not (-0.5 < x < 1.1 and -0.66 < y < 0.66 and 0.75 < z < 1.75):
            raise InvalidActionError("A path could not be found because the target is outside of "
                                     "workspace.")
        if x > 1.0:
            try:
                raise ConfigurationPathError("no path")
            except ConfigurationPathError as error:
                raise InvalidActionError("A path could not be found.") from error
        scene.move(action, max(1, round(np.linalg.norm(action[:3] - SCENE["tip"]) / 0.02)))


class EndEffectorPoseViaIK:
    def action(self, scene, action):
        check(action)
        if not np.linalg.norm(action[:3] - SCENE["tip"]) < 0.3:
            try:
                raise IKError("too far")
            except IKError as error:
                raise InvalidActionError("Could not perform IK via Jacobian") from error
        scene.move(action, 4)
