"""A simulator's side of aim's protocol for child processes: docs/reference/env_protocol.md.

A script of this folder makes a Simulator and calls serve() with it; `aim-rollout --env NAME` starts
the script. Nothing but Python's own library is needed here, Python 3.8 or later.
"""

import argparse
import ctypes
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback

PROTOCOL = {"name": "aim-env", "major": 1, "minor": 2}
MOST_MESSAGE_BYTES = 256 << 20
GRACE_S = 3  # to close a simulator in, once aim is gone


class UsageError(Exception):
    """What the user can mend: a missing package, a task that does not exist. Ends the run."""


class TrialError(Exception):
    """What went wrong in a trial alone; aim plays it again with the same seed. After any other error
    it starts the simulator anew first: nobody knows what state it is in."""


class Refused(Exception):
    """A pose target that was not gone to: the arm stayed where it was."""

    OUTCOMES = ("ik_failure", "planning_failure", "invalid_action", "boundary")

    def __init__(self, outcome):
        assert outcome in Refused.OUTCOMES
        super().__init__(outcome)
        self.outcome = outcome


class Simulator:
    """What a script implements. A pose is [x, y, z, qx, qy, qz, qw, open]: the tool's tip in the
    world, metres, a unit quaternion, 1 = open. Cameras have the axes that describe() names."""

    settings = {}  # what was chosen by environment variables: part of what it is

    def chosen(self, variable, usual, known, least=1, most=None):
        """The words of an environment variable, "a,b"; `usual` if it is not set. A run goes on
        with the same alone."""
        words = os.environ.get(variable, usual).split(",")
        for word in words:
            if word not in known:
                raise UsageError("%s has %r; expected of %s" % (variable, word, ", ".join(known)))
        if len(set(words)) < len(words):
            raise UsageError("%s is %r; expected each once" % (variable, ",".join(words)))
        if len(words) < least:  # from one view alone no pose can be told
            raise UsageError("%s is %r; expected %d or more" % (variable, ",".join(words), least))
        if most is not None and len(words) > most:
            raise UsageError("%s is %r; expected %d at most" % (variable, ",".join(words), most))
        self.settings = dict(self.settings, **{variable: ",".join(words)})
        return words

    def open(self, image_size, frame_period_s):
        """Starts the simulator. Returns what docs/reference/env_protocol.md lists under open."""
        raise NotImplementedError

    def reset(self, task, variation, seed):
        """A new scene, the same for the same three; cameras where they usually are."""
        raise NotImplementedError

    def step(self, target):
        """Moves the tool to a pose, position linear and rotation by SLERP. Raises Refused."""
        raise NotImplementedError

    def observe(self):
        """{"time_s", "prompt", "tool", "success", "views": [{"name", "rgb", "intrinsics",
        "extrinsics"}]}: pictures as bytes, top row first; matrices as lists, row by row."""
        raise NotImplementedError

    # Does plan() leave the arm where the reset has put it?
    PLANS_AT_START = False

    def plan(self, task, variation, seed):
        """(the observation after the reset, the poses of the scripted expert, one a frame)."""
        raise NotImplementedError

    def marks(self):
        """A list for each view of {"name", "position", "mask"}: points of the gripper, and the
        bytes of a picture that are not 0 where that part is shown."""
        raise NotImplementedError

    def place_cameras(self, views):
        """Until the next reset; a list of {"name", "extrinsics", "fovy_rad"}."""
        raise NotImplementedError

    def render(self, view, size):
        """A picture of the present state for people, `size` pixels square, as bytes."""
        raise NotImplementedError

    def close(self):
        pass


class Rejected(Exception):
    """An operation that is none."""


def answer(simulator, message):
    """The answer to one message of aim, as the value of "ok"."""
    op = message["op"]
    if op == "open":
        theirs = message["protocol"]
        if theirs["name"] != PROTOCOL["name"] or theirs["major"] != PROTOCOL["major"]:
            raise UsageError("aim speaks {name} {major}.{minor}".format(**theirs)
                             + ", this script {name} {major}.{minor}".format(**PROTOCOL))
        opened = simulator.open(message["image_size"], message["frame_period_s"])
        return dict(opened, protocol=PROTOCOL, settings=simulator.settings)
    if op == "reset":
        simulator.reset(message["task"], message["variation"], message["seed"])
        return simulator.observe()
    if op == "plan":
        seen, commands = simulator.plan(message["task"], message["variation"], message["seed"])
        return dict(seen, commands=commands, at_start=simulator.PLANS_AT_START)
    if op == "step":
        outcome = "moved"
        try:
            simulator.step(message["target"])
        except Refused as refused:
            outcome = refused.outcome
        return dict(simulator.observe(), outcome=outcome)
    if op == "check":
        return {"views": [{"marks": marks} for marks in simulator.marks()]}
    if op == "place_cameras":
        simulator.place_cameras(message["views"])
        return simulator.observe()
    if op == "render":
        return {"rgb": simulator.render(message["view"], message["size"])}
    raise Rejected("an operation that this script does not know: %r" % (op,))


