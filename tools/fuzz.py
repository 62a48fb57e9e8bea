"""Change sound models and images at random, and look for anything but a result or plain words.

    python tools/fuzz.py --reader keras-h5 [--seconds 600] [--seed 1]

A finding is an exception that is not a WebIPredError, a crash, more than ten seconds, or more memory than 1 GB; the
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from goldens import networks  # noqa: E402
from napari_webipred.archive.model_files import open_files  # noqa: E402
from napari_webipred.errors import WebIPredError  # noqa: E402
from napari_webipred.imaging.readers import file_source, read  # noqa: E402
from napari_webipred.runtime.protobuf import varint  # noqa: E402
from napari_webipred.runtime.readers import compile_files  # noqa: E402
from napari_webipred.runtime.session import Session  # noqa: E402

SECONDS, MEGABYTES, BATCH = 10, 1024, 100
# Models may use half of that memory, so that the other half is for reading them.
os.environ["NAPARI_WEBIPRED_MEMORY_LIMIT"] = "500MB"
READERS = ("keras-h5", "keras", "saved-model", "checkpoint", "tfjs", "graph", "onnx", "images")
NUMBERS = [0, 1, 2, 3, 8, 127, 128, 2**16 - 1, 2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63, 2**64 - 1]
WILD = [
    None, True, False, 0, 1, -1, 2, 3, 7, 1.5, 1e300, -1e300, float("nan"), 2**31, 2**63, 10**40, "", "a", "same",
    "../x", "x" * 300, "\ud800", [], [None], [0, 0], [[]], [1] * 9, {}, {"class_name": "Lambda"}, "__proto__",
]  # fmt: skip


def seeds(reader: str) -> dict[str, bytes]:
    """Return sound files for a reader to begin with, by name."""
    goldens, samples = ROOT / "tests" / "goldens", ROOT / "src" / "napari_webipred" / "samples"
    match reader:
        case "keras-h5":
            return _contents(goldens.glob("keras/*.h5"))
        case "keras":
            return _contents(goldens.glob("keras/*.keras"))
        case "saved-model" | "checkpoint":
            return _contents(goldens.glob("graphs/*-saved.zip"))
        case "graph":
            return _contents(goldens.glob("graphs/*-tfjs.zip"))
        case "tfjs":
            return {f"{name}.zip": _zipped(files) for name, files in _layers_models()}
        case "onnx":
            made = [next(_layers_models())[1], *map(open_files, goldens.glob("graphs/*-tfjs.zip"))]
            return {f"{i}.onnx": compile_files(files, "folder", None) for i, files in enumerate(made)}
    images = [path for path in samples.iterdir() if path.suffix != ".py" and path.is_file()]
    return _contents(images) | _small_images()


def _contents(paths: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def _layers_models() -> Iterator[tuple[str, dict[str, bytes]]]:
    for archive in ("variants.zip", "networks.zip"):
        with zipfile.ZipFile(ROOT / "tests" / "goldens" / archive) as members:
            for name in members.namelist():
                stored = json.loads(members.read(name))
                if len(json.dumps(stored["topology"])) < 200_000:
                    yield name, _tfjs(stored)


def _tfjs(stored: dict[str, Any]) -> dict[str, bytes]:
    weights = {name: networks.weight(name, shape, stored["gain"]) for name, shape in stored["shapes"].items()}
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in weights.items()]
    document = {
        "modelTopology": stored["topology"],
        "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
    }
    data = b"".join(array.tobytes() for array in weights.values())
    return {"model.json": json.dumps(document).encode(), "weights.bin": data}


def _small_images() -> dict[str, bytes]:
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


def changed(reader: str, name: str, content: bytes, chance: random.Random) -> bytes:
    """Change a file by its format, or bytes anywhere; of an archive one of its files, or bytes of the archive."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return _change_file(name, content, chance)
    if chance.random() < 0.05:
        return _change_bytes(content, chance)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {member: archive.read(member) for member in archive.namelist()}
    aimed = {"saved-model": "saved_model.pb", "checkpoint": "variables.", "tfjs": ".json", "graph": ".json"}
    members = [member for member in files if aimed.get(reader, "") in member]
    member = chance.choice(members if chance.random() < 0.9 else [*files])
    files[member] = _change_file(member, files[member], chance)
    return _zipped(files)


def _change_file(name: str, content: bytes, chance: random.Random) -> bytes:
    suffix = Path(name).suffix if chance.random() < 0.8 else ""
    for _ in range(chance.randint(1, 4)):
        match suffix:
            case ".json":
                document = json.loads(content)
                _change_json(document, chance)
                content = json.dumps(document).encode("utf-8", "surrogatepass")
            case ".h5" | ".index":
                content = _change_numbers(content, chance)
            case ".pb" | ".onnx":
                content = _change_protobuf(content, chance)
            case _:
                return _change_bytes(content, chance)
    return content


