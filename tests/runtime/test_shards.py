from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.shards import read_weights

VALUES = np.float32([[0.1, -2, 3], [4, 5, -6]])
DATA = VALUES.tobytes()


def entry(name: str = "w", shape: Any = (2, 3), dtype: Any = "float32", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(shape) if isinstance(shape, tuple) else shape, "dtype": dtype, **more}


def group(*entries: Any, paths: Any = ("a.bin",)) -> dict[str, Any]:
    return {"paths": list(paths) if isinstance(paths, tuple) else paths, "weights": list(entries)}


def refusal(manifest: Any, files: dict[str, bytes] | None = None) -> str:
    with pytest.raises(ModelError) as raised:
        read_weights("m.json", manifest, {"a.bin": DATA} if files is None else files)
    assert raised.value.hint
    return raised.value.message


def test_shards_are_joined_before_they_are_cut_even_within_a_number() -> None:
    files = {"x/a": DATA[:5], "x/b": DATA[5:6], "x/c": DATA[6:] + DATA[:4]}
    manifest = [group(entry("one"), entry("two", ()), paths=("./a", "b", "c"))]
    weights = read_weights("x/m.json", manifest, files)
    np.testing.assert_array_equal(weights["one"], VALUES)
    assert weights["two"].shape == ()
    assert weights["two"] == np.float32(0.1)


def test_each_group_begins_anew_and_may_be_empty() -> None:
    manifest = [group(entry("one")), group(paths=()), group(entry("two"), paths=("below/b.bin",))]
    weights = read_weights("m.json", manifest, {"a.bin": DATA, "below/b.bin": (2 * VALUES).tobytes()})
    np.testing.assert_array_equal(weights["two"], 2 * weights["one"])


@pytest.mark.parametrize(
    ("dtype", "stored"), [("int32", "<i4"), ("uint8", "u1"), ("uint16", "<u2"), ("float16", "<f2"), ("bool", "b1")]
)
def test_every_type_becomes_float32(dtype: str, stored: str) -> None:
    values = np.array([[0, 1, 1], [1, 0, 1]], stored)
    weights = read_weights("m.json", [group(entry(dtype=dtype))], {"a.bin": values.tobytes()})
    assert weights["w"].dtype == np.float32
    np.testing.assert_array_equal(weights["w"], values.astype(np.float32))


@pytest.mark.parametrize("bad", [[math.nan], [math.inf], [-math.inf], [math.inf, -math.inf]])
@pytest.mark.parametrize("stored", ["<f4", "<f2"])
def test_weights_that_are_no_finite_numbers_are_refused(bad: list[float], stored: str) -> None:
    values = np.zeros(6, stored)
    values[2 : 2 + len(bad)] = bad
    how = {} if stored == "<f4" else {"quantization": {"dtype": "float16"}}
    said = refusal([group(entry(**how))], {"a.bin": values.tobytes()})
    assert "The tensor w" in said
    assert "NaN or infinite" in said


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_quantised_values_are_restored_in_float64(dtype: str) -> None:
    quantised = np.array([[0, 1, 2], [77, 254, 255]], dtype)
    scale, minimum = 0.012345678901234567, -1.3333333333333333
    how = {"dtype": dtype, "scale": scale, "min": minimum, "original_dtype": "float32"}
    weights = read_weights("m.json", [group(entry(quantization=how))], {"a.bin": quantised.tobytes()})
    expected = [[np.float32(int(q) * scale + minimum) for q in row] for row in quantised]
    np.testing.assert_array_equal(weights["w"], expected)


def test_large_quantised_tensors_are_restored_whole() -> None:
    quantised = np.random.default_rng(0).integers(0, 256, (3, 200_001), np.uint8)
    how = {"dtype": "uint8", "scale": 0.1, "min": -3}
    weights = read_weights(
        "m.json", [group(entry(shape=(3, 200_001), quantization=how))], {"a.bin": quantised.tobytes()}
    )
    np.testing.assert_array_equal(weights["w"], (quantised * 0.1 - 3).astype(np.float32))


def test_quantised_whole_numbers_are_rounded() -> None:
    how = {"dtype": "uint8", "scale": 0.4, "min": 0}
    files = {"a.bin": bytes([0, 1, 2, 3, 4, 5])}
    weights = read_weights("m.json", [group(entry(dtype="int32", quantization=how))], files)
    assert weights["w"].ravel().tolist() == [0, 0, 1, 1, 2, 2]


def test_quantised_whole_numbers_are_rounded_as_javascript_does() -> None:
    how = {"dtype": "uint8", "scale": 0.5, "min": -1.5}
    weights = read_weights("m.json", [group(entry(dtype="int32", quantization=how))], {"a.bin": bytes(range(6))})
    # [-1.5, -1, -0.5, 0, 0.5, 1].map(Math.round)
    assert weights["w"].ravel().tolist() == [-1, -1, 0, 0, 1, 1]


