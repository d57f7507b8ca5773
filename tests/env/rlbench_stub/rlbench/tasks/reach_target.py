from rlbench.backend.task import Task


class ReachTarget(Task):
    COLOURS = ("red", "maroon", "lime")

    def variation_count(self):
        return 20

    def describe(self, variation):
        return ["reach the %s target" % self.COLOURS[variation % 3], "touch the ball"]
