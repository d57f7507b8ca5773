"""Nothing is normalised: aim-serve takes metres and pixels."""

from lerobot.processor import (AddBatchDimensionProcessorStep, DeviceProcessorStep,
                               PolicyProcessorPipeline, RenameObservationsProcessorStep,
                               policy_action_to_transition, transition_to_policy_action)
from lerobot.utils.constants import (POLICY_POSTPROCESSOR_DEFAULT_NAME,
                                     POLICY_PREPROCESSOR_DEFAULT_NAME)


def make_aim_pre_post_processors(config, dataset_stats=None):
    # lerobot-eval --policy.path sets the map of a rename step: there must be one.
    before = PolicyProcessorPipeline(
        steps=[RenameObservationsProcessorStep(rename_map={}), AddBatchDimensionProcessorStep(),
               DeviceProcessorStep(device=config.device)],
        name=POLICY_PREPROCESSOR_DEFAULT_NAME)
    after = PolicyProcessorPipeline(
        steps=[DeviceProcessorStep(device="cpu")], name=POLICY_POSTPROCESSOR_DEFAULT_NAME,
        to_transition=policy_action_to_transition, to_output=transition_to_policy_action)
    return before, after
