"""aim-serve as a policy of LeRobot: --policy.type=aim. docs/serving.md says how it is used."""

from .configuration_aim import AimConfig
from .modeling_aim import AimPolicy
from .processor_aim import make_aim_pre_post_processors

__all__ = ["AimConfig", "AimPolicy", "make_aim_pre_post_processors"]
