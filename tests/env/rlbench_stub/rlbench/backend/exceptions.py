class InvalidActionError(Exception):
    pass


class BoundaryError(Exception):
    pass


class DemoError(Exception):
    pass


class TaskEnvironmentError(Exception):
    pass
