"""Archives that an attacker or an accident could make: `ARCHIVES` gives the content of each by its name.

Those whose name begins with ``harmless`` look strange and hold a model that can be opened.
"""

from __future__ import annotations

import json
import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

STORED, DEFLATED = 0, 8


@dataclass
class Part:
    """A member of a zip, in which everything may be a lie."""

    name: str | bytes
    content: bytes = b""
    method: int = DEFLATED
    flags: int = 0x800
    size: int | None = None
    crc: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    mode: int = 0
    extra: bytes = b""
    disk: int = 0
    offset: int | None = None
    local: dict[str, Any] = field(default_factory=dict)
    hidden: bool = False  # only in the table of contents


def zipped(*parts: Part, before: bytes = b"", comment: bytes = b"", count: int | None = None, cut: int = 0) -> bytes:
    body, directory = bytearray(before), bytearray()
    for part in parts:
        name = part.name.encode() if isinstance(part.name, str) else part.name
        packed = part.packed
        if packed is None:
            packed = deflated(part.content) if part.method == DEFLATED else part.content
        packed_size = len(packed) if part.packed_size is None else part.packed_size
        size = len(part.content) if part.size is None else part.size
        crc = zlib.crc32(part.content) if part.crc is None else part.crc
        offset = len(body) if part.offset is None else part.offset
        if not part.hidden:
            said = {"name": name, "flags": part.flags, "method": part.method, "packed": packed_size, "size": size}
            said |= part.local
            body += struct.pack(
                "<4sHHHHHLLLHH",
                b"PK\x03\x04",
                *(20, said["flags"], said["method"], 0, 33, crc),
                *(said["packed"], said["size"], len(said["name"]), len(part.extra)),
            )
            body += said["name"] + part.extra + packed
        directory += struct.pack(
            "<4sHHHHHHLLLHHHHHLL",
            b"PK\x01\x02",
            *(0x314, 20, part.flags, part.method, 0, 33, crc, packed_size, size),
            *(len(name), len(part.extra), 0, part.disk, 0, part.mode << 16, offset),
        )
        directory += name + part.extra
    number = len(parts) if count is None else count
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, number, number, len(directory), len(body), len(comment))
    whole = bytes(body + directory + end + comment)
    return whole[: len(whole) - cut]


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def zeros(size: int) -> Part:
    """A member of so many zeros, without ever holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    crc, packed = 0, bytearray()
    block = bytes(2**20)
    for _ in range(size // len(block)):
        packed += packer.compress(block)
        crc = zlib.crc32(block, crc)
    packed += packer.flush()
    return Part("weights.bin", size=size, crc=crc, packed=bytes(packed))


# --- a sound model, and what can be wrong in it ----------------------------------------------------------------------

KERNEL, BIAS = {"name": "dense/kernel", "shape": [48, 2]}, {"name": "dense/bias", "shape": [2]}
WEIGHTS = struct.pack("<98f", *[0.01] * 98)


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def model(
    *between: dict[str, Any],
    shape: Any = (None, 4, 4, 3),
    paths: Any = ("weights.bin",),
    entries: Any = (KERNEL, BIAS),
    units: int = 2,
    **more: Any,
) -> bytes:
    layers = [layer("InputLayer", "input", batch_input_shape=shape), *between, layer("Flatten", "flatten")]
    layers.append(layer("Dense", "dense", units=units, activation="softmax", use_bias=True))
    topology = {"class_name": "Sequential", "config": {"name": "model", "layers": layers}}
    manifest = [{"paths": list(paths), "weights": [{"dtype": "float32", **entry} for entry in entries]}]
    return json.dumps({"modelTopology": topology, "weightsManifest": manifest, **more}).encode()


def pooled(before: dict[str, Any]) -> bytes:
    """A model that takes the largest number of each channel of whatever a layer makes."""
    return model(before, layer("GlobalMaxPooling2D", "most"), entries=[{**KERNEL, "shape": [3, 2]}, BIAS])


def sound(document: bytes = b"", weights: bytes = WEIGHTS, *more: Part, **zip_options: Any) -> bytes:
    return zipped(Part("model.json", document or model()), Part("weights.bin", weights), *more, **zip_options)


def named(name: str | bytes, content: bytes = b"x", **more: Any) -> bytes:
    return sound(b"", WEIGHTS, Part(name, content, **more))


def quantised(scale: str) -> bytes:
    entry = {**KERNEL, "quantization": {"dtype": "uint8", "scale": "SCALE", "min": 0}}
    return sound(model(entries=[entry, BIAS]).replace(b'"SCALE"', scale.encode()))


def deep(opening: bytes, closing: bytes) -> bytes:
    return sound(b'{"modelTopology":' + opening * 200_000 + b"1" + closing * 200_000 + b"}")


def doubling() -> bytes:
    """Fifteen models, one in the other, each of which calls the next one twice: 32768 calls in a few kilobytes."""

    def start() -> dict[str, Any]:
        return {**layer("InputLayer", "i", batch_input_shape=[None, 4, 4, 3]), "name": "i", "inbound_nodes": []}

    inner: dict[str, Any] = layer("ReLU", "m")
    for _ in range(15):
        calls = [[["i", 0, 0, {}]], [["m", 0, 0, {}]]]
        config = {
            "name": "m",
            "layers": [start(), {**inner, "name": "m", "inbound_nodes": calls}],
            "input_layers": [["i", 0, 0]],
            "output_layers": [["m", 1, 0]],
        }
        inner = {"class_name": "Functional", "config": config}
    return sound(json.dumps({"modelTopology": inner, "weightsManifest": []}).encode())


def circle() -> bytes:
    def called(name: str, source: str) -> dict[str, Any]:
        return {**layer("ReLU", name), "name": name, "inbound_nodes": [[[source, 0, 0, {}]]]}

    start = {**layer("InputLayer", "i", batch_input_shape=[None, 4, 4, 3]), "name": "i", "inbound_nodes": []}
    config = {
        "name": "m",
        "layers": [start, called("a", "b"), called("b", "a")],
        "input_layers": [["i", 0, 0]],
        "output_layers": [["b", 0, 0]],
    }
    topology = {"class_name": "Functional", "config": config}
    return sound(json.dumps({"modelTopology": topology, "weightsManifest": []}).encode())


def quoted(count: int) -> bytes:
    """Many members that all mean the same bytes."""
    first = zeros(2**20)
    others = [replace(first, name=f"{i}.bin", hidden=True, offset=0) for i in range(1, count)]
    return zipped(first, *others)


def sixty_four(size: int, packed: int) -> Part:
    extra = struct.pack("<HHQQ", 1, 16, size, packed)
    return Part("big.bin", b"x", size=0xFFFFFFFF, packed_size=0xFFFFFFFF, extra=extra)


def second_name(name: bytes) -> Part:
    said = b"\x01" + zlib.crc32(b"plain.json").to_bytes(4, "little") + name
    return Part("plain.json", b"{}", extra=struct.pack("<HH", 0x7075, len(said)) + said)


def end_of_zip64() -> bytes:
    whole = sound()
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**40, 2**40, 2**60, 2**60)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(whole) - 22, 1)
    return whole[:-22] + record + locator + whole[-22:-12] + b"\xff" * 10 + b"\0\0"


# --- ONNX files with weights in other files, and archives within -----------------------------------------------------


def number(field: int, value: int) -> bytes:
    """A number, or the beginning of what is as many bytes long, as Protocol Buffers write it."""
    pieces, rest = bytearray([field]), value
    while rest > 127:
        pieces.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*pieces, rest])


def message(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return number(field << 3 | 2, len(data)) + data


def tensor(name: str, sizes: tuple[int, ...], **outside: str) -> bytes:
    """A tensor of float32 whose numbers lie in another file."""
    entries = b"".join(message(13, message(1, key) + message(2, value)) for key, value in outside.items())
    return (
        b"".join(number(1 << 3, size) for size in sizes) + number(2 << 3, 1) + message(8, name) + entries + b"\x70\x01"
    )


def onnx(*tensors: bytes) -> bytes:
    """An image of 4x4x3, flat, times ``w`` of 48x2."""

    def value(name: str, *sizes: int) -> bytes:
        dims = b"".join(message(1, number(1 << 3, size)) for size in sizes)
        return message(1, name) + message(2, message(1, number(1 << 3, 1) + message(2, dims)))

    def step(kind: str, result: str, *taken: str) -> bytes:
        return message(1, b"".join(message(1, name) for name in taken) + message(2, result) + message(4, kind))

    steps = step("Flatten", "f", "x") + step("MatMul", "y", "f", "w")
    weights = b"".join(message(5, each) for each in tensors)
    ends = message(11, value("x", 1, 4, 4, 3)) + message(12, value("y", 1, 2))
    return number(1 << 3, 8) + message(7, steps + message(2, "g") + weights + ends) + message(8, number(2 << 3, 17))


def with_data(*parts: Part, sizes: tuple[int, ...] = (48, 2), count: int = 1, **outside: str) -> bytes:
    places = {"location": "weights.bin"} | outside
    others = (tensor(f"w{i}", sizes, **places) for i in range(1, count))
    return zipped(Part("model.onnx", onnx(tensor("w", (48, 2), **places), *others)), *parts)


DATA = Part("weights.bin", WEIGHTS[:384])


# Python does or does not know second names; in either case nothing leads outside.
EITHER = {"second name leads up"}

OUTSIDE = "../../../etc/passwd"
LAMBDA = layer("Lambda", "evil", function=["4wEAAAAAAAAA", None, None], function_type="lambda")

ARCHIVES: dict[str, Callable[[], bytes]] = {
    # names
    "name leads up": lambda: named("../up.json"),
    "name leads up from within": lambda: named("a/../../up.json"),
    "name is absolute": lambda: named("/etc/cron.d/job"),
    "name has a drive": lambda: named("C:/Windows/x.dll"),
    "name has a drive without slash": lambda: named("c:x.dll"),
    "name has a backslash": lambda: named("..\\up.json"),
    "name on a server": lambda: named("\\\\server\\share\\x"),
    "name has a dot": lambda: named("./x.json"),
    "name has two slashes": lambda: named("a//x.json"),
    "name has a zero byte": lambda: named(b"x.json\0.png"),
    "name has a line break": lambda: named("x\n.json"),
    "name is empty": lambda: named(""),
    "name is a megabyte long": lambda: named("x" * 60_000),
    "name is no UTF-8": lambda: named(b"\xff\xfe.json"),
    "second name leads up": lambda: sound(b"", WEIGHTS, second_name(b"../up.json")),
    "name twice": lambda: named("model.json"),
    "name twice but for case": lambda: named("MODEL.json"),
    "name twice but for accents": lambda: zipped(Part("\u00e9.json", b"{}"), Part("e\u0301.json", b"{}")),
    "name of a file and a folder": lambda: named("model.json/", method=STORED, packed=b"", size=0),
    # kinds
    "link": lambda: named("labels.txt", mode=stat.S_IFLNK | 0o777),
    "device": lambda: named("x.bin", mode=stat.S_IFCHR | 0o666),
    "pipe": lambda: named("x.bin", mode=stat.S_IFIFO | 0o666),
    "encrypted": lambda: named("x.bin", flags=0x801),
    "encrypted in its header only": lambda: named("x.bin", local={"flags": 0x801}),
    "BZip2": lambda: named("x.bin", method=12, packed=b"BZh9"),
    "LZMA": lambda: named("x.bin", method=14, packed=b"\0" * 20),
    "unknown compression": lambda: named("x.bin", method=99, packed=b"x"),
    "part two of three": lambda: named("x.bin", disk=1),
    "folder with content": lambda: named("folder/"),
    # amounts
    "2001 files": lambda: zipped(*(Part(f"{i}.bin") for i in range(2001))),
    "60000 files": lambda: zipped(*(Part(f"{i}.bin", method=STORED) for i in range(60_000))),
    "table of contents of 6 MB": lambda: zipped(*(Part(f"{i}.bin", extra=bytes(60_000)) for i in range(100))),
    "harmless: 65535 files announced": lambda: sound(count=65535),
    "zips within zips": lambda: zipped(*[Part(f"{i}.zip", zipped(zeros(2**20))) for i in range(16)]),
    "bomb of 256 MB": lambda: zipped(Part("model.json", model()), zeros(2**28)),
    "bomb of 100 MB as weights": lambda: zipped(Part("model.json", model()), zeros(100 * 2**20)),
    "one bomb under many names": lambda: quoted(1500),
    "JSON of 60 MB": lambda: sound(b'{"modelTopology":"' + b" " * 60_000_000 + b'"}'),
    "harmless: labels of 100 MB": lambda: named("labels.txt", b"a\n" * (50 * 2**20)),
    "harmless: a list of names of 60 MB": lambda: named("class_names.json", b"[" + b'"a",' * 15_000_000 + b'"a"]'),
    "harmless: another JSON of 60 MB": lambda: named("history.json", b"[" + b"1," * 30_000_000 + b"1]"),
    "harmless: a million names": lambda: named("class_names.json", b"[" + b'"a",' * 1_000_000 + b'"a"]'),
    "description in YAML of 60 MB": lambda: named("rdf.yaml", b"a: 1\n" * 12_000_000),
    # contradictions
    "members that overlap": lambda: zipped(Part("a.bin", bytes(99), STORED), Part("b.bin", b"x", offset=10)),
    "member beyond the end": lambda: named("x.bin", offset=2**31),
    "member inside the table of contents": lambda: named("x.bin", packed_size=300, size=300, method=STORED),
    "size is too small": lambda: zipped(Part("model.json", model(), size=20), Part("weights.bin", WEIGHTS)),
    "size is too large": lambda: zipped(Part("model.json", model(), size=2**24), Part("weights.bin", WEIGHTS)),
    "size of 4 GB": lambda: named("x.bin", size=0xFFFFFFFE),
    "two sizes of what is not compressed": lambda: named("x.bin", method=STORED, size=10**6),
    "size differs in the header": lambda: named("x.bin", local={"size": 2**30}),
    "name differs in the header": lambda: named("x.bin", local={"name": b"../up"}),
    "compression differs in the header": lambda: named("x.bin", local={"method": STORED}),
    "size of 8 EiB": lambda: sound(b"", WEIGHTS, sixty_four(2**63, 2**63)),
    "table of contents at 1 EiB": end_of_zip64,
    "archive behind another": lambda: sound() + sound(),
    "archive behind an image": lambda: sound(before=b"GIF89a" + bytes(50)),
    "archive within the comment": lambda: sound(comment=sound()),
    "cut in the middle": lambda: sound(cut=len(sound()) // 2),
    "cut at the end": lambda: sound(cut=9),
    "checksum is wrong": lambda: named("labels.txt", crc=1),
    "garbage instead of Deflate": lambda: named("labels.txt", packed=b"\xff" * 50, size=100),
    "web page": lambda: b"<!doctype html><title>403 Forbidden</title>",
    "empty file": lambda: b"",
    # model.json
    "lists 200000 deep": lambda: deep(b"[", b"]"),
    "objects 200000 deep": lambda: deep(b'{"a":', b"}"),
    "a million empty lists": lambda: sound(b'{"modelTopology":[' + b"[]," * 2_600_000 + b"[]]}"),
    "number of a million digits": lambda: sound(b'{"modelTopology":' + b"9" * 10**6 + b"}"),
    "JSON is no UTF-8": lambda: sound(b'{"modelTopology":"\xff\xff"}'),
    "thirty models": lambda: zipped(*(Part(f"{i}/model.json", model()) for i in range(30))),
    "weights lie outside": lambda: sound(model(paths=[OUTSIDE])),
    "weights lie at an absolute place": lambda: sound(model(paths=["/etc/passwd"])),
    "weights lie on a drive": lambda: sound(model(paths=["C:\\Windows\\win.ini"])),
    "weights lie on the internet": lambda: sound(model(paths=["https://example.org/weights.bin"])),
    "weights lie in a file address": lambda: sound(model(paths=["file:///etc/passwd"])),
    "weights are named twice": lambda: sound(model(paths=["weights.bin", "weights.bin"])),
    "shape of 2^60 numbers": lambda: sound(model(entries=[{**KERNEL, "shape": [2**30, 2**30]}, BIAS])),
    "shape is negative": lambda: sound(model(entries=[{**KERNEL, "shape": [-48, -2]}, BIAS])),
    "shape of a thousand axes": lambda: sound(model(entries=[{**KERNEL, "shape": [1] * 1000}, BIAS])),
    "scale is not a number": lambda: quantised("NaN"),
    "scale is infinite": lambda: quantised("1e999"),
    "weights are not numbers": lambda: sound(b"", struct.pack("<98f", *[float("nan")] * 98)),
    "weights are cut short": lambda: sound(b"", WEIGHTS[:-4]),
    "weights are too long": lambda: sound(b"", WEIGHTS * 2),
    "layers in a circle": circle,
    "models that double": doubling,
    "code of a Lambda layer": lambda: sound(model(LAMBDA)),
    "a billion neurons": lambda: sound(model(units=10**9)),
    "input of a terapixel": lambda: sound(model(shape=(None, 10**6, 10**6, 3))),
    "padding by a billion": lambda: sound(model(layer("ZeroPadding2D", "p", padding=[10**9, 10**9]))),
    "enlarging by a million": lambda: sound(model(layer("UpSampling2D", "u", size=[10**6, 10**6]))),
    "enlarging by 4720": lambda: sound(pooled(layer("UpSampling2D", "u", size=[4720, 4720])), WEIGHTS[:32]),
    "padding by 9438": lambda: sound(pooled(layer("ZeroPadding2D", "p", padding=[9438, 9438])), WEIGHTS[:32]),
    # weights in other files, and archives within
    "ONNX weights lead up": lambda: with_data(DATA, location=OUTSIDE),
    "ONNX weights lead up from within": lambda: with_data(DATA, location="a/../../weights.bin"),
    "ONNX weights lie at an absolute place": lambda: with_data(DATA, location="/etc/passwd"),
    "ONNX weights lie on a drive": lambda: with_data(DATA, location="C:\\Windows\\win.ini"),
    "ONNX weights are missing": lambda: with_data(),
    "ONNX weights lie beyond the end": lambda: with_data(DATA, offset="999999999999"),
    "ONNX weights lie before the beginning": lambda: with_data(DATA, offset="-8"),
    "ONNX weights are shorter than their shape": lambda: with_data(DATA, length="8"),
    "ONNX weights are cut short": lambda: with_data(Part("weights.bin", WEIGHTS[:383])),
    "ONNX weights of a terabyte": lambda: with_data(DATA, sizes=(2**20, 2**18), count=2),
    "ONNX weights are used a thousand times": lambda: with_data(zeros(2**23), sizes=(2**17, 2), count=1000),
    "ONNX weights of three gigabytes": lambda: with_data(DATA, sizes=(2**20, 2**8), count=4),
    "ONNX weights are the model itself": lambda: with_data(location="model.onnx"),
    "ONNX file names 100000 files": lambda: zipped(
        Part("model.onnx", onnx(*(tensor(f"w{i}", (48, 2), location=f"w{i}") for i in range(100_000))))
    ),
    "Keras file within is a bomb": lambda: zipped(Part("model.keras", zipped(Part("config.json"), zeros(2**28)))),
    "Keras file within leads up": lambda: zipped(Part("model.keras", zipped(Part("../config.json", b"{}")))),
    "Keras file within is no archive": lambda: zipped(Part("model.keras", b"PK\x03\x04")),
    "Keras file within a Keras file": lambda: zipped(Part("model.keras", zipped(Part("model.keras", zipped())))),
    "network without weights": lambda: zipped(
        Part("model.json", json.dumps({"class_name": "Model", "config": {}}).encode())
    ),
    "two hundred Keras files": lambda: zipped(*(Part(f"{i}.keras", b"PK\x03\x04") for i in range(200))),
    "harmless: ONNX weights in another file": lambda: with_data(DATA),
    "harmless: ONNX weights at the end of 100 MB": lambda: with_data(zeros(100 * 2**20), offset=str(100 * 2**20 - 384)),
    "harmless: labels of a million commas": lambda: named("labels.txt", b"," * 1_000_000),
    "harmless: a table of a million columns": lambda: named("labels.csv", b"a," * 500_000),
    "harmless: names that lead to names": lambda: named("classes.json", b'{"labels":' * 900 + b"1" + b"}" * 900),
    # strange, but no harm
    "harmless: sound": sound,
    "harmless: in a folder": lambda: zipped(Part("m/model.json", model()), Part("m/weights.bin", WEIGHTS)),
    "harmless: with a comment": lambda: sound(comment=b"made by hand"),
    "harmless: what macOS adds": lambda: named("__MACOSX/._model.json"),
    "harmless: a zip within": lambda: named("older.zip"),
    "harmless: weights of zeros": lambda: sound(b"", bytes(len(WEIGHTS))),
}
