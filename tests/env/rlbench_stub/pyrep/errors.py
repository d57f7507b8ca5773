class IKError(Exception):
    pass


class ConfigurationPathError(Exception):
    pass
