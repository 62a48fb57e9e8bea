"""Change sound models and pictures at random, and look for anything but a result or plain words.

    python tools/fuzz.py [--seconds 600] [--seed 1]

A finding is an exception that is not a WebIPredError, a crash, more than two seconds, or more memory than allowed; the
number of the case makes it again. Each batch of cases runs in a child process with a bounded memory. POSIX only.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from goldens import networks  # noqa: E402
from napari_webipred.catalogue.archive import open_files  # noqa: E402
from napari_webipred.errors import WebIPredError  # noqa: E402
from napari_webipred.imaging.files import file_source  # noqa: E402
from napari_webipred.runtime.formats import compile_files  # noqa: E402
from napari_webipred.runtime.session import Session  # noqa: E402

SECONDS, MEGABYTES, BATCH = 2, 700, 100
WILD = [
    None, True, False, 0, 1, -1, 2, 3, 7, 1.5, 1e300, -1e300, float("nan"), 2**31, 2**63, 10**40, "", "a", "same",
    "../x", "x" * 300, "\ud800", [], [None], [0, 0], [[]], [1] * 9, {}, {"class_name": "Lambda"}, "__proto__",
]  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Return sound files to begin with, by name: models in every format, and pictures."""
    goldens = ROOT / "tests" / "goldens"
    found: dict[str, bytes] = {}
    for archive in ("variants.zip", "networks.zip"):
        with zipfile.ZipFile(goldens / archive) as members:
            for name in members.namelist():
                stored = json.loads(members.read(name))
                if sum(map(len, json.dumps(stored["topology"]))) < 200_000:
                    found[f"{name}.zip"] = _zipped(_tfjs(stored))
    for path in [*goldens.glob("keras/*"), *goldens.glob("graphs/*.zip")]:
        if path.suffix in {".h5", ".keras", ".zip"}:
            found[path.name] = path.read_bytes()
    found["plain.onnx"] = compile_files(_tfjs(stored), "folder", None)
    pictures = [path for path in (ROOT / "src/napari_webipred/samples").iterdir() if path.suffix != ".py"]
    found |= {path.name: path.read_bytes() for path in pictures if path.is_file()}
    return found | _small_pictures()


def _tfjs(stored: dict[str, Any]) -> dict[str, bytes]:
    weights = {name: networks.weight(name, shape, stored["gain"]) for name, shape in stored["shapes"].items()}
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in weights.items()]
    document = {
        "modelTopology": stored["topology"],
        "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
    }
    data = b"".join(array.tobytes() for array in weights.values())
    return {"model.json": json.dumps(document).encode(), "weights.bin": data}


def _small_pictures() -> dict[str, bytes]:
    import numpy as np
    import tifffile
    from PIL import Image

    pixels = np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3)
    made = {}
    for suffix in ("png", "jpg", "gif", "bmp", "webp"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, {"jpg": "jpeg"}.get(suffix, suffix))
        made[f"x.{suffix}"] = stream.getvalue()
    for compression in (None, "zlib", "lzw", "packbits"):
        stream = io.BytesIO()
        try:
            tifffile.imwrite(stream, np.stack([pixels] * 3), photometric="rgb", compression=compression)
        except (KeyError, ValueError):  # an encoder that is not installed
            continue
        made[f"{compression}.tif"] = stream.getvalue()
    return made


def _zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def changed(name: str, content: bytes, chance: random.Random) -> bytes:
    """Change a file: values in the JSON of an archive, or bytes anywhere."""
    if name.endswith(".zip") and chance.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {member: archive.read(member) for member in archive.namelist()}
        member = chance.choice([*(n for n in files if n.endswith(".json")), *files])
        if member.endswith(".json"):
            document = json.loads(files[member])
            for _ in range(chance.randint(1, 4)):
                _change_json(document, chance)
            files[member] = json.dumps(document).encode("utf-8", "surrogatepass")
        else:
            files[member] = _change_bytes(files[member], chance)
        return _zipped(files)
    return _change_bytes(content, chance)


