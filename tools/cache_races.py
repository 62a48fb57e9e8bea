"""Let many processes use, fill and empty one cache at the same time, kill some of them, and flip bits in it.

    python tools/cache_races.py [--races 1000] [--kills 200] [--flips 1000] [--processes 20] [--seed 1]

In a race each process runs one command, all at once: fetch, classify, remove, wipe, limit, import, bundle, list. A
finding is an exit status or a warning that the same command, run alone, could not have; another number or class; a
traceback; or something that is left when all is wiped. POSIX only; the server is on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import logging
import os
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402, F401
import pooch  # noqa: E402, F401
import requests  # noqa: E402, F401
from PIL import Image  # noqa: E402

import napari_webipred  # noqa: E402
from napari_webipred import cli  # noqa: E402

NAMED, NUMBERED = "webipred-16", "10.5281/zenodo.2"
SERVER = """
import sys
from zenodo_server import CONVERTED, ZenodoServer, model_zip
server = ZenodoServer()
server.publish("7785993", {CONVERTED: model_zip()})
card = b'{"classes": [{"index": 0, "name": "one"}, {"index": 1, "name": "two"}, {"index": 2, "name": "three"}], \\
"preprocessing": {"standardize_mode": "torch"}, "input": {"width": 224, "height": 224}}'
server.publish("2", {"m.zip": model_zip(3), "webipred.json": card})
print(server.url, flush=True)
sys.stdin.read()
server.close()
"""
NOT_THERE = "There is no downloaded model"


@dataclass
class Outcome:
    """What a command has come to, as its process tells it; None for one that was killed."""

    code: int
    out: str
    err: str
    warnings: list[str]
    trace: str = ""


@dataclass
class Storm:
    """A cache, the commands that are run on it, and what was found."""

    folder: Path
    chance: random.Random
    expected: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return self.folder / "cache"

    def commands(self) -> list[list[str]]:
        """Return the commands to choose from; what is read is asked for more often than what removes."""
        classify = [["classify", str(self.folder / "a.png"), "--model", name] for name in (NAMED, NUMBERED)]
        removing = [["remove", NAMED], ["remove", "zenodo-2"], ["cache", "--wipe"], ["cache", "--limit", "1"]]
        bundle = ["bundle", NAMED, NUMBERED, "-o", str(self.folder / f"{self.chance.random()}.zip")]
        bringing = [["fetch", NAMED], ["fetch", NUMBERED], ["import", str(self.folder / "models.zip")], bundle]
        return [*classify * 3, *removing, *bringing, ["cache"], ["models", "--json"]]

    def judge(self, command: list[str], outcome: Outcome) -> None:
        """Note what is not as if the command had been alone."""
        self.counts[command[0]] += 1
        fine = outcome.code == 0 or (command[0] == "remove" and NOT_THERE in outcome.err)
        if command[0] == "classify" and fine:
            fine = outcome.out == self.expected[command[-1]]
        if outcome.trace or outcome.warnings or not fine:
            self.find(f"{' '.join(command)}: {outcome}")

    def find(self, finding: str) -> None:
        """Note something that is wrong, and say it at once."""
        self.findings.append(finding)
        print(f"FINDING {finding}", file=sys.stderr, flush=True)

    def race(self, processes: int, kills: int = 0) -> int:
        """Run as many commands at once, and kill some of them; return how many were killed before they had ended."""
        commands = [self.chance.choice(self.commands()) for _ in range(processes)]
        gate, opener = os.pipe()  # a child that is killed while it waits here holds up nobody

        def wait() -> None:
            os.close(opener)
            os.read(gate, 1)

        ends = [in_child(lambda command=command: run(command), wait) for command in commands]  # type: ignore[misc]
        os.close(opener)
        os.close(gate)
        killed = self.chance.sample(range(processes), kills)
        for index in killed:
            time.sleep(self.chance.uniform(0, 0.2) / kills)
            os.kill(ends[index][0], signal.SIGKILL)
        died = 0
        for index, (command, (pid, receive)) in enumerate(zip(commands, ends, strict=True)):
            outcome = received(pid, receive)
            died += outcome is None
            if outcome is not None:
                self.judge(command, outcome)
            elif index not in killed:
                self.find(f"{' '.join(command)}: it has crashed")
        for path in self.folder.glob("*0.*.zip*"):
            path.unlink()
        return died

    def check_wiped(self) -> None:
        """See that after all of it the cache works, and that nothing is left when it is wiped."""
        for command in (["fetch", NAMED], self.commands()[0], self.commands()[1], ["cache", "--wipe"]):
            self.judge(command, alone(command))
        if left := [str(path) for path in self.cache.rglob("*")]:
            self.find(f"left after wiping: {left}")

    def flip(self, sound: Path) -> None:
        """Flip a bit in a sound cache, keep size and times, and use all models in it."""
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.copytree(sound, self.cache, copy_function=shutil.copy2)
        path = self.chance.choice(sorted(path for path in self.cache.rglob("*") if path.is_file()))
        data, stat = bytearray(path.read_bytes()), path.stat()
        if data:
            bit = self.chance.randrange(8 * len(data))
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        where = path.relative_to(self.cache).parts
        kind = where[0] if len(where) == 2 else where[2]
        for name in (NAMED, NUMBERED, str(self.folder / "own.zip")):
            outcome = alone(["classify", str(self.folder / "a.png"), "--model", name])
            # What was told of an own model and is damaged is asked for again.
            told = kind == "told" and outcome.code == 2 and "not known how the model" in outcome.err
            if outcome.trace or not (told or (outcome.code == 0 and outcome.out == self.expected[name])):
                self.find(f"a bit of {path.relative_to(self.cache)}: {name}: {outcome}")
            self.counts[f"flip in {kind}: " + ("told in words" if outcome.warnings or told else "as before")] += 1


def in_child(work: Callable[[], Outcome], wait: Callable[[], object] = lambda: None) -> tuple[int, int]:
    """Do something in a child process; return its number and where its outcome can be read."""
    receive, send = os.pipe()
    if pid := os.fork():
        os.close(send)
        return pid, receive
    os.close(receive)
    try:
        wait()
        outcome = work()
        with os.fdopen(send, "w") as stream:
            json.dump(outcome.__dict__, stream)
    finally:
        os._exit(0)


def received(pid: int, receive: int) -> Outcome | None:
    """Wait for a child process; return its outcome."""
    with os.fdopen(receive) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    try:
        return Outcome(**json.loads(text))
    except ValueError:
        return None


def alone(command: list[str]) -> Outcome:
    """Run one command and nothing else."""
    outcome = received(*in_child(lambda: run(command)))
    assert outcome is not None, command
    return outcome


def run(command: list[str]) -> Outcome:
    """Run a command as the shell would."""
    out, err, told = io.StringIO(), io.StringIO(), []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    logging.getLogger("napari_webipred").addHandler(Listener(logging.WARNING))
    logging.getLogger("napari_webipred").propagate = False
    code, trace = -1, ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(command)
        except BaseException:
            trace = traceback.format_exc()
    return Outcome(code, out.getvalue(), err.getvalue(), told, trace)


def prepared(folder: Path, seed: int) -> Storm:
    """Make images and a bundle, and note what every model gives when nobody else is there."""
    storm = Storm(folder, random.Random(seed))
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    from zenodo_server import model_zip

    (folder / "own.zip").write_bytes(model_zip(4))
    own = ["classify", str(folder / "a.png"), "--model", str(folder / "own.zip")]
    for command in (
        ["bundle", NAMED, NUMBERED, "-o", str(folder / "models.zip")],
        [*own, "--standardize", "torch", "--classes", "a,b,c,d"],
    ):
        assert alone(command).code == 0, alone(command)
    for name in (NAMED, NUMBERED, str(folder / "own.zip")):
        outcome = alone(["classify", str(folder / "a.png"), "--model", name])
        assert outcome.code == 0, outcome
        storm.expected[name] = outcome.out
    return storm


def main() -> int:
    """Run all of it and print what was found; the exit status is 1 if something was."""
    parser = argparse.ArgumentParser()
    for name, default in (("races", 1000), ("kills", 200), ("flips", 1000), ("processes", 20), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    for module in pkgutil.walk_packages(napari_webipred.__path__, "napari_webipred."):
        if "._napari" not in module.name:
            importlib.import_module(module.name)  # once, instead of in every child
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdout is not None
    assert server.stdin is not None
    os.environ["NAPARI_WEBIPRED_ZENODO_URL"] = server.stdout.readline().strip()
    begin, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="webipred-races-"))
    os.environ["NAPARI_WEBIPRED_CACHE"] = str(folder / "cache")
    for name in ("NAPARI_WEBIPRED_OFFLINE", "NAPARI_WEBIPRED_SHARED_CACHE", "NAPARI_WEBIPRED_CACHE_LIMIT"):
        os.environ.pop(name, None)
    try:
        storm = prepared(folder, options.seed)
        shutil.copytree(folder / "cache", folder / "sound", copy_function=shutil.copy2)
        for _ in range(options.flips):
            storm.flip(folder / "sound")
        storm.check_wiped()
        for number in range(options.races):
            if number % 100 == 0:
                print(f"race {number}: {len(storm.findings)} findings", file=sys.stderr, flush=True)
            storm.race(options.processes)
        storm.check_wiped()
        killed = 0
        while killed < options.kills:
            killed += storm.race(options.processes, kills=max(1, options.processes // 4))
            storm.check_wiped()
    finally:
        server.stdin.close()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    report(storm, options, killed, time.monotonic() - begin)
    return 1 if storm.findings else 0


def report(storm: Storm, options: Any, killed: int, seconds: float) -> None:
    """Print the record."""
    print(f"{options.races} races of {options.processes} processes, {killed} kills, {options.flips} flips of a bit,")
    print(f"seed {options.seed}, {seconds:.0f} s: {len(storm.findings)} findings")
    for what, count in sorted(storm.counts.items()):
        print(f"  {what}: {count}")


if __name__ == "__main__":
    raise SystemExit(main())
