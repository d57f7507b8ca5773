class InvalidActionError(Exception):
    pass


class BoundaryError(Exception):
    pass


class DemoError(Exception):
    def __init__(self, message, task):
        super().__init__("Error in task %s. %s" % (task.get_name(), message))


class TaskEnvironmentError(Exception):
    pass
