from __future__ import annotations

import numpy as np
import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.binding import bind
from napari_webipred.runtime.graph import Weight
from napari_webipred.runtime.topology import Layer


def weight(path: str, role: str, *shape: int, layer: str = "") -> Weight:
    return Weight(path, layer or path, role, shape)


KERNEL, BIAS = weight("conv", "kernel", 2, 3), weight("conv", "bias", 3)


def arrays(**weights: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.float32) for name, shape in weights.items()}


@pytest.mark.parametrize(
    "names",
    [
        ("conv/kernel", "conv/bias"),
        ("model/conv/kernel", "model/conv/bias"),
        ("a/b/conv/kernel", "conv/bias"),
        ("conv/0", "conv/1"),
        ("layers/conv/vars/0", "layers/conv/vars/1"),
        ("conv_6/kernel", "conv_6/bias"),
        ("model/conv_6/kernel", "model/conv_6/bias"),
    ],
)
def test_names_are_found_in_every_known_form_and_any_order(names: tuple[str, str]) -> None:
    weights = arrays(**{names[1]: (3,), names[0]: (2, 3)})
    assert bind("m", [KERNEL, BIAS], [], [], weights) == {KERNEL: names[0], BIAS: names[1]}


def test_a_weight_that_keras_3_has_not_named_is_found() -> None:
    weights = [weight(f"scale_{i}", "gamma", 3) for i in range(3)]
    names = ["scale_0/variable", "scale_1/variable_1", "model/scale_2/variable_2"]
    assert bind("m", weights, [], [], arrays(**dict.fromkeys(names, (3,)))) == dict(zip(weights, names, strict=True))


def test_of_two_weights_without_names_neither_is_guessed() -> None:
    said = fault(arrays(**{"conv/variable": (3,), "conv/variable_1": (2, 3)}))
    assert "conv/kernel, conv/bias are missing" in said


def test_of_very_many_missing_weights_the_first_are_named_and_the_others_counted() -> None:
    with pytest.raises(ModelError) as raised:
        bind("m.json", [weight(f"d{i}", "kernel", 1) for i in range(150)], [], [], {})
    assert "d0/kernel, d1/kernel" in raised.value.message
    assert "d99/kernel and 50 more are missing" in raised.value.message


def test_layers_with_slashes_in_their_names_are_found() -> None:
    inner = Weight("outer/conv1/bn", "conv1/bn", "gamma", (3,))
    for name in ("conv1/bn/gamma", "outer/conv1/bn/gamma", "model/conv1/bn/gamma"):
        assert bind("m", [inner], [], [], arrays(**{name: (3,)})) == {inner: name}


def test_the_models_around_a_layer_tell_two_of_one_name_apart() -> None:
    a, b = Weight("a/conv", "conv", "kernel", (2,)), Weight("b/conv", "conv", "kernel", (2,))
    for prefix in ("", "model/"):
        names = [f"{prefix}b/conv/kernel", f"{prefix}a/conv/kernel"]
        assert bind("m", [a, b], [], [], arrays(**dict.fromkeys(names, (2,)))) == {a: names[1], b: names[0]}


def test_a_numbered_layer_is_not_taken_for_another() -> None:
    first, second = weight("conv", "kernel", 2), weight("conv_1", "kernel", 2)
    weights = arrays(**{"conv_1/kernel": (2,), "conv/kernel": (2,)})
    assert bind("m", [first, second], [], [], weights) == {first: "conv/kernel", second: "conv_1/kernel"}


def fault(weights: dict[str, np.ndarray], pruned: tuple[str, ...] = ()) -> str:
    layers = [Layer(name, "Dense", (), {}) for name in pruned]
    with pytest.raises(ModelError) as raised:
        bind("model.json", [KERNEL, BIAS], [], layers, weights)
    assert "model.json" in raised.value.message
    return raised.value.message


def test_all_missing_and_all_unused_names_are_listed() -> None:
    said = fault(arrays(**{"other/kernel": (2, 3), "other/gamma": (3,)}))
    for name in ("conv/kernel", "conv/bias", "other/kernel", "other/gamma"):
        assert name in said


def test_a_doubtful_name_is_not_guessed() -> None:
    said = fault(arrays(**{"conv/bias": (3,), "a/conv/kernel": (2, 3), "b/conv/kernel": (2, 3)}))
    assert "conv/kernel are missing" in said
    assert "a/conv/kernel, b/conv/kernel" in said


def test_another_shape_of_the_same_size_is_refused() -> None:
    said = fault(arrays(**{"conv/bias": (3,), "conv/kernel": (3, 2)}))
    assert "conv/kernel has the shape [3, 2] instead of [2, 3]" in said


def test_one_tensor_serves_one_layer_only() -> None:
    a, b = Weight("a/conv", "conv", "kernel", (2,)), Weight("b/conv", "conv", "kernel", (2,))
    with pytest.raises(ModelError, match="a/conv/kernel, b/conv/kernel are missing; no layer uses conv/kernel"):
        bind("m", [a, b], [], [], arrays(**{"conv/kernel": (2,)}))


def test_weights_of_layers_that_are_not_computed_may_lie_idle() -> None:
    weights = arrays(
        **{
            "conv/kernel": (2, 3),
            "conv/bias": (3,),
            "m/head/kernel": (1,),
            "random/seed_generator/seed_generator_state": (2,),
        }
    )
    pruned = [Layer("head", "Dense", (), {})]
    assert set(bind("m", [KERNEL, BIAS], [], pruned, weights)) == {KERNEL, BIAS}
    assert "elsewhere/kernel" in fault(weights | arrays(**{"elsewhere/kernel": (1,)}), pruned=("head",))


def test_a_spare_weight_may_be_there_or_not() -> None:
    count = weight("conv", "count")
    for extra in ({}, {"conv/count": ()}):
        weights = arrays(**{"conv/kernel": (2, 3), "conv/bias": (3,), **extra})
        assert set(bind("m", [KERNEL, BIAS], [count], [], weights)) == {KERNEL, BIAS}
