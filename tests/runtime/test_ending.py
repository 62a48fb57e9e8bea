"""What the end of a network tells about its numbers, whatever the format and however a softmax is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.runtime import ending as endings
from napari_webipred.runtime.ending import End, ends
from napari_webipred.runtime.graph import Node

CONSTANTS = {
    "0": np.float32(0),
    "1": np.float32(1),
    "2": np.float32(2),
    "3": np.float32(3),
    "6": np.float32(6),
    "100": np.float32(100),
    "1/2": np.float32(0.5),
    "1/3": np.float32(1 / 3),
    "1/6": np.float32(1 / 6),
    "1/5": np.float32(0.2),
    "-1": np.float32(-1),
    "tiny": np.float32(1e-7),
    "almost 1": np.float32(1 - 1e-7),
    "two": np.float32([0.3, 0.7]),
    "bytes": np.uint8([5, 9]),
    "byte": np.uint8(127),
}
Z = "z = Gemm x w"


def nodes(text: str) -> list[Node]:
    """Read ``name = Operation input input key=number`` for each node, with semicolons between them."""
    made = []
    for line in text.split(";"):
        name, _, words = line.strip().partition(" = ")
        op, *rest = words.split()
        attributes: dict[str, Any] = {}
        for word in rest:
            key, is_attribute, value = word.partition("=")
            if is_attribute:
                attributes[key] = float(value) if "." in value else int(value)
        made.append(Node(op, tuple(word for word in rest if "=" not in word), name, attributes))
    return made


def end(text: str) -> End:
    """Tell what comes out of the last node."""
    listed = nodes(text)
    return ends(listed, CONSTANTS, [listed[-1].output])[0]


@pytest.mark.parametrize(
    "text",
    [
        f"{Z}; y = Softmax z",
        f"{Z}; s = Softmax z axis=1; r = Reshape s k; y = Cast r to=1",
        f"{Z}; q = QuantizeLinear z a b; d = DequantizeLinear q a b; s = Softmax d; t = QuantizeLinear s a b; "
        "y = DequantizeLinear t a b",
        f"{Z}; q = QLinearSoftmax z a b c d; y = DequantizeLinear q c d",
        # TensorFlow writes it out like this.
        f"{Z}; m = ReduceMax z; d = Sub z m; e = Exp d; s = ReduceSum e axes; y = Div e s",
        # The same exponentials are computed above the line and below.
        f"{Z}; m = ReduceMax z; d = Sub z m; e = Exp d; n = ReduceMax z; f = Sub z n; g = Exp f; "
        "s = ReduceSum g axes; y = Div e s",
        f"{Z}; e = Exp z; s = ReduceSum e; t = Add s tiny; y = Div e t",
        f"{Z}; e = Exp z; s = ReduceSum e; t = Max s tiny; i = Reciprocal t; y = Mul e i",
        f"{Z}; e = Exp z; s = ReduceSum e; f = Cast s to=1; p = Pow f -1; y = Mul p e",
        f"{Z}; r = Relu z; s = ReduceL1 r; y = Div r s",
        f"{Z}; l = LogSoftmax z; y = Exp l",
        f"{Z}; s = Softmax z; y = Clip s tiny 1",
        f"{Z}; s = Softmax z; a = Max s tiny; y = Min a",
        # The mean of several networks, and of one over all places.
        f"{Z}; a = Softmax z; b = Softmax x; s = Add a b; y = Mul s 1/2",
        f"{Z}; a = Softmax z; b = Softmax x; c = Softmax v; s = Sum a b c; y = Mul s 1/3",
        f"{Z}; a = Softmax z; b = Softmax x; y = Mean a b",
        "m = Conv x w; s = Softmax m axis=1; g = GlobalAveragePool s; y = Flatten g",
        # p and 1 - p
        f"{Z}; p = Sigmoid z; q = Sub 1 p; y = Concat q p",
    ],
)
def test_numbers_that_add_up_to_1_are_a_softmax_however_it_is_written(text):
    assert end(text).ending == "softmax"


@pytest.mark.parametrize(
    "text",
    [
        f"{Z}; y = Sigmoid z",
        f"{Z}; y = HardSigmoid z",
        f"{Z}; s = QLinearSigmoid z a b c d; y = DequantizeLinear s c d",
        f"{Z}; n = Neg z; e = Exp n; a = Add 1 e; y = Div 1 a",
        f"{Z}; n = Mul z -1; e = Exp n; a = Add e 1; y = Reciprocal a",
        f"{Z}; e = Exp z; a = Add e 1; y = Div e a",
        f"{Z}; t = Tanh z; a = Add t 1; y = Mul a 1/2",
        f"{Z}; t = Tanh z; h = Mul 1/2 t; y = Add h 1/2",
        f"{Z}; t = Tanh z; a = Add t 1; y = Div a 2",
        # A hard sigmoid as TensorFlow and as PyTorch write it.
        f"{Z}; f = Mul z 1/5; a = Add f 1/2; b = Min a 1; y = Max b 0",
        f"{Z}; a = Add z 3; c = Clip a 0 6; y = Mul c 1/6",
        f"{Z}; p = Sigmoid z; y = Sub 1 p",
        f"{Z}; p = Sigmoid z; q = Sigmoid x; y = Concat p q",
        f"{Z}; s = Sigmoid z; y = Clip s min=0.0 max=1.0",
    ],
)
def test_numbers_from_0_to_1_are_sigmoids_however_they_are_written(text):
    assert end(text).ending == "sigmoid"


@pytest.mark.parametrize(
    "text",
    [
        f"{Z}; y = LogSoftmax z",
        f"{Z}; s = Softmax z; y = Log s",
        f"{Z}; l = ReduceLogSumExp z; y = Sub z l",
        f"{Z}; m = ReduceMax z; d = Sub z m; e = Exp d; s = ReduceSum e; l = Log s; y = Sub d l",
    ],
)
def test_logarithms_of_a_softmax_are_told_apart(text):
    assert end(text).ending == "log-softmax"


@pytest.mark.parametrize(
    "text",
    [
        Z,
        f"{Z}; y = Add z bias",
        "m = MatMul x w; y = Add m two",
        f"{Z}; q = QuantizeLinear z a b; y = DequantizeLinear q a b",
        "g = QGemm x a b w c d e; y = DequantizeLinear g f h",
        "m = QLinearMatMul x a b w c d e f; s = QLinearAdd m e f bytes 1/2 byte e f; y = DequantizeLinear s e f",
        # Dynamic quantisation
        "q = DynamicQuantizeLinear x; i = MatMulInteger q w; c = Cast i to=1; s = Mul scale 1/2; m = Mul c s; "
        "y = Add m two",
        "c = Conv x w; y = GlobalAveragePool c",
        "c = Conv x w; b = BatchNormalization c; r = Relu b; y = GlobalAveragePool r",
        f"{Z}; y = Tanh z",
        f"{Z}; y = LeakyRelu z",
        f"{Z}; s = Softmax z; y = Mul s 100",
        f"{Z}; p = Sigmoid z; t = Mul p 2; y = Sub t 1",
    ],
)
def test_numbers_that_are_certainly_no_probabilities_are_linear(text):
    assert end(text).ending == "linear"


@pytest.mark.parametrize(
    "text", [f"{Z}; y = Clip z 0 1", f"{Z}; a = Max z 0; y = Min a 1", f"{Z}; y = Clip z min=0.0 max=1.0"]
)
def test_numbers_that_are_cut_off_are_no_sigmoid(text):
    assert end(text).ending == "clipped"


@pytest.mark.parametrize(
    "text",
    [
        f"{Z}; y = NobodyKnowsIt z",
        f"{Z}; e = Exp z; y = Div e z",
        f"{Z}; e = Exp z; f = Exp x; s = ReduceSum f; y = Div e s",
        f"{Z}; y = Softmax z axis=0",
        f"{Z}; a = Softmax z; b = Softmax x; y = Concat a b",
        f"{Z}; a = Softmax z; y = Slice a starts ends",
        f"{Z}; s = Softmax z; y = Mul s two",
        f"{Z}; s = Softmax z; y = Cast s to=7",
    ],
)
def test_what_cannot_be_told_is_unknown_and_not_guessed(text):
    assert end(text).ending == "unknown"


def test_several_ends_are_told_with_where_they_come_from():
    listed = nodes(f"{Z}; f = Flatten z; s = Softmax f; i = Identity s; p = Identity x")
    found = ends(listed, CONSTANTS, ["f", "i", "p"])
    assert [each.ending for each in found] == ["linear", "softmax", "linear"]
    assert [each.final for each in found] == [False, True, False]
    assert found[0].source == ends(listed, CONSTANTS, ["z"])[0].source


# --- the same by numbers ---------------------------------------------------------------------------------------------

OPERATIONS = {
    "Softmax": (
        1,
        lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True),
    ),
    "Sigmoid": (1, lambda x: 1 / (1 + np.exp(-x))),
    "Tanh": (1, np.tanh),
    "Exp": (1, np.exp),
    "Log": (1, np.log),
    "Neg": (1, np.negative),
    "Relu": (1, lambda x: np.maximum(x, 0)),
    "Reciprocal": (1, lambda x: 1 / x),
    "Abs": (1, np.abs),
    "ReduceSum": (1, lambda x: x.sum(-1, keepdims=True)),
    "ReduceMax": (1, lambda x: x.max(-1, keepdims=True)),
    "Add": (2, np.add),
    "Sub": (2, np.subtract),
    "Mul": (2, np.multiply),
    "Div": (2, np.divide),
    "Max": (2, np.maximum),
    "Min": (2, np.minimum),
}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_told_of_any_network_is_true_of_its_numbers(data):
    """Random operations on random numbers: what is called a softmax adds up to 1, what is a sigmoid lies in 0 to 1."""
    values = {"z": np.random.default_rng(data.draw(st.integers(0, 99))).normal(0, 3, (5, 4)), "1": 1.0, "1/2": 0.5}
    listed = nodes(Z)
    for number in range(data.draw(st.integers(1, 8))):
        op = data.draw(st.sampled_from(sorted(OPERATIONS)))
        count, function = OPERATIONS[op]
        names = [data.draw(st.sampled_from(sorted(values))) for _ in range(count)]
        if all(name in CONSTANTS for name in names):
            continue
        with np.errstate(all="ignore"):
            values[f"t{number}"] = function(*(values[name] for name in names))
        listed.append(Node(op, tuple(names), f"t{number}", {}))
    last = listed[-1].output
    numbers = np.broadcast_to(values[last], (5, 4)) if np.shape(values[last])[-1] == 1 else values[last]
    kind = ends(listed, CONSTANTS, [last])[0].ending
    if not np.isfinite(numbers).all() or np.shape(values[last])[-1] == 1:
        return
    if kind in {"softmax", "sigmoid", "clipped"}:
        assert numbers.min() >= -1e-3
        assert numbers.max() <= 1 + 1e-3
    if kind == "softmax":
        np.testing.assert_allclose(numbers.sum(-1), 1, atol=5e-3)
    if kind == "log-softmax":
        np.testing.assert_allclose(np.exp(numbers).sum(-1), 1, atol=5e-3)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_graph_however_strange_is_too_much(data):
    names = [*CONSTANTS, "", "x", *(f"t{i}" for i in range(6))]
    listed = [
        Node(
            data.draw(st.sampled_from(sorted(endings._RULES))),
            tuple(data.draw(st.lists(st.sampled_from(names), max_size=4))),
            f"t{i}",
            data.draw(st.dictionaries(st.sampled_from(["axis", "to", "min", "max"]), st.integers(-3, 12), max_size=2)),
        )
        for i in range(6)
    ]
    constants = CONSTANTS | {"inf": np.float32(np.inf), "none": np.zeros(0, np.float32), "text": np.array(["a"])}
    assert ends(listed, constants, ["t5", "x", "none"])[0].ending in {
        *("softmax", "sigmoid", "log-softmax", "clipped", "linear", "unknown")
    }
