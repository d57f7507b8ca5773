import numpy as np


class Discrete:
    def action(self, scene, action):
        assert np.shape(action) == (1,)
        action = action[0]
        assert action in (0.0, 1.0), "a value that is neither 0 nor 1 would be rounded"
        if scene.open != action:
            for _ in range(12):
                scene.pyrep.step()
        scene.open = action
