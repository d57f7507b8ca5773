class Task:
    """Made before its scene is there, as RLBench's are."""

    def __init__(self, pyrep, robot):
        self.pyrep = pyrep
        self.robot = robot

    def get_name(self):
        return type(self).__name__

    def load(self):
        pass

    def demonstrate(self):
        pass
