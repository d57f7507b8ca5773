"""The unmodified client and episode runner of vla-eval drive aim-serve with assets/example.

    python3 tests/tools/vla_eval_check.py PORT REPOSITORY

Prints "ok" after an episode of a benchmark of our own (vla-eval's API, a tool that goes where it is
told) and an observation that is refused.
"""

import asyncio
import pathlib
import sys

import numpy as np
from vla_eval.benchmarks.base import Benchmark
from vla_eval.connection import Connection
from vla_eval.protocol.image_codec import encode_image
from vla_eval.protocol.numpy_codec import set_image_format
from vla_eval.runners.sync_runner import SyncEpisodeRunner

port, root = int(sys.argv[1]), pathlib.Path(sys.argv[2])
sys.path.insert(0, str(root / "scripts"))
sys.dont_write_bytecode = True
from policy_client import read_cameras, read_png  # noqa: E402

STEPS = 20  # more than a plan has: it is made twice


class ExampleBenchmark(Benchmark):
    """The example's pictures, whatever is done; its cameras beside them, its pose as LIBERO's."""

    def __init__(self):
        self.cameras = read_cameras(root / "assets/example/cameras.json")
        self.images = {name: read_png(root / f"assets/example/view{view}.png")
                       for view, name in enumerate(self.cameras)}
        self.actions = []

    def get_tasks(self):
        return [{"name": "lift"}]

    async def start_episode(self, task, *, recorder=None):
        self.actions = []

    async def get_observation(self):
        seen = {"images": self.images, "task_description": "grasp the red block and lift it",
                "controller_states": np.array([0.422, -0.086, 0.2199, -3.02, 0.66, 0.06, 0.04,
                                               -0.04], np.float32)}
        for name, (intrinsics, world_from_camera) in self.cameras.items():
            seen[f"camera/{name}/intrinsics"] = intrinsics
            seen[f"camera/{name}/extrinsics_c2w"] = world_from_camera
        return seen

    async def apply_action(self, action):
        self.actions.append(np.asarray(action["actions"]))

    async def is_done(self):
        return len(self.actions) == STEPS

    async def get_time(self):
        return 0.0

    async def get_result(self):
        return {"success": True}

    def get_metadata(self):
        return {}


async def main():
    benchmark = ExampleBenchmark()
    async with Connection(f"ws://127.0.0.1:{port}/vla-eval") as connection:
        assert connection.server_info["model_server"] == "aim-serve", connection.server_info
        runner = SyncEpisodeRunner()
        episodes = []
        for image_format in ("png", "png", "raw", "jpeg"):
            set_image_format(image_format)
            result = await runner.run_episode(benchmark, {"name": "lift"}, connection)
            assert result["steps"] == STEPS, result
            episodes.append(np.stack(benchmark.actions))
        assert episodes[0].shape == (STEPS, 7) and np.isfinite(episodes[0]).all()
        assert np.linalg.norm(episodes[0][0, :3] - [0.422, -0.086, 0.2199]) < 0.1, episodes[0][0]
        assert np.abs(episodes[0][:, 6]).max() <= 1
        assert (episodes[0] == episodes[1]).all(), "the same episode has two plans"
        assert (episodes[0] == episodes[2]).all(), "raw pictures are others than PNG"
        assert (episodes[0] != episodes[3]).any(), "JPEG loses nothing: it was not sent"
        # Some levels of grey apart: some millimetres.
        assert np.abs(episodes[0][0, :3] - episodes[3][0, :3]).max() < 0.02, episodes[3][0]
        benchmark.images = {name: encode_image(picture, "raw")
                            for name, picture in benchmark.images.items()}
        await runner.run_episode(benchmark, {"name": "lift"}, connection)
        assert (episodes[0] == np.stack(benchmark.actions)).all(), "marked raw is another picture"
        seen = await benchmark.get_observation()
        del seen["controller_states"]
        try:
            await connection.start_episode({"task": {"name": "lift"}})
            await connection.act(seen)
            raise AssertionError("an observation without a state was taken")
        except RuntimeError as error:
            assert "gripper_pose is missing" in str(error), error


asyncio.run(main())
print("ok")