def guarded_answer(simulator, message):
    """The bytes of the answer: also what cannot be packed is an error."""
    try:
        return pack({"ok": answer(simulator, message)})
    except UsageError as error:
        return pack({"error": {"kind": "usage", "message": str(error)}})
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        kind = "trial" if isinstance(error, TrialError) else "simulator"
        text = "%s: %s" % (type(error).__name__, error)
        return pack({"error": {"kind": kind, "message": text}})


def serve(simulator):
    """Answers aim until it closes the connection. For main() of a script."""
    parser = argparse.ArgumentParser(description="Started by aim-rollout --env.")
    parser.add_argument("--fd", type=int, required=True, help="of the socket to aim")
    connection = socket.socket(fileno=parser.parse_args().fd)
    end_with_parent(connection)
    try:
        while True:
            message = receive(connection)
            if message is None:
                return
            send(connection, guarded_answer(simulator, message))
    finally:
        simulator.close()


def end_with_parent(connection):
    """A simulator that hangs must not outlive the aim that started it (Linux)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=end_group_after, args=(connection,), daemon=True).start()


def end_group_after(connection):
    """Where a program stands between aim and this one (xvfb-run), it is our parent, and lives on:
    all that aim started is one process group, which ends when the connection does."""
    closed = select.poll()
    closed.register(connection, 0)  # POLLHUP alone, which needs no asking
    closed.poll()
    time.sleep(GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def receive(connection):
    head = take(connection, 4)
    if head is None:
        return None
    (length,) = struct.unpack("<I", head)
    if length > MOST_MESSAGE_BYTES:
        raise ValueError("a message of %d bytes" % length)
    body = take(connection, length)
    return None if body is None else unpack(body)


def take(connection, count):
    """None if the connection ends before."""
    chunks = []
    while count > 0:
        chunk = connection.recv(min(count, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def send(connection, body):
    connection.sendall(struct.pack("<I", len(body)) + body)


# msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md), without extension types: short
# enough that a simulator's environment needs no package more.


def pack(value):
    chunks = []
    pack_into(value, chunks)
    return b"".join(chunks)


def pack_into(value, chunks):
    if value is None:
        chunks.append(b"\xc0")
    elif value is True or value is False:
        chunks.append(b"\xc3" if value else b"\xc2")
    elif isinstance(value, int):
        chunks.append(struct.pack(">BQ" if value > 0 else ">Bq", 0xCF if value > 0 else 0xD3,
                                  value))
    elif isinstance(value, float):
        chunks.append(struct.pack(">Bd", 0xCB, value))
    elif isinstance(value, str):
        text = value.encode()
        chunks += [struct.pack(">BI", 0xDB, len(text)), text]
    elif isinstance(value, (bytes, bytearray)):
        chunks += [struct.pack(">BI", 0xC6, len(value)), bytes(value)]
    elif isinstance(value, (list, tuple)):
        chunks.append(struct.pack(">BI", 0xDD, len(value)))
        for item in value:
            pack_into(item, chunks)
    elif isinstance(value, dict):
        chunks.append(struct.pack(">BI", 0xDF, len(value)))
        for key, item in value.items():
            pack_into(key, chunks)
            pack_into(item, chunks)
    else:
        raise TypeError("%s has no place in a message" % type(value).__name__)


def unpack(data):
    value, end = unpack_at(data, 0)
    if end != len(data):
        raise ValueError("a message that goes on behind its value")
    return value


# How a type's number or length is written.
NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
           0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
LENGTHS = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
           0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}


def unpack_at(data, at):
    """(the value that begins there, where it ends)."""
    kind = data[at]
    at += 1
    if kind <= 0x7F:
        return kind, at
    if kind >= 0xE0:
        return kind - 256, at
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], at
    if kind in NUMBERS:
        return struct.unpack_from(NUMBERS[kind], data, at)[0], at + struct.calcsize(NUMBERS[kind])
    if kind in LENGTHS:
        length = struct.unpack_from(LENGTHS[kind], data, at)[0]
        at += struct.calcsize(LENGTHS[kind])
    elif kind <= 0x9F:
        length = kind & 0x0F
    elif kind <= 0xBF:
        length = kind & 0x1F
    else:
        raise ValueError("a message with the type %d" % kind)
    if 0xC4 <= kind <= 0xC6 or 0xD9 <= kind <= 0xDB or 0xA0 <= kind <= 0xBF:
        piece = data[at:at + length]
        if len(piece) < length:
            raise ValueError("a message that is cut short")
        return piece if kind <= 0xC6 and kind >= 0xC4 else piece.decode(), at + length
    if kind <= 0x8F or kind >= 0xDE:
        return unpack_map(data, at, length)
    items = []
    for _ in range(length):
        item, at = unpack_at(data, at)
        items.append(item)
    return items, at


def unpack_map(data, at, length):
    result = {}
    for _ in range(length):
        key, at = unpack_at(data, at)
        result[key], at = unpack_at(data, at)
    return result, at
