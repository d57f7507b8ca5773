from rlbench.backend.task import Task


class TurnWheel(Task):
    """Its file is not there, and its variations are counted once it is."""

    def variation_count(self):
        return self.count

    def load(self):
        raise FileNotFoundError("turn_wheel.ttm")
