"""lerobot as it comes finds the package of python/lerobot_policy_aim and drives aim-serve with it.

    python3 tests/tools/lerobot_check.py PORT REPOSITORY

Installs the package into a folder of its own, as a user does, and prints "ok" after lerobot-eval
has told the robot what scripts/policy_client.py gets for the same requests.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

import numpy as np

port, root = int(sys.argv[1]), pathlib.Path(sys.argv[2])
url = f"ws://127.0.0.1:{port}"
scratch = tempfile.TemporaryDirectory(prefix="aim_lerobot_")
work = pathlib.Path(scratch.name)
sys.dont_write_bytecode = True
cameras_json = str(root / "assets/example/cameras.json")


def installed():
    """The folder with the package, built as pip builds it; nothing is fetched."""
    source = work / "source"
    shutil.copytree(root / "python/lerobot_policy_aim", source)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
                    "--no-build-isolation", "--disable-pip-version-check", "--target",
                    work / "site", source], check=True)
    return work / "site"


site = installed()
sys.path[:0] = [str(site), str(root / "tests/tools/lerobot_plugins")]
environment = {**os.environ, "STILL_REPOSITORY": str(root), "HF_HUB_OFFLINE": "1",
               "PYTHONPATH": os.pathsep.join(sys.path[:2]), "PYTHONDONTWRITEBYTECODE": "1"}
os.environ.update(environment)


def evaluate(name, *words):
    """What the robot was told in one episode of lerobot-eval."""
    actions = work / f"{name}.npy"
    run = subprocess.run(
        [sys.executable, "-m", "lerobot.scripts.lerobot_eval", f"--output_dir={work / name}",
         *words],
        timeout=120, env={**environment, "STILL_ACTIONS": str(actions)}, capture_output=True,
        text=True, check=False)
    return run, np.load(actions) if actions.exists() else None


import torch  # noqa: E402
from lerobot.envs.factory import make_env_config  # noqa: E402
from lerobot.policies.factory import (make_policy, make_policy_config,  # noqa: E402
                                      make_pre_post_processors)
from lerobot.utils.import_utils import register_third_party_plugins  # noqa: E402

register_third_party_plugins()
import lerobot_policy_aim  # noqa: E402
from expect import raises  # noqa: E402
from lerobot_env_still import CAMERAS, PICTURES, POSE, PROMPT, STEPS  # noqa: E402
from lerobot_policy_aim.policy_client import PolicyClient  # noqa: E402

assert str(site) in lerobot_policy_aim.__file__, lerobot_policy_aim.__file__


def expected(seed, num_plans, cameras=CAMERAS):
    """[num_plans, N, 8] of the client, which knows nothing of lerobot."""
    client = PolicyClient(url)
    client.reset(seed)
    state = np.asarray(POSE, dtype=np.float32).astype(np.float64)
    state[3:7] /= np.linalg.norm(state[3:7])
    if state[6] < 0:
        state[3:7] *= -1
    plans = [client.plan(PICTURES, cameras, state[:7], state[7], PROMPT)["actions"]
             for _ in range(num_plans)]
    client.close()
    return np.stack(plans).astype(np.float32)


def policy_of(**settings):
    config = make_policy_config("aim", **{"url": url, "device": "cpu", **settings})
    policy = make_policy(config, env_cfg=make_env_config("still"))
    return policy, make_pre_post_processors(config)


def batch_of(num_rows, cameras=None):
    seen = {f"observation.images.{name}": torch.from_numpy(picture).permute(2, 0, 1).float() / 255
            for name, picture in PICTURES.items()}
    seen["observation.state"] = torch.tensor(POSE)
    for name, (intrinsics, world_from_camera) in (cameras or {}).items():
        seen[f"observation.camera.{name}.intrinsics"] = torch.from_numpy(intrinsics)
        seen[f"observation.camera.{name}.extrinsics_c2w"] = torch.from_numpy(world_from_camera)
    batch = {key: torch.stack([value] * num_rows) for key, value in seen.items()}
    return {**batch, "task": [PROMPT] * num_rows, "action": None, "info": {}}


# Two trials of two rows: each row is a trial with noise of its own.
policy, (before, after) = policy_of(cameras=cameras_json, seed=5)
assert policy.config.cameras == "" and len(policy.config.calibration) == 2
chunk = after(policy.predict_action_chunk(before(batch_of(2))))
assert chunk.dtype == torch.float32 and chunk.shape[0] == 2, chunk.shape
assert (chunk[0].numpy() == expected(5, 1)[0]).all()
assert (chunk[1].numpy() == expected(6, 1)[0]).all()
policy.reset()
plans = expected(7, 2)
told = torch.stack([policy.select_action(before(batch_of(1)))[0] for _ in range(STEPS)]).numpy()
horizon = plans.shape[1]
assert (told == np.concatenate([plans[0], plans[1]])[:STEPS]).all(), "the queue is not the plans"

# The program of docs/serving.md, and what it saves: it needs no file of cameras any more.
page = (root / "docs/serving.md").read_text()
program = page[page.index("from lerobot.policies.factory"):].partition("```")[0]
for word, ours in (("ws://127.0.0.1:8000", url), ("cameras.json", cameras_json),
                   ("out/aim_policy", str(work / "saved"))):
    assert word in program, word
    program = program.replace(word, ours)
names = {"env_config": make_env_config("still"), "batch": batch_of(1)}
exec(program, names)
assert (names["action"].numpy() == expected(0, 1)[0, :1]).all()
policy = names["policy"]
saved = json.loads((work / "saved/config.json").read_text())
assert saved["type"] == "aim" and saved["cameras"] == "" and len(saved["calibration"]) == 2, saved
again = type(policy).from_pretrained(work / "saved")
assert (again.predict_action_chunk(before(batch_of(1)))[0].numpy() == expected(0, 1)[0]).all()

# Calibration of the batch goes before that of the config; replanning; the robot's own rate.
moved = {name: (intrinsics, world_from_camera.copy())
         for name, (intrinsics, world_from_camera) in CAMERAS.items()}
for _, world_from_camera in moved.values():
    world_from_camera[2, 3] += 0.01
policy, (before, _) = policy_of(cameras=cameras_json, n_action_steps=3)
by_batch = policy.predict_action_chunk(before(batch_of(1, moved)))[0].numpy()
assert (by_batch == expected(0, 1, moved)[0]).all()
assert (by_batch != expected(0, 1)[0]).any(), "the cameras of the batch change nothing"
policy.reset()
plans = expected(1, 2)
told = torch.stack([policy.select_action(before(batch_of(1)))[0] for _ in range(6)]).numpy()
assert (told == np.concatenate([plans[0, :3], plans[1, :3]])).all(), "n_action_steps is not kept"
period_s = 0.12
policy, (before, _) = policy_of(cameras=cameras_json, action_hz=2 / period_s)
fine = policy.predict_action_chunk(before(batch_of(1)))[0].numpy()
assert fine.shape == (2 * horizon, 8) and (fine[1::2] == expected(0, 1)[0]).all()
middle = (expected(0, 1)[0, 0, :3] + expected(0, 1)[0, 1, :3]) / 2
assert np.abs(fine[2, :3] - middle).max() < 1e-6

# What is wrong is said.
raises(ConnectionError, "ws://127.0.0.1:1, where no policy server answers", lambda: policy_of(
    url="ws://127.0.0.1:1", cameras=cameras_json)[0].predict_action_chunk(batch_of(1)))
raises(ValueError, "have no cameras; expected them in policy.cameras",
       lambda: policy_of()[0].predict_action_chunk(batch_of(1)))
raises(ValueError, "names 'rear', which has no picture", lambda: policy_of(
    cameras=cameras_json, views="rear")[0].predict_action_chunk(batch_of(1)))
raises(RuntimeError, "of 1 view; expected 2", lambda: policy_of(
    cameras=cameras_json, views=next(iter(CAMERAS)))[0].predict_action_chunk(batch_of(1)))
raises(ValueError, "expected what to do", lambda: policy_of(cameras=cameras_json)[0]
       .predict_action_chunk({**batch_of(1), "task": [""]}))
raises(ValueError, "the quaternion has length", lambda: policy_of(cameras=cameras_json)[0]
       .predict_action_chunk({**batch_of(1), "observation.state": torch.ones(1, 8)}))
raises(ValueError, "observation.state has shape (8,); expected (7,)",
       lambda: policy_of(state_rotation="euler_xyz"))
raises(ValueError, "policy.state_gripper is 'half'; expected one of open, closed, fingers",
       lambda: policy_of(state_gripper="half"))
raises(ValueError, "policy.cameras: nowhere.json", lambda: policy_of(cameras="nowhere.json"))
raises(NotImplementedError, "trained by aim-train", lambda: policy.forward({}))

# lerobot-eval, as docs/serving.md has it and by a saved policy, with cameras of the environment.
command = shlex.split(page[page.index("lerobot-eval --policy.type=aim"):].partition("```")[0])
words = [word.replace("ws://127.0.0.1:8000", url).replace("=cameras.json", f"={cameras_json}")
         .replace("=myenv", "=still").replace("n_episodes=10", "n_episodes=1")
         for word in command[1:] if word.strip()]
run, told = evaluate("by_flags", "--eval.use_async_envs=false", "--policy.seed=3", *words)
assert run.returncode == 0, run.stderr[-3000:]
plans = expected(3, 2)
assert (told == np.concatenate([plans[0], plans[1]])[:STEPS]).all(), "lerobot-eval told otherwise"
run, told = evaluate("by_path", f"--policy.path={work / 'saved'}", "--policy.seed=3",
                     "--env.type=still", "--env.sends_cameras=true", "--eval.batch_size=1",
                     "--eval.n_episodes=1", "--eval.use_async_envs=false")
assert run.returncode == 0, run.stderr[-3000:]
plans = expected(3, 2, {name: (k.astype(np.float32), pose.astype(np.float32))
                        for name, (k, pose) in CAMERAS.items()})
assert (told == np.concatenate([plans[0], plans[1]])[:STEPS]).all(), "the saved policy differs"
run, _ = evaluate("refused", *(word.replace(url, "ws://127.0.0.1:1") for word in words))
assert run.returncode != 0 and "where no policy server answers" in run.stderr, run.stderr[-3000:]
scratch.cleanup()
print("ok")