def _change_json(value: Any, chance: random.Random) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        inner = value[key]
        if isinstance(inner, (dict, list)) and inner and chance.random() < 0.93:
            value = inner
            continue
        kind = chance.random()
        if kind < 0.15:
            del value[key]
        elif kind < 0.25 and isinstance(value, list):
            value.append(value[key])
        elif kind < 0.5 and type(inner) in (int, float):
            value[key] = chance.choice(
                [inner + 1, inner - 1, -inner, inner * 1000, inner // 2 if inner == inner else 0]
            )
        else:
            value[key] = copy.deepcopy(chance.choice(WILD))
        return


def _change_bytes(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    if data and chance.random() < 0.15:
        del data[chance.randrange(len(data)) :]
    for _ in range(chance.randint(1, 8)):
        if data:
            place = chance.randrange(min(len(data), chance.choice([64, 512, 1 << 30])))
            data[place] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
    return bytes(data)


def run(name: str, content: bytes, folder: Path) -> None:
    """Do with a file what the program does with it."""
    path = folder / name.rpartition("/")[2]
    path.write_bytes(content)
    try:
        if path.suffix in {".zip", ".h5", ".keras", ".onnx"}:
            files = open_files(path)
            session = Session(compile_files(files, files.kind, files.entry, unpacked=files.unpacked), 1)
            height, width, channels = session.input_shape
            if (height or 8) * (width or 8) * channels <= 2**18:
                import numpy as np

                session.predict(np.zeros((1, height or 8, width or 8, channels), np.float32))
        else:
            source = file_source(path)
            for index, _ in zip(source.indices(), range(3), strict=False):
                source.read(index)
    except WebIPredError as error:
        if not error.message:
            raise AssertionError("an error without words") from error
    finally:
        path.unlink()


def batch(first: int, seed: int, files: list[tuple[str, bytes]], pipe: int) -> None:
    """Run some cases; write each one's number, and what is found after an exclamation mark, a line each."""

    def report(text: str) -> None:
        os.write(pipe, f"{text}\n".encode())

    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEGABYTES * 2**20,) * 2)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for case in range(first, first + BATCH):
            chance = random.Random(f"{seed} {case}")
            name, content = files[chance.randrange(len(files))]
            begin = time.perf_counter()
            report(f"{case}")
            try:
                run(name, changed(name, content, chance), Path(folder))
            except BaseException as error:  # everything that comes out is a finding
                last = traceback.extract_tb(error.__traceback__)[-1]
                report(f"!case {case} ({name}): {error!r:.200} in {last.filename}:{last.lineno}")
            taken = time.perf_counter() - begin
            if taken > SECONDS:
                report(f"!case {case} ({name}): {taken:.1f} s")


def _address_space() -> int:
    if sys.platform != "linux":
        return 8 * 2**30
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="run this one only, in this process")
    parser.add_argument("--only", default="", help="files with this in their name")
    options = parser.parse_args()
    files = [item for item in sorted(seeds().items()) if options.only in item[0]]
    if options.case is not None:
        chance = random.Random(f"{options.seed} {options.case}")
        name, content = files[chance.randrange(len(files))]
        with tempfile.TemporaryDirectory() as folder:
            run(name, changed(name, content, chance), Path(folder))
        return 0
    end = time.monotonic() + options.seconds
    first, findings = 0, 0
    while time.monotonic() < end:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            signal.alarm(BATCH * 3)
            batch(first, options.seed, files, writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as stream:
            lines = stream.read().splitlines()
        status = os.waitpid(child, 0)[1]
        told = [line[1:] for line in lines if line.startswith("!")]
        if status:
            told.append(
                f"case {[line for line in lines if line[0] != '!'][-1]}: the process ended with status {status}"
            )
        for line in told:
            print(line, flush=True)
        findings += len(told)
        first += BATCH
    print(f"{first} cases, {findings} findings")
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
