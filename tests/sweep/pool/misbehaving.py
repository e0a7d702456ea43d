"""Imported by a pool's server in place of what trains: jobs that do what their first word says."""

import json
import os
import signal
import sys
import time
import types
from pathlib import Path


def run(request, channel):
    folder = Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(folder / "train.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 2)
    (folder / "cores").write_text(" ".join(map(str, request["cores"])))
    (folder / "times").open("a").write("x")
    what = request["overrides"][0]
    if what == "raise":
        raise RuntimeError("something broke")
    if what == "taken":
        channel.sendall(b'{"refused": "another process trains in it"}\n')
        return 1
    if what == "exit":
        sys.exit(3)
    if what == "exit_at_once":
        os._exit(4)
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    if what == "once" and (folder / "times").read_text() == "x":
        raise RuntimeError("the first time only")
    status = "finished"
    if what in ("slow", "pruned"):
        for epoch in range(1, 100):
            channel.sendall(
                json.dumps({"epoch": epoch, "epochs": 99, "metrics": {"val/acc": epoch / 100}}).encode() + b"\n"
            )
            if request["prunes"] and channel.recv(1) == b"1":
                status = "pruned"
                break
            time.sleep(0.1)
    (folder / "result.json").write_text(json.dumps({"status": status, "error": None, "metrics": {"val/acc": 0.5}}))
    return 0


def prepare(config):
    raise ImportError("what a job imports, the server need not have")


module = types.ModuleType("litmus.sweep.pool.worker")
module.run = run
module.prepare = prepare
sys.modules["litmus.sweep.pool.worker"] = module