def _change_numbers(content: bytes, chance: random.Random) -> bytes:
    """Change or exchange what looks like an address, a length or a count: a small number, little-endian."""
    data = bytearray(content)
    size = chance.choice([2, 4, 8, 8, 8])
    places = range(0, len(data) - size + 1, min(size, 4) if len(data) > 4096 else 1)
    found = [p for p in chance.choices(places, k=200) if 0 < int.from_bytes(data[p : p + 8], "little") < len(data)]
    if found:
        to, other = found[0], found[-1]
        number = int.from_bytes(data[to : to + size], "little")
        new = chance.choice([*NUMBERS, number + 1, number - 1, number * 8, number - 8, number + 8, len(data), to])
        taken = data[other : other + size] if chance.random() < 0.5 else (new % 256**size).to_bytes(size, "little")
        if chance.random() < 0.5:
            data[other : other + size] = data[to : to + size]
        data[to : to + size] = taken
    return bytes(data)


def _change_protobuf(content: bytes, chance: random.Random) -> bytes:
    """Duplicate, remove, exchange or change fields of a message, or of one within; lengths stay right."""
    try:
        fields = list(_fields(content))
    except WebIPredError:
        return _change_bytes(content, chance)
    if not fields:
        return content + chance.randbytes(3)
    at, other = chance.randrange(len(fields)), chance.randrange(len(fields))
    key, value = fields[at]
    if isinstance(value, bytes) and key & 7 == 2 and chance.random() < 0.85:
        fields[at] = (key, _change_protobuf(value, chance))
    elif isinstance(value, int) and chance.random() < 0.6:
        fields[at] = (key, chance.choice(NUMBERS))
    else:
        match chance.randrange(4):
            case 0:
                del fields[at]
            case 1:
                fields.insert(other, fields[at])
            case 2:
                fields[at], fields[other] = fields[other], fields[at]
            case _:
                same = [each for each in fields if each[0] == key]
                fields[at] = chance.choice(same)
    return b"".join(map(_field, fields))


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    data, at = memoryview(content), 0
    while at < len(data):
        key, at = varint(data, at)
        width = {1: 8, 5: 4}.get(key & 7)
        if key & 7 == 0:
            value, at = varint(data, at)
            yield key, value
            continue
        if width is None:
            width, at = varint(data, at)
        if key & 7 not in {1, 2, 5} or key < 8 or at + width > len(data):
            raise WebIPredError("no message", "")
        yield key, bytes(data[at : at + width])
        at += width


def _field(field: tuple[int, int | bytes]) -> bytes:
    key, value = field
    if isinstance(value, int):
        return _varint(key) + _varint(value)
    return _varint(key) + (_varint(len(value)) if key & 7 == 2 else b"") + value


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


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
                read(source, index)
    except WebIPredError as error:
        if not error.message:
            raise AssertionError("an error without words") from error
    finally:
        path.unlink()


def case_of(reader: str, files: list[tuple[str, bytes]], seed: int, case: int) -> tuple[str, bytes]:
    """Make a case by its number."""
    chance = random.Random(f"{seed} {case}")
    name, content = files[chance.randrange(len(files))]
    return name, changed(reader, name, content, chance)


def batch(first: int, reader: str, seed: int, files: list[tuple[str, bytes]], pipe: int) -> None:
    """Run some cases; write each one's number, and what is found after an exclamation mark, a line each."""

    def report(text: str) -> None:
        os.write(pipe, f"{text}\n".encode())

    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEGABYTES * 2**20,) * 2)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for case in range(first, first + BATCH):
            report(f"{case}")
            name, content = case_of(reader, files, seed, case)
            signal.alarm(SECONDS)  # which ends the process
            try:
                run(name, content, Path(folder))
            except BaseException as error:  # everything that comes out is a finding
                last = traceback.extract_tb(error.__traceback__)[-1]
                report(f"!case {case} ({name}): {error!r:.200} in {last.filename}:{last.lineno}")
            signal.alarm(0)


def _address_space() -> int:
    if sys.platform != "linux":
        return 8 * 2**30
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def fuzz(reader: str, seed: int, seconds: float) -> int:
    """Run cases until the time is over, print what is found, and return how many findings there are."""
    files = sorted(seeds(reader).items())
    begin = time.monotonic()
    first, findings = 0, 0
    while time.monotonic() < begin + seconds:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            batch(first, reader, seed, files, writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as stream:
            lines = stream.read().splitlines()
        status = os.waitpid(child, 0)[1]
        found = [line[1:] for line in lines if line.startswith("!")]
        last = max(int(line) for line in lines if not line.startswith("!"))
        if status:
            why = f"more than {SECONDS} s" if status == signal.SIGALRM else f"the process ended with status {status}"
            found.append(f"case {last}: {why}")
        for line in found:
            print(line, flush=True)
        findings += len(found)
        first = last + 1
    print(f"{reader}: {seconds:.0f} s, {first} cases, {findings} findings", flush=True)
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reader", choices=READERS, action="append", help="all, one after the other, if left out")
    parser.add_argument("--seconds", type=float, default=600, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="run this one only, in this process")
    options = parser.parse_args()
    readers = options.reader or READERS
    if options.case is not None:
        name, content = case_of(readers[0], sorted(seeds(readers[0]).items()), options.seed, options.case)
        with tempfile.TemporaryDirectory() as folder:
            run(name, content, Path(folder))
        return 0
    return int(sum(fuzz(reader, options.seed, options.seconds) for reader in readers) > 0)


if __name__ == "__main__":
    sys.exit(main())