def test_half_precision_and_plain_tensors_may_share_a_file() -> None:
    half = VALUES.astype("<f2")
    manifest = [group(entry("half", quantization={"dtype": "float16"}), entry("plain"))]
    weights = read_weights("m.json", manifest, {"a.bin": half.tobytes() + DATA})
    np.testing.assert_array_equal(weights["half"], half.astype(np.float32))
    np.testing.assert_array_equal(weights["plain"], VALUES)


def test_the_state_of_the_optimizer_is_passed_over() -> None:
    manifest = [group(entry("step", (2,), group="optimizer"), entry("w"))]
    weights = read_weights("m.json", manifest, {"a.bin": bytes(8) + DATA})
    assert list(weights) == ["w"]
    np.testing.assert_array_equal(weights["w"], VALUES)


def test_all_missing_shards_are_named() -> None:
    manifest = [group(entry(), paths=("a.bin", "b.bin")), group(entry("v"), paths=("c.bin",))]
    said = refusal(manifest)
    assert "b.bin, c.bin" in said
    assert "a.bin" not in said


@pytest.mark.parametrize(
    ("sizes", "culprit", "actual", "expected"),
    [((24,), "s0", 20, 24), ((10, 10, 4), "s1", 6, 10), ((10, 10, 4), "s2", 1, 4), ((10, 10, 4), "s0", 0, 10)],
)
def test_a_truncated_shard_is_named_with_both_sizes(
    sizes: tuple[int, ...], culprit: str, actual: int, expected: int
) -> None:
    names = tuple(f"s{i}" for i in range(len(sizes)))
    files = {name: bytes(size) for name, size in zip(names, sizes, strict=True)} | {culprit: bytes(actual)}
    assert f"{culprit} is incomplete: it has {actual} bytes instead of {expected}" in refusal(
        [group(entry(), paths=names)], files
    )


def test_surplus_bytes_are_refused() -> None:
    said = refusal([group(entry(), paths=("a.bin", "b.bin"))], {"a.bin": DATA, "b.bin": b"xyz"})
    assert "b.bin" in said
    assert "3 bytes" in said


def test_a_huge_announced_size_is_compared_before_anything_is_allocated() -> None:
    side = 2**31 - 1
    assert f"instead of {4 * side**8}" in refusal([group(entry(shape=(side,) * 8))])


@pytest.mark.parametrize(
    "path",
    [
        "../a.bin",
        "x/../../a.bin",
        "/a.bin",
        "C:/a.bin",
        "c:a.bin",
        "::",
        "x\\a.bin",
        "http://x/a.bin",
        "",
        ".",
        7,
        None,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: Any) -> None:
    files = dict.fromkeys(("a.bin", "../a.bin", "/a.bin", "C:/a.bin", "c:a.bin", "::", "x\\a.bin", "x/a.bin"), DATA)
    said = refusal([group(entry(), paths=(path,))], files)
    assert repr(path) in said
    assert "m.json" in said


@pytest.mark.parametrize("shape", [None, [2, -3], [2, 3.0], ["2", 3], [True, 6], [6, 0], [1] * 9, [2**31], {}])
def test_an_impossible_shape_is_refused(shape: Any) -> None:
    assert "The tensor w in m.json has the invalid shape" in refusal([group(entry(shape=shape))])


@pytest.mark.parametrize("dtype", ["string", "complex64", "float64", None, ["float32"], {}])
def test_a_type_that_is_not_read_is_refused(dtype: Any) -> None:
    assert f"The tensor w in m.json has the unsupported dtype {dtype!r}" in refusal([group(entry(dtype=dtype))])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"dtype": "uint8", "min": 0}, "scale"),
        ({"dtype": "uint8", "scale": 1}, "scale"),
        ({"dtype": "uint8", "scale": math.nan, "min": 0}, "scale"),
        ({"dtype": "uint16", "scale": 1, "min": math.inf}, "scale"),
        ({"dtype": "uint8", "scale": True, "min": 0}, "scale"),
        ({"dtype": "uint8", "scale": 10**400, "min": 0}, "scale"),
        ({"dtype": "uint8", "scale": 1e100, "min": 0}, "too large"),
        ({"dtype": "uint4", "scale": 1, "min": 0}, "uint4"),
        ({"dtype": ["uint8"]}, "uint8"),
        ("uint8", "quantisation"),
    ],
)
def test_a_faulty_quantisation_is_refused(how: Any, words: str) -> None:
    said = refusal([group(entry(quantization=how))], {"a.bin": b"\x01" * 6})
    assert "w in m.json" in said
    assert words in said


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        {},
        [1],
        [{}],
        [{"paths": ["a.bin"]}],
        [group(1)],
        [group({"shape": [1], "dtype": "float32"})],
        [group(entry("x" * 1001))],
        [group(entry(), paths=())],
        [group(entry(), entry())],
        [group(entry(), paths=("a.bin", "./a.bin"))],
    ],
)
def test_a_malformed_manifest_is_refused(manifest: Any) -> None:
    assert "m.json" in refusal(manifest)
