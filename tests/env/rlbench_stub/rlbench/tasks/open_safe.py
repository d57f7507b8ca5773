from rlbench.backend.exceptions import DemoError
from rlbench.backend.task import Task


class OpenSafe(Task):
    def variation_count(self):
        return 4

    def describe(self, variation):
        return ["open the safe"]

    def demonstrate(self):
        raise DemoError("Could not get a path for waypoint 1.", self)
