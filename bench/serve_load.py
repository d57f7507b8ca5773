#!/usr/bin/env python3
"""aim-serve under load: several clients at once, and beside them those that break, stall or crowd.

    .venv-interop/bin/python bench/serve_load.py --minutes 1

Starts the server, asks each client's requests once alone, then all clients for so long. Prints the
latency of plans as clients see it, replies that differ from those that were made alone (with
--max-batch above 1 by more than 0.1 mm), and the server's memory and descriptors before and after.
Exit code 1 if a reply was wrong or missing, or
the server did not end as it should. Needs numpy, msgpack and websockets (scripts/setup --interop).
"""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
sys.dont_write_bytecode = True
from policy_client import PolicyClient, read_cameras, read_png  # noqa: E402

REQUESTS = 4  # different ones a client
POSE = [0.422, -0.086, 0.2199, -0.975791, 0.213675, 0.018254, 0.042907]
UPGRADE = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
MASKED = b"\x00\x00\x00\x00"


class Server:
    def __init__(self, binary, model, max_batch):
        self._process = subprocess.Popen([binary, "--model", model, "--port", "0",
                                          "--max-batch", str(max_batch)],
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.warnings = 0
        for line in self._process.stderr:
            found = re.search(r"listening on ws://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            sys.exit("serve_load.py: aim-serve did not start")
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self):
        for _ in self._process.stderr:
            self.warnings += 1

    def facts(self):
        """Resident memory in MiB, threads and open descriptors."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        return {"rss_mib": round(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024, 1),
                "threads": int(re.search(r"Threads:\s+(\d+)", status).group(1)),
                "descriptors": len(os.listdir(f"/proc/{self._process.pid}/fd"))}

    def end(self):
        self._process.send_signal(signal.SIGTERM)
        report = self._process.stdout.read()
        return self._process.wait(), json.loads(report)


class Client(threading.Thread):
    """Asks again and again, and compares."""

    def __init__(self, port, number, cameras, pictures, tolerance_m):
        super().__init__()
        self._client = PolicyClient(f"ws://127.0.0.1:{port}")
        self._number, self._cameras, self._tolerance_m = number, cameras, tolerance_m
        rng = np.random.default_rng(number)
        self._pictures = [
            {name: np.clip(picture.astype(int) + rng.integers(-20, 21), 0, 255).astype(np.uint8)
             for name, picture in pictures.items()} for _ in range(REQUESTS)]
        self._client.reset(number)
        self._expected = [self._ask(i) for i in range(REQUESTS)]
        self.latencies, self.wrong, self.failures = [], 0, []
        self.largest_difference_m = 0.0
        self.end = 0

    def _ask(self, i):
        return self._client.plan(self._pictures[i], self._cameras, POSE, 1,
                                 "grasp the red block and lift it", step=i)["actions"]

    def run(self):
        i = 0
        while time.monotonic() < self.end:
            begin = time.monotonic()
            try:
                actions = self._ask(i % REQUESTS)
            except Exception as error:  # noqa: BLE001
                self.failures.append(str(error))
                continue
            self.latencies.append(time.monotonic() - begin)
            difference_m = float(np.abs(actions - self._expected[i % REQUESTS])[:, :3].max())
            self.largest_difference_m = max(self.largest_difference_m, difference_m)
            self.wrong += difference_m > self._tolerance_m or (
                self._tolerance_m == 0
                and not np.array_equal(actions, self._expected[i % REQUESTS]))
            i += 1
        self._client.close()


def connect(port, receive_bytes=0):
    raw = socket.socket()
    raw.settimeout(30)
    if receive_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.connect(("127.0.0.1", port))
    raw.sendall(UPGRADE)
    raw.recv(65536)
    return raw


def frame(payload, length=None):
    """A masked binary frame; `length`: what its head declares."""
    size = len(payload) if length is None else length
    head = b"\x82" + (bytes([0x80 | size]) if size < 126 else
                      b"\xfe" + size.to_bytes(2, "big") if size < 65536 else
                      b"\xff" + size.to_bytes(8, "big"))
    return head + MASKED + payload


def be_broken(port, end, counts):
    """One bad connection after another."""
    rubbish = [frame(b"rubbish"), frame(b"abc", 1 << 30), frame(os.urandom(5000)), os.urandom(200),
               frame(b"half of it", 5000), b"", frame(b"\xdf\xff\xff\xff\xff")]
    kinds = 0
    while time.monotonic() < end:
        try:
            raw = connect(port)
            raw.sendall(rubbish[kinds % len(rubbish)])
            if kinds % 2:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
            raw.close()
        except OSError:
            pass
        kinds += 1
        time.sleep(0.05)
    counts["broken"] = kinds


def be_slow(port, end, counts):
    """Asks for more than it ever reads: replies of 4 KB each."""
    ping = frame(b"\x82\xa2op\xa4ping\xaarequest_id\xda\x0f\xa0" + b"x" * 4000)
    counts["slow_cut_off"] = 0
    while time.monotonic() < end:
        try:
            raw = connect(port, receive_bytes=4096)
            while time.monotonic() < end:
                raw.sendall(4 * ping)
                time.sleep(0.01)
        except OSError:
            counts["slow_cut_off"] += 1
        finally:
            raw.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--serve", default=str(ROOT / "build/release/bin/aim-serve"))
    parser.add_argument("--model", default=str(ROOT / "assets/tiny"))
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--max-batch", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="no broken and slow clients beside")
    arguments = parser.parse_args()
    cameras = read_cameras(ROOT / "assets/example/cameras.json")
    pictures = {name: read_png(ROOT / f"assets/example/view{view}.png")
                for view, name in enumerate(cameras)}
    server = Server(arguments.serve, arguments.model, arguments.max_batch)
    tolerance_m = 1e-4 if arguments.max_batch > 1 else 0
    clients = [Client(server.port, n, cameras, pictures, tolerance_m)
               for n in range(arguments.clients)]
    before = server.facts()
    end = time.monotonic() + 60 * arguments.minutes
    counts = {}
    bad = [threading.Thread(target=be, args=(server.port, end, counts))
           for be in (be_broken, be_slow) if not arguments.alone]
    for client in clients:
        client.end = end
    for thread in clients + bad:
        thread.start()
    for thread in clients + bad:
        thread.join()
    time.sleep(1)  # the server lets go of those that left
    after = server.facts()
    code, report = server.end()
    latencies_ms = 1000 * np.concatenate([client.latencies for client in clients])
    wrong = sum(client.wrong for client in clients)
    failures = [failure for client in clients for failure in client.failures]
    result = {"clients": arguments.clients, "minutes": arguments.minutes,
              "max_batch": arguments.max_batch, "plans": len(latencies_ms), "wrong": wrong,
              "largest_difference_mm": 1000 * max(c.largest_difference_m for c in clients), "failed": len(failures),
              "latency_ms": {f"p{p}": round(float(np.percentile(latencies_ms, p)), 1)
                             for p in (50, 95, 99, 100)},
              "before": before, "after": after, **counts, "server": report}
    print(json.dumps(result, indent=1))
    if failures:
        print(f"serve_load.py: {failures[0]}", file=sys.stderr)
    return 0 if wrong == 0 and not failures and code == 128 + signal.SIGTERM else 1


if __name__ == "__main__":
    sys.exit(main())
