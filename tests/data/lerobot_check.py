"""Whether data sets are such as LeRobot v3.0 loads:  lerobot_check.py FOLDER...

With the package lerobot (0.4 or later) its own loader reads every frame, and a policy is trained one
step. Without it the files are compared with what that loader demands (lerobot 0.6.1, in datasets/:
dataset_metadata.py, dataset_reader.py, feature_utils.py), by way of pandas and datasets, which it
reads them with.
"""

import json
import sys
from pathlib import Path

TOLERANCE_S = 1e-4


def check_schema(root):
    import datasets
    import pandas

    info = json.loads((root / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] > 0
    assert info["total_episodes"] > 0 and info["total_tasks"] > 0

    tasks = pandas.read_parquet(root / "meta/tasks.parquet")
    assert tasks.index.name == "task" and list(tasks.columns) == ["task_index"]
    assert list(tasks.task_index) == list(range(info["total_tasks"]))

    features = {}
    for key, feature in info["features"].items():
        assert "/" not in key
        if feature["dtype"] == "video":
            assert feature["names"][2] in ("channel", "channels")
        elif feature["shape"] == [1]:
            features[key] = datasets.Value(feature["dtype"])
        else:
            (length,) = feature["shape"]
            features[key] = datasets.Sequence(datasets.Value(feature["dtype"]), length=length)
    cache = str(root.parent / "cache")
    files = sorted(str(path) for path in root.glob("data/*/*.parquet"))
    rows = datasets.Dataset.from_parquet(
        files, features=datasets.Features(features), cache_dir=cache)
    assert len(rows) == info["total_frames"]
    assert rows["index"][:] == list(range(len(rows)))

    paths = sorted(str(path) for path in root.glob("meta/episodes/*/*.parquet"))
    episodes = datasets.Dataset.from_parquet(paths, cache_dir=cache)
    assert list(episodes["episode_index"]) == list(range(info["total_episodes"]))
    for episode in episodes:
        begin, end = episode["dataset_from_index"], episode["dataset_to_index"]
        assert end - begin == episode["length"]
        part = rows.select(range(begin, end))
        assert set(part["episode_index"]) == {episode["episode_index"]}
        for k, stamp in enumerate(part["timestamp"]):
            assert abs(stamp - k / info["fps"]) <= TOLERANCE_S
        assert tasks.iloc[part["task_index"][0]].name in episode["tasks"]
        for key, feature in info["features"].items():
            if feature["dtype"] != "video":
                continue
            place = {name: episode[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
            assert (root / info["video_path"].format(video_key=key, **place)).exists()
            seconds = episode[f"videos/{key}/to_timestamp"] - episode[f"videos/{key}/from_timestamp"]
            assert abs(seconds - episode["length"] / info["fps"]) <= TOLERANCE_S
    check_statistics(root, info, episodes)
    return len(rows)


def check_statistics(root, info, episodes):
    statistics = json.loads((root / "meta/stats.json").read_text())
    for key, feature in info["features"].items():
        if "image" in key and feature["dtype"] != "video":
            continue
        numbers = statistics[key]
        shape = 3 if feature["dtype"] == "video" else feature["shape"][0]
        for name in ("min", "max", "mean", "std", "q01", "q10", "q50", "q90", "q99"):
            assert len(numbers[name]) == shape, (key, name)
            column = episodes[f"stats/{key}/{name}"]
            assert len(column[0]) == shape, (key, name)
            if feature["dtype"] == "video":  # [[[r]], [[g]], [[b]]]
                assert 0 <= numbers[name][0][0][0] <= 1 and 0 <= column[0][2][0][0] <= 1
        assert sum(one[0] for one in episodes[f"stats/{key}/count"]) == numbers["count"][0]


def check_with_lerobot(root):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    fps = json.loads((root / "meta/info.json").read_text())["fps"]
    data = LeRobotDataset(
        "local/check", root=root, delta_timestamps={"action": [0, 1 / fps]})
    for index in range(len(data)):
        item = data[index]
        assert item["index"] == index
        assert item["action"].shape == (2, 8) and item["action_valid"].shape == (8,)
        assert isinstance(item["task"], str)
        for key in data.meta.video_keys:
            picture = item[key]
            assert tuple(picture.shape) == (3, *data.meta.features[key]["shape"][:2])
            assert 0 <= picture.min() and picture.max() <= 1
    return len(data)


def train_one_step(root):
    """One step of a small ACT on what a user would hand to lerobot's training; False without ACT."""
    import torch
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    try:
        from lerobot.configs.types import FeatureType
        from lerobot.policies.act.configuration_act import ACTConfig
        from lerobot.policies.act.modeling_act import ACTPolicy
        from lerobot.policies.factory import make_pre_post_processors
    except ImportError as error:
        print(f"no training: {error}")
        return False
    try:
        from lerobot.utils.feature_utils import dataset_to_policy_features
    except ImportError:  # 0.4
        from lerobot.datasets.utils import dataset_to_policy_features

    fps = json.loads((root / "meta/info.json").read_text())["fps"]
    data = LeRobotDataset(
        "local/check", root=root, delta_timestamps={"action": [k / fps for k in range(3)]})
    features = dataset_to_policy_features(data.meta.features)
    outputs = {key: one for key, one in features.items() if one.type is FeatureType.ACTION}
    inputs = {key: one for key, one in features.items() if key not in outputs}
    policy = ACTPolicy(ACTConfig(
        input_features=inputs, output_features=outputs, pretrained_backbone_weights=None,
        device="cpu", chunk_size=3, n_action_steps=3, dim_model=64, n_heads=4, dim_feedforward=64))
    prepare, _ = make_pre_post_processors(policy.config, dataset_stats=data.meta.stats)
    batch = next(iter(torch.utils.data.DataLoader(data, batch_size=4)))
    loss, _ = policy(prepare(batch))
    loss.backward()
    torch.optim.AdamW(policy.parameters()).step()
    assert torch.isfinite(loss)
    return True


def main():
    try:
        import lerobot.datasets.lerobot_dataset  # noqa: F401
    except ImportError:
        lerobot = None
    roots = [Path(argument) for argument in sys.argv[1:]]
    for root in roots:
        count = check_schema(root)
        if lerobot is None:
            print(f"{root}: {count} frames have the schema of v3.0 (no lerobot here to load them)")
            continue
        assert check_with_lerobot(root) == count
        print(f"{root}: lerobot loaded {count} frames")
    # At the end: an import that fails half way leaves the package unusable.
    if lerobot is not None and all(train_one_step(root) for root in roots):
        print("lerobot trained a step on each")


main()
