"""Keras files, SavedModels and checkpoints that an attacker could make.

`HDF5_FILES`, `KERAS_FILES` and `SAVED_MODELS` give the content of each file by its name. Those whose name begins with
``harmless`` look strange and hold a model that can be opened.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from hostile.archives import STORED, Part, layer, zeros, zipped
from protobuf_writer import field, varint

NOWHERE = 2**64 - 1
LAYERS = [layer("InputLayer", "image", batch_input_shape=[None, 4, 4, 3]), layer("Flatten", "flatten")]
LAYERS.append(layer("Dense", "dense", units=2, activation="softmax", use_bias=True))
KERNEL, BIAS = struct.pack("<96f", *[0.01] * 96), struct.pack("<2f", 0, 0)
SHAPES = {"kernel": (48, 2), "bias": (2,)}


def network(layers: Sequence[object] = LAYERS) -> str:
    return json.dumps({"class_name": "Sequential", "config": {"name": "model", "layers": layers}})


# --- HDF5 -------------------------------------------------------------------------------------------------------------


class Hdf5:
    """A file of HDF5 in which everything may be a lie; methods return the address of what they write."""

    def __init__(self) -> None:
        self.data = bytearray(96)

    def put(self, content: bytes) -> int:
        self.data += bytes(-len(self.data) % 8)
        self.data += content
        return len(self.data) - len(content)

    def patch(self, address: int, content: bytes) -> int:
        self.data[address : address + len(content)] = content
        return address

    def header(self, *messages: bytes, count: int | None = None, size: int | None = None) -> int:
        body = b"".join(messages)
        count, size = len(messages) if count is None else count, len(body) if size is None else size
        return self.put(struct.pack("<BxHII4x", 1, count, 1, size) + body)

    def names(self, members: Iterable[str]) -> tuple[int, list[int]]:
        """Write the names of members; return where they are listed, and the place of each."""
        text, places = bytearray(8), []
        for name in members:
            places.append(len(text))
            text += name.encode() + b"\0"
        return self.heap(text), places

    def heap(self, text: bytes) -> int:
        address = self.put(text)
        return self.put(struct.pack("<4s4xQQQ", b"HEAP", len(text), NOWHERE, address))

    def leaf(self, places: Iterable[int], addresses: Iterable[int], cached: int = 0) -> int:
        entries = [struct.pack("<QQI20x", *each, cached) for each in zip(places, addresses, strict=True)]
        return self.put(struct.pack("<4sBxH", b"SNOD", 1, len(entries)) + b"".join(entries))

    def tree(self, *children: int) -> int:
        entries = b"".join(struct.pack("<QQ", 0, child) for child in children)
        return self.put(struct.pack("<4sBBHQQ", b"TREE", 0, 0, len(children), NOWHERE, NOWHERE) + entries + bytes(8))

    def group(self, members: Mapping[str, int], *messages: bytes, cached: int = 0) -> int:
        heap, places = self.names(members)
        leaves = [
            self.leaf(places[i : i + 1000], [*members.values()][i : i + 1000], cached)
            for i in range(0, len(places), 1000)
        ]
        return self.header(table(self.tree(*leaves), heap), *messages)

    def numbers(self, shape: Sequence[int], content: bytes, *messages: bytes, size: int | None = None) -> int:
        place = self.put(content)
        layout = struct.pack("<BBQQ", 3, 1, place, len(content) if size is None else size)
        return self.header(message(1, space(*shape)), message(3, FLOAT), message(8, layout), *messages)

    def empty(self, *shape: int) -> int:
        """Write a tensor without numbers, of which any count takes no bytes."""
        return self.numbers(shape or (0,), b"")

    def written(self, root: int) -> bytes:
        sizes = struct.pack("<5B2BBHHI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
        addresses = struct.pack("<6Q", 0, NOWHERE, len(self.data), NOWHERE, 0, root)
        return bytes(self.patch(0, b"\x89HDF\r\n\x1a\n" + sizes + addresses) or self.data)


def message(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 8)
    return struct.pack("<HHB3x", kind, len(body), 0) + body


def table(tree: int, heap: int) -> bytes:
    return message(0x11, struct.pack("<QQ", tree, heap))


def space(*shape: int) -> bytes:
    return struct.pack(f"<BB6x{len(shape)}Q", 1, len(shape), *shape)


FLOAT = struct.pack("<BBBBIHHBBBBI", 0x11, 0x20, 0x1F, 0, 4, 0, 32, 23, 8, 0, 23, 127)


def texts(name: str, values: Sequence[str] | str, kind: int = 0x13, count: int | None = None) -> bytes:
    """An attribute of texts of a fixed length."""
    listed = [values] if isinstance(values, str) else values
    size = max(map(len, listed), default=1)
    shape = () if isinstance(values, str) else (len(listed) if count is None else count,)
    datatype = struct.pack("<B3xI", kind, size)
    data = b"".join(value.encode().ljust(size, b"\0") for value in listed)
    return attribute(name, datatype, space(*shape), data)


def attribute(name: str, datatype: bytes, shape: bytes, data: bytes, named: int | None = None) -> bytes:
    label = name.encode() + b"\0"
    head = struct.pack("<BxHHH", 1, len(label) if named is None else named, len(datatype), len(shape))
    return message(0xC, head + b"".join(part + bytes(-len(part) % 8) for part in (label, datatype, shape)) + data)


def whole(file: Hdf5, weights: int, layers: Sequence[object] = LAYERS, *more: bytes) -> bytes:
    """A whole model whose weights are in this group."""
    config = texts("model_config", network(layers))
    return file.written(file.group({"model_weights": weights}, config, texts("keras_version", "2.8.0"), *more))


def with_kernel(kernel: Callable[[Hdf5], int]) -> bytes:
    """A sound model but for one tensor."""
    file = Hdf5()
    inner = file.group({"kernel:0": kernel(file), "bias:0": file.numbers((2,), BIAS)})
    dense = file.group({"dense": inner}, texts("weight_names", ["dense/kernel:0", "dense/bias:0"]))
    return whole(file, file.group({"dense": dense}, texts("layer_names", ["dense"])))


def with_weights(listed: Sequence[str], group: Callable[[Hdf5], int]) -> bytes:
    """A model whose layers have these names."""
    file = Hdf5()
    members = {"dense": group(file)}
    return whole(file, file.group(members, texts("layer_names", listed)))


def with_root(*messages: bytes) -> bytes:
    file = Hdf5()
    return file.written(file.header(*messages))


def link(cached: int) -> bytes:
    file = Hdf5()
    group = file.group({"dense": NOWHERE}, texts("layer_names", ["dense"]), cached=cached)
    return whole(file, group)


def group_in_itself(*messages: bytes, listed: Sequence[str] = ("dense",)) -> bytes:
    """``dense`` has a member ``a``, which is ``dense`` again, and a tensor without numbers ``w``."""

    def dense(file: Hdf5) -> int:
        heap, places = file.names(["a", "w"])
        leaf = file.leaf(places, [0, file.empty()])
        address = file.header(table(file.tree(leaf), heap), *messages)
        file.patch(leaf + 16, struct.pack("<Q", address))
        return address

    return with_weights(listed, dense)


def tree_in_itself(children: int) -> bytes:
    def dense(file: Hdf5) -> int:
        tree = file.tree(*[0] * children)
        for i in range(children):
            file.patch(tree + 32 + 16 * i, struct.pack("<Q", tree))
        return file.header(table(tree, file.heap(bytes(8))))

    return with_weights(["dense"], dense)


def continued(size: int) -> bytes:
    """A block of a header that says that it goes on in itself, with a long message before."""
    file = Hdf5()
    body = message(0, bytes(size)) + message(0x10, struct.pack("<QQ", 0, 0))
    block = file.put(body)
    file.patch(block + len(body) - 16, struct.pack("<QQ", block, len(body)))
    return file.written(file.header(message(0x10, struct.pack("<QQ", block, len(body))), count=65535))


def overlapping_names(size: int, count: int) -> bytes:
    def dense(file: Hdf5) -> int:
        heap = file.heap(b"a" * size + b"\0")
        return file.header(table(file.tree(file.leaf(range(count), [96] * count)), heap))

    return with_weights(["dense"], dense)


def heap_of_many_groups(count: int, size: int) -> bytes:
    """Groups that have one list of names, which is long."""
    file = Hdf5()
    heap = file.heap(b"a\0" + bytes(size))
    tree = file.tree(file.leaf([0], [96]))
    members = {str(i): file.header(table(tree, heap)) for i in range(count)}
    return whole(file, file.group(members, texts("layer_names", [*members])))


def long_attributes(count: int) -> bytes:
    """A layer that is listed again and again, with many long attributes that are not those that are looked for."""
    long = [attribute("x" * 60_000, FLOAT, space(), bytes(4)) for _ in range(count)]
    return with_weights(["dense"] * 9000, lambda file: file.group({}, *long, texts("weight_names", [])))


def nested_groups(depth: int) -> bytes:
    def dense(file: Hdf5) -> int:
        inner = file.empty()
        for _ in range(depth):
            inner = file.group({"a": inner})
        return file.group({"a": inner}, texts("weight_names", ["a/" * (depth + 1)]))

    return with_weights(["dense"], dense)


def chunked(shape: Sequence[int], content: bytes) -> Callable[[Hdf5], int]:
    """A tensor in one compressed chunk, as ``compression='gzip'`` makes it."""

    def kernel(file: Hdf5) -> int:
        place = file.put(content)
        keys = struct.pack("<II3Q", len(content), 0, 0, 0, 0)
        tree = struct.pack("<4sBBHQQ", b"TREE", 1, 0, 1, NOWHERE, NOWHERE) + keys + struct.pack("<Q", place) + keys
        layout = struct.pack("<BBBQ3I", 3, 2, 3, file.put(tree), 2**16, 2**16, 4)
        deflate = struct.pack("<BB6xHHHHII", 1, 1, 1, 0, 0, 1, 9, 0)
        parts = [message(1, space(*shape)), message(3, FLOAT), message(8, layout), message(0xB, deflate)]
        return file.header(*parts)

    return kernel


def of_type(datatype: bytes) -> bytes:
    def kernel(file: Hdf5) -> int:
        layout = struct.pack("<BBQQ", 3, 1, file.put(KERNEL), len(KERNEL))
        return file.header(message(1, space(48, 2)), message(3, datatype), message(8, layout))

    return with_kernel(kernel)


def vlen(count: int, heap: int = 0) -> bytes:
    """A list of texts of variable length, all of them one object."""
    file = Hdf5()
    heap = heap or file.put(
        struct.pack("<4sB3xQ", b"GCOL", 1, 60_032) + struct.pack("<H6xQ", 1, 60_000) + bytes(60_000)
    )
    reference = struct.pack("<IQI", 60_000, heap, 1)
    names = attribute("layer_names", struct.pack("<B3xI", 0x19, 16) + FLOAT, space(count), reference * count)
    return whole(file, file.group({}, names))


HDF5_FILES: dict[str, Callable[[], bytes]] = {
    # groups and headers
    "a group in itself": lambda: group_in_itself(texts("weight_names", ["a/a/a/a/a"])),
    "10000 long ways through a group in itself": lambda: group_in_itself(
        texts("weight_names", ["a/" * 30_000 + "w:0"]), listed=["dense"] * 10_000
    ),
    "10000 ways through a group in itself": lambda: group_in_itself(
        texts("weight_names", ["a/" * 490 + "w:0"]), listed=["dense"] * 10_000
    ),
    "the root is its own model_weights": lambda: Hdf5().written(96),
    "a tree of names in itself": lambda: tree_in_itself(1),
    "a tree of 60000 names in itself": lambda: tree_in_itself(60_000),
    "a header that goes on in itself": lambda: continued(8),
    "a long header that goes on in itself": lambda: continued(60_000),
    "names that overlap": lambda: overlapping_names(500_000, 60_000),
    "names beyond the end": lambda: with_weights(["dense"], lambda file: file.header(table(2**63, 2**63))),
    "a list of names of many groups": lambda: heap_of_many_groups(5000, 10**7),
    "groups 5000 deep": lambda: nested_groups(5000),
    "a soft link": lambda: link(2),
    "a link to nowhere": lambda: link(0),
    "a million attributes": lambda: with_root(*[texts("a", "b")] * 65_535),
    "a layer listed 9000 times with long attributes": lambda: long_attributes(50),
    "messages of a header that are too long": lambda: with_root(struct.pack("<HHB3x", 0xC, 65_535, 0)),
    "a header of 4 GB": lambda: (lambda file: file.written(file.header(count=65_535, size=2**32 - 1)))(Hdf5()),
    # attributes
    "an attribute of 2^60 texts": lambda: with_root(texts("model_config", ["a"], count=2**60)),
    "an attribute with a name that is too long": lambda: with_root(attribute("a", FLOAT, space(), b"", named=65_000)),
    "texts of variable length that share their bytes": lambda: vlen(4000),
    "texts of variable length beyond the end": lambda: vlen(10, 2**62),
    "a description of compound type": lambda: with_root(texts("model_config", "{}", kind=0x16)),
    "a description of numbers": lambda: with_root(attribute("model_config", FLOAT, space(), bytes(4))),
    # tensors
    "a tensor of 2^60 numbers": lambda: with_kernel(lambda file: file.numbers((2**30, 2**30), b"", size=2**62)),
    "a tensor of 2^126 numbers": lambda: with_kernel(lambda file: file.numbers((2**63, 2**63), b"", size=2**62)),
    "a tensor of nothing times 2^63": lambda: with_kernel(lambda file: file.empty(0, 2**63)),
    "a tensor of nothing times 2^40 times 2^40": lambda: with_kernel(lambda file: file.empty(0, 2**40, 2**40)),
    "a tensor of 32 axes": lambda: with_kernel(lambda file: file.empty(*[0] * 32)),
    "a tensor of 255 axes": lambda: with_kernel(lambda file: file.empty(*[0] * 255)),
    "a tensor of another size": lambda: with_kernel(lambda file: file.numbers((48, 2), KERNEL[:-4])),
    "a tensor in another file": lambda: with_kernel(lambda file: file.numbers((48, 2), KERNEL, message(7, bytes(24)))),
    "a chunk that is a gzip bomb": lambda: with_kernel(chunked((2**16, 2**16), zlib.compress(bytes(2**26), 9))),
    "a chunk that is no gzip": lambda: with_kernel(chunked((48, 2), b"\xff" * 100)),
    "a tensor of compound type": lambda: of_type(struct.pack("<B3xI", 0x16, 2**31)),
    "a tensor of variable length": lambda: of_type(struct.pack("<B3xI", 0x19, 16) + FLOAT),
    "a tensor of floats of 0 bytes": lambda: of_type(FLOAT[:4] + bytes(4) + FLOAT[8:]),
    "a tensor that is a group": lambda: with_kernel(lambda file: file.group({})),
    "20000 tensors of one name": lambda: with_weights(
        ["dense"] * 4, lambda file: file.group({"w": file.empty()}, texts("weight_names", ["w"] * 5000))
    ),
    "harmless: sound": lambda: with_kernel(lambda file: file.numbers((48, 2), KERNEL)),
}


# --- .keras -----------------------------------------------------------------------------------------------------------


def keras(weights: bytes, config: str = "", *more: Part) -> bytes:
    return zipped(Part("config.json", (config or network()).encode()), Part("model.weights.h5", weights), *more)


def numbered(*places: str, variables: Callable[[Hdf5], dict[str, int]] | None = None) -> bytes:
    """Weights as Keras 3 lays them out, the same ones for each layer."""
    file = Hdf5()
    sound = {"0": file.numbers((48, 2), KERNEL), "1": file.numbers((2,), BIAS)}
    one = file.group({"vars": file.group(variables(file) if variables else sound)})
    return file.written(file.group({"layers": file.group(dict.fromkeys(places or ["dense"], one))}))


def models_in_models(depth: int) -> str:
    before = '{"class_name": "Sequential", "config": {"name": "sequential", "layers": ['
    return before * (depth + 1) + json.dumps(LAYERS)[1:-1] + "]}}" * (depth + 1)


def model_in_itself(depth: int) -> bytes:
    """Groups of models in circles, for a configuration that goes in as deep as it can."""
    file = Hdf5()
    heap, places = file.names(["layers", "sequential"])
    leaf = file.leaf(places, [0, 0])
    address = file.header(table(file.tree(leaf), heap))
    for i in range(2):
        file.patch(leaf + 16 + 40 * i, struct.pack("<Q", address))
    return keras(file.written(address), models_in_models(depth))


def places(count: int, kind: str = "dense") -> list[str]:
    return [kind, *(f"{kind}_{i}" for i in range(1, count))]


def bomb() -> bytes:
    part = zeros(2**30)
    part.name = "model.weights.h5"
    return zipped(Part("config.json", network().encode()), part)


KERAS_FILES: dict[str, Callable[[], bytes]] = {
    "models 15 deep in circles": lambda: model_in_itself(15),
    "models 17 deep in circles": lambda: model_in_itself(17),
    "models 2000 deep": lambda: keras(numbered(), models_in_models(2000)),
    "models 50000 deep": lambda: keras(numbered(), '{"class_name":"M","config":{"layers":[' * 50_000),
    "weights that are a bomb": bomb,
    "weights that are a zip": lambda: keras(zipped(Part("config.json", b"{}"))),
    "weights cut short": lambda: keras(numbered()[:700]),
    "harmless: weights of another name": lambda: zipped(
        Part("config.json", network().encode()), Part("weights.h5", numbered())
    ),
    "weights twice": lambda: keras(numbered(), "", Part("model.weights.h5", b"")),
    "20000 layers share 20000 weights": lambda: keras(
        numbered(*places(20_000), variables=lambda file: dict.fromkeys(map(str, range(20_000)), file.empty())),
        network([*LAYERS[:2], *[layer("Dense", "d")] * 20_000]),
    ),
    "20000 layers share one weight": lambda: keras(
        numbered(*places(20_000)), network([*LAYERS[:2], *[layer("Dense", "d")] * 20_000])
    ),
    "names of classes that lead up": lambda: keras(numbered(), network([layer("../../../etc/passwd", "dense")])),
    "names of layers of a million letters": lambda: keras(numbered(), network([layer("Dense", "d" * 10**6)])),
    "harmless: sound": lambda: keras(numbered()),
    "harmless: not compressed": lambda: zipped(
        Part("config.json", network().encode(), method=STORED), Part("model.weights.h5", numbered(), method=STORED)
    ),
}


# --- SavedModel -------------------------------------------------------------------------------------------------------


def attr(key: str, value: bytes) -> bytes:
    return field(5, field(1, key) + field(2, value))


def node(name: str, op: str, inputs: Iterable[str] = (), *attributes: bytes) -> bytes:
    return field(1, name) + field(2, op) + b"".join(field(3, each) for each in inputs) + b"".join(attributes)


def call(name: str, function: str, *inputs: str) -> bytes:
    return node(name, "PartitionedCall", inputs, attr("f", field(10, field(1, function))))


def tensor(shape: Sequence[int], content: bytes = b"", values: bytes = b"", kind: int = 1) -> bytes:
    sizes = b"".join(field(2, field(1, size)) for size in shape)
    return field(1, kind) + field(2, sizes) + field(4, content) * bool(content) + field(5, values)


def const(name: str, value: bytes) -> bytes:
    return node(name, "Const", (), attr("value", field(8, value)))


def function(name: str, nodes: Iterable[bytes], result: str, inputs: Sequence[str] = ("x",)) -> bytes:
    signature = field(1, name) + b"".join(field(2, field(1, each)) for each in inputs) + field(3, field(1, "y"))
    return field(1, signature) + b"".join(field(3, n) for n in nodes) + field(4, field(1, "y") + field(2, result))


SHAPE = attr("shape", field(7, b"".join(field(2, field(1, size)) for size in (2**64 - 1, 4, 4, 3))))
IMAGE = node("image", "Placeholder", (), SHAPE, attr("dtype", field(6, 1)))
AXES = const("axes", field(1, 3) + field(2, field(2, field(1, 2))) + field(7, bytes([1, 2])))
END = node("y", "Mean", ["last", "axes"])
WIDE = field(1, 1)
WIDE += field(2, b"".join(field(2, field(1, size)) for size in (1, 1, 3, 87_381))) + field(4, bytes(1_048_572))
CONV = [attr("strides", field(1, field(3, bytes([1, 1, 1, 1])))), attr("padding", field(2, "SAME"))]


def saved(
    *nodes: bytes, functions: Iterable[bytes] = (), output: str = "y:0", restore: str = "", files: Sequence[Part] = ()
) -> bytes:
    library = b"".join(field(1, each) for each in functions)
    graph = b"".join(field(1, each) for each in (IMAGE, *nodes)) + field(2, library)
    info = field(1, field(1, "in") + field(2, field(1, "image:0")))
    info += field(2, field(1, "out") + field(2, field(1, output)))
    meta = field(2, graph) + field(3, field(3, restore)) + field(5, field(1, "serving_default") + field(2, info))
    return together(Part("saved_model.pb", field(2, meta)), *files)


def together(*parts: Part) -> bytes:
    """An archive that is no larger in memory than as a file."""
    return zipped(*(replace(part, method=STORED) for part in parts))


def added(constants: Mapping[str, bytes], *nodes: bytes, functions: Iterable[bytes] = ()) -> bytes:
    """The mean of the image and of what these operations make."""
    made = [const(name, value) for name, value in constants.items()]
    last = node("last", "AddN", ["image", *constants]) if constants else b""
    return saved(*made, *nodes, *([last] if last else []), AXES, END, functions=functions)


def called(body: Sequence[bytes], result: str, count: int, name: str = "f") -> bytes:
    """A function that is called again and again, with what it made before."""
    calls = [call(f"c{i}", name, f"c{i - 1}" if i else "image") for i in range(count)]
    last = node("last", "Identity", [f"c{count - 1}"])
    return saved(*reversed(calls), last, AXES, END, functions=[function(name, body, result)])


def restored(*nodes: bytes) -> bytes:
    return saved(node("y", "Neg", ["image"]), *nodes, restore="restore")


def assigned(count: int) -> bytes:
    """Variables that are restored by way of a long chain."""
    chain = [node(f"i{i}", "Identity", [f"i{i + 1}"]) for i in range(count)]
    return restored(
        *chain, *(node(f"a{i}", "AssignVariableOp", ["v", "i0"]) for i in range(count)), node("restore", "")
    )


# --- checkpoints ------------------------------------------------------------------------------------------------------


def entry(key: bytes, value: bytes, shared: int = 0) -> bytes:
    return varint(shared) + varint(len(key)) + varint(len(value)) + key + value


def block(*entries: bytes, packed: int = 0, restarts: int = 0) -> bytes:
    return b"".join(entries) + struct.pack("<I", restarts) + bytes([packed]) + bytes(4)


def handle(offset: int, size: int) -> bytes:
    return varint(offset) + varint(size)


def index(*blocks: bytes, handles: Sequence[bytes] | None = None, place: tuple[int, int] | None = None) -> bytes:
    """A table of blocks, whose list of blocks may lie."""
    data, found = b"", []
    for each in blocks:
        found.append(handle(len(data), len(each) - 5))
        data += each
    listed = block(*(entry(b"k", each) for each in (found if handles is None else handles)))
    footer = handle(0, 0) + handle(*(place or (len(data), len(listed) - 5)))
    return data + listed + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def listed(shape: Sequence[int], offset: int = 0, size: int = 0, kind: int = 1, shard: int = 0) -> bytes:
    sizes = b"".join(field(2, field(1, each)) for each in shape)
    numbers = field(3, shard) + field(4, offset) + field(5, size)
    return field(1, kind) + field(2, sizes) + numbers


HEADER = entry(b"", field(1, 1))


def with_variables(table: bytes, data: bytes = b"", count: int = 1, shape: Sequence[int] = (3,)) -> bytes:
    """The image with variables added, which are called v0, v1, ..."""
    nodes = []
    for i in range(count):
        nodes += [node(f"v{i}", "VarHandleOp"), node(f"r{i}", "ReadVariableOp", [f"v{i}"])]
    nodes += [node("last", "AddN", ["image", *(f"r{i}" for i in range(count))]), AXES, END]
    files = [Part("variables/variables.index", table), Part("variables/variables.data-00000-of-00001", data)]
    return saved(*nodes, files=files)


def variables(*entries: bytes) -> bytes:
    return index(block(HEADER, *entries))


THREE = struct.pack("<3f", 1, 2, 3)

SAVED_MODELS: dict[str, Callable[[], bytes]] = {
    # functions
    "a function that calls itself": lambda: called([call("a", "f", "x")], "a:y:0", 1),
    "two functions that call each other": lambda: saved(
        call("y", "f", "image"),
        functions=[function("f", [call("a", "g", "x")], "a:y:0"), function("g", [call("a", "f", "x")], "a:y:0")],
    ),
    "20000 calls one after the other": lambda: called([node("a", "Neg", ["x"])], "a:y:0", 20_000),
    "20000 calls of a name of 100000 letters": lambda: called(
        [node("a" * 100_000, "Neg", ["x"])], "a" * 100_000 + ":y:0", 20_000
    ),
    "calls with 100000 inputs": lambda: saved(
        *(call(f"c{i}", "f", "image") for i in range(2000)),
        node("y", "AddN", [f"c{i}" for i in range(2000)]),
        functions=[function("f", [node("a", "AddN", ["x"] * 100_000)], "a:y:0")],
    ),
    "calls with lists of 100000 numbers": lambda: saved(
        *(call(f"c{i}", "f", "image") for i in range(2000)),
        node("y", "AddN", [f"c{i}" for i in range(2000)]),
        functions=[
            function(
                "f",
                [
                    node(
                        "a",
                        "Neg",
                        ["x"],
                        *(attr(f"k{i}", field(1, field(3, b"\x7f\xff\x7f" * 300))) for i in range(99)),
                    )
                ],
                "a:y:0",
            )
        ],
    ),
    "a constant of 1 MB in a function called 9000 times": lambda: saved(
        *(call(f"c{i}", "f", "image") for i in range(9000)),
        node("last", "AddN", [f"c{i}" for i in range(9000)]),
        AXES,
        END,
        functions=[function("f", [const("k", WIDE), node("a", "Conv2D", ["x", "k:output:0"], *CONV)], "a:y:0")],
    ),
    "a constant of 1 MB in 2000 convolutions": lambda: saved(
        const("k", WIDE),
        *(node(f"c{i}", "Conv2D", ["image", "k"], *CONV) for i in range(2000)),
        node("last", "AddN", [f"c{i}" for i in range(2000)]),
        AXES,
        END,
    ),
    "a variable of 1 MB that is read 2000 times": lambda: saved(
        node("v0", "VarHandleOp"),
        *(node(f"r{i}", "ReadVariableOp", ["v0"]) for i in range(2000)),
        *(node(f"c{i}", "Conv2D", ["image", f"r{i}"], *CONV) for i in range(2000)),
        node("last", "AddN", [f"c{i}" for i in range(2000)]),
        AXES,
        END,
        files=[
            Part("variables/variables.index", variables(entry(b"v0", listed((1, 1, 3, 87_381), 0, 1_048_572)))),
            Part("variables/variables.data-00000-of-00001", bytes(1_048_572)),
        ],
    ),
    "10 nodes of 250000 fields": lambda: saved(*[node("a", "") + bytes([0x78, 0]) * 250_000] * 10),
    "10 functions of 250000 fields": lambda: saved(functions=[bytes([0x78, 0]) * 250_000] * 10),
    "a function of 100000 fields called 1000 times": lambda: saved(
        *(call(f"c{i}", "f", "image") for i in range(1000)),
        node("y", "AddN", [f"c{i}" for i in range(1000)]),
        functions=[function("f", [node("a", "Neg", ["x"])], "a:y:0") + bytes([0x78, 0]) * 100_000],
    ),
    "a function that is not there": lambda: saved(call("y", "nowhere", "image")),
    # operations
    "operations in a circle": lambda: saved(node("a", "Neg", ["y"]), node("y", "Neg", ["a"])),
    "names in a circle that restores variables": lambda: restored(
        node("a", "Identity", ["b"]), node("b", "Identity", ["a"]), node("restore", "AssignVariableOp", ["v", "a"])
    ),
    "a name of nothing that restores variables": lambda: restored(
        node("a", "Identity"), node("restore", "AssignVariableOp", ["v", "a"])
    ),
    "a long chain that restores variables": lambda: assigned(15_000),
    "250000 empty operations": lambda: together(Part("saved_model.pb", field(2, field(2, field(1, b"") * 250_000)))),
    "250000 empty functions": lambda: saved(functions=[b""] * 250_000),
    "250000 empty graphs": lambda: together(Part("saved_model.pb", field(2, b"") * 250_000)),
    "250000 signatures": lambda: zipped(
        Part("saved_model.pb", field(2, b"".join(field(5, field(1, str(i))) for i in range(250_000))))
    ),
    "250000 empty signatures": lambda: together(Part("saved_model.pb", field(2, field(5, b"") * 250_000))),
    "an operation of 250000 inputs": lambda: saved(node("y", "AddN", ["image"] * 250_000)),
    "an operation of 250000 attributes": lambda: saved(node("y", "Neg", ["image"], *[attr("", b"")] * 250_000)),
    # constants
    "a constant of 2^40 numbers": lambda: added({"k": tensor((2**20, 2**20), values=THREE[:4])}),
    "a constant of 2^30 numbers": lambda: added({"k": tensor((2**15, 2**15), values=THREE[:4])}),
    "2000 constants of a million equal numbers": lambda: added(
        {f"k{i}": tensor((2**20,), values=THREE[:4]) for i in range(2000)}
    ),
    "a constant of nothing times 2^93": lambda: added({"k": tensor((0, *[2**31 - 1] * 3))}),
    "a constant of another size": lambda: added({"k": tensor((3,), THREE[:8])}),
    "a constant of negative size": lambda: added({"k": tensor((2**64 - 3,), THREE)}),
    "a constant of 250000 axes": lambda: added({"k": tensor([1] * 250_000, THREE)}),
    "a constant of numbers in 250000 pieces": lambda: added({"k": tensor((3,)) + field(5, THREE[:4]) * 250_000}),
    # checkpoints
    "variables are missing": lambda: saved(
        node("v", "VarHandleOp"), node("r", "ReadVariableOp", ["v"]), node("last", "AddV2", ["image", "r"]), AXES, END
    ),
    "a variable is missing": lambda: with_variables(variables()),
    "a variable beyond the end": lambda: with_variables(variables(entry(b"v0", listed((3,), 2**60, 12))), THREE),
    "a variable before the beginning": lambda: with_variables(
        variables(entry(b"v0", listed((3,), 2**64 - 4, 12))), THREE
    ),
    "a variable of 2^60 numbers": lambda: with_variables(
        variables(entry(b"v0", listed((2**30, 2**30), 0, 2**62))), THREE
    ),
    "a variable of another shape": lambda: with_variables(variables(entry(b"v0", listed((5,), 0, 12))), THREE),
    "a variable of nothing times 2^93": lambda: with_variables(
        variables(entry(b"v0", listed((0, *[2**31 - 1] * 3)))), THREE
    ),
    "a variable of an unknown type": lambda: with_variables(variables(entry(b"v0", listed((3,), 0, 12, 99))), THREE),
    "a variable in file 2^60": lambda: with_variables(variables(entry(b"v0", listed((3,), 0, 12, shard=2**60))), THREE),
    "5000 variables in the same bytes": lambda: with_variables(
        variables(*(entry(b"v%d" % i, listed((2**20, 1), 0, 2**20, 4)) for i in range(5000))), bytes(2**20), 5000
    ),
    "a block listed 100000 times": lambda: with_variables(
        index(block(HEADER, entry(b"v0", bytes(2**19))), handles=[handle(0, 2**19)] * 100_000)
    ),
    "the list of blocks lists itself": lambda: with_variables(index(handles=[handle(0, 20)] * 5)),
    "blocks beyond the end": lambda: with_variables(index(handles=[handle(2**62, 2**62)])),
    "a list of blocks beyond the end": lambda: with_variables(index(place=(2**62, 100))),
    "a block compressed with Snappy": lambda: with_variables(
        index(block(b"\xff\xff\xff\x7f\x00a" + b"\xfe" * 9, packed=1))
    ),
    "a block of 2^32 beginnings": lambda: with_variables(index(block(HEADER, restarts=2**32 - 1))),
    "keys of 9000 letters that share them": lambda: with_variables(
        variables(
            entry(b"a" * 9000, listed((3,), 0, 12)),
            *(entry(b"%06d" % i, listed((3,), 0, 12), shared=9000) for i in range(90_000)),
        ),
        THREE,
    ),
    "an index of zeros": lambda: with_variables(bytes(1000)),
    "harmless: variables": lambda: with_variables(variables(entry(b"v0", listed((3,), 0, 12))), THREE),
    "harmless: constants": lambda: added({"k": tensor((3,), THREE)}),
    "harmless: a function called 20 times": lambda: called([node("a", "Neg", ["x"])], "a:y:0", 20),
}
