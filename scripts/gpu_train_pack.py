#!/usr/bin/env python3
"""Packs what scripts/gpu_train has made so far: a report, and an archive in few parts of a size that
every way back takes. Standard library alone."""

import argparse
import json
import pathlib
import shutil
import tarfile

PART_BYTES = 15 * 2**20
MOST_PARTS = 4
# Left out in this order, where it is too much for the parts.
SPARED = ("training/samples", "training/report.html", "*/filmstrips", "*/report.html", "*/trials")
TRAINING = ("metrics.jsonl", "report.html", "run.json", "settings.json", "best.json")
ROLLOUT = ("report.json", "report.html", "episodes.csv", "gate.csv", "null.csv", "still.csv")


def read_json(path):
    """What a file holds, or None where it is not there or not whole."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def read_table(path):
    """The lines of a file of words with tabs between."""
    try:
        return [line.split("\t") for line in path.read_text().splitlines()]
    except OSError:
        return []


def copy(source, target):
    """A file or a folder, where it is there."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def rollouts(work):
    """Name and folder of each evaluation that was begun."""
    return [(path.name, path) for path in sorted(work.iterdir()) if (path / "part0").is_dir()]


def newest_bundle(work):
    """That of the end, else that of the best validation."""
    for name in ("bundle", "best"):
        if (work / "run" / name / "model.toml").exists():
            return work / "run" / name
    return None


def gather(work, stage):
    """Copies all that is worth keeping into the folder `stage`."""
    bundle = newest_bundle(work)
    if bundle:
        copy(bundle, stage / "bundle")
    for name in TRAINING:
        copy(work / "run" / name, stage / "training" / name)
    copy(work / "run" / "samples", stage / "training" / "samples")
    for name, folder in rollouts(work):
        merged = folder / "merged"
        for file in ROLLOUT:
            copy(merged / file, stage / name / file)
        copy(merged / "filmstrips", stage / name / "filmstrips")
        if not (merged / "report.json").exists():  # cut off: the trials that were played
            for part in folder.glob("part*"):
                copy(part / "trials", stage / name / "trials")
    copy(work / "log.txt", stage / "log.txt")


def training_summary(work):
    """The last of each kind of line of metrics.jsonl."""
    try:
        lines = [json.loads(line) for line in (work / "run" / "metrics.jsonl").read_text().split("\n")
                 if line.endswith("}")]
    except OSError:
        return None
    steps = [line for line in lines if "loss" in line]
    validations = [line for line in lines if "validation" in line]
    record = read_json(work / "run" / "run.json") or {}
    batch = record.get("options", {}).get("train", {}).get("batch_size")
    summary = {"steps": steps[-1]["train_step"] if steps else 0, "batch_size": batch}
    if steps and batch:
        summary["samples"] = summary["steps"] * batch
        summary["samples_per_s"] = steps[-1]["samples_per_s"]
        summary["loss"] = steps[-1]["loss"]
    if validations:
        summary["validation"] = validations[-1]["validation"]
    return summary


def success(report):
    """Of a rollout's report: means and each task's share, and the same of further cameras."""
    return {"mean_success": report["mean_success"], "interval": report["mean_success_interval"],
            "tasks": {task["task"]: task["rate"] for task in report["tasks"]},
            "cameras": report["cameras"], "num_trials": report["num_trials"]}


def number(text):
    """A word as a number, where it is one."""
    try:
        return float(text)
    except ValueError:
        return text


def make_report(args):
    """report.json: what was done, what it came to, and whether something is missing."""
    notes = {name: {"result": result, "seconds": int(seconds)}
             for name, result, seconds in read_table(args.work / "notes")}
    found = {name: read_json(folder / "merged" / "report.json")
             for name, folder in rollouts(args.work)}
    bundle = newest_bundle(args.work)
    record = read_json(args.work / "run" / "run.json") or {}
    wanted = ["demonstrations", "schedule", "training", "whole", "replan"]
    if args.world == "wide":
        wanted.append("world")
    for name in wanted:
        notes.setdefault(name, {"result": "not started"})
    report = {
        "partial": any(note["result"] != "done" for note in notes.values()),
        "parts": notes, "command": args.command, "world": args.world, "device": args.device,
        "revision": args.revision or record.get("revision"),
        "bundle": "the average at the end" if bundle and bundle.name == "bundle"
        else "the best validation" if bundle else None,
        **{name: number(value) for name, value in read_table(args.work / "facts")},
        "training": training_summary(args.work),
        "success": {name: success(report) for name, report in found.items() if report},
    }
    return report


def write_archive(stage, folder):
    """A tar file in `folder`, as small as this Python can. Returns its path."""
    for kind, options in (("xz", {"preset": 1}), ("gz", {})):
        path = folder / f"result.tar.{kind}"
        try:
            with tarfile.open(path, f"w:{kind}", **options) as archive:
                archive.add(stage, arcname="result")
            return path
        except tarfile.CompressionError:
            continue
    raise SystemExit("gpu_train_pack: this Python compresses neither with xz nor with gzip")


def write_parts(stage, scratch, out):
    """The archive in parts. Returns their names and what was left out so that they are few enough."""
    left_out = []
    archive = write_archive(stage, scratch)
    for pattern in SPARED:
        if archive.stat().st_size <= MOST_PARTS * PART_BYTES:
            break
        for path in stage.glob(pattern):
            left_out.append(str(path.relative_to(stage)))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        archive = write_archive(stage, scratch)
    for path in out.glob("result.tar.*"):  # of an earlier packing
        path.unlink()
    names = []
    with archive.open("rb") as source:
        while part := source.read(PART_BYTES):
            names.append(f"{archive.name}.{len(names)}")
            (out / names[-1]).write_bytes(part)
    return names, left_out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("work", "out"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    for name in ("device", "command", "world", "revision"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    scratch = args.work / "packing"
    shutil.rmtree(scratch, ignore_errors=True)
    stage = scratch / "result"
    stage.mkdir(parents=True)
    gather(args.work, stage)
    report = make_report(args)
    text = json.dumps(report, indent=2) + "\n"
    (stage / "report.json").write_text(text)
    (stage / "command.txt").write_text(f"{args.command}\nrevision {report['revision']}\n")
    names, left_out = write_parts(stage, scratch, args.out)
    report["left_out"] = left_out
    state = "What there was when it was cut off" if report["partial"] else "All"
    (args.out / "README.txt").write_text(
        f"{state} of {args.command}, revision {report['revision']}. Join and unpack:\n"
        f"  cat {' '.join(names)} | tar -x{'J' if '.xz.' in names[0] else 'z'}\n"
        + ("result/bundle is the model, " if report["bundle"] else "There is no model yet; ")
        + "result/report.json has the numbers.\n")
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
