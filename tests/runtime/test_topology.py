from __future__ import annotations

from typing import Any

import pytest

from napari_webipred.errors import ModelError
from napari_webipred.runtime.topology import Network, Ref, ancestors, flatten

IMAGE = {"batch_input_shape": [None, 2, 2, 1]}


def entry(name: str, class_name: str, *calls: Any, **config: Any) -> dict[str, Any]:
    return {"name": name, "class_name": class_name, "config": config, "inbound_nodes": list(calls)}


def functional(
    *layers: dict[str, Any], output: Any, name: str = "m", inputs: Any = (("image", 0, 0),)
) -> dict[str, Any]:
    image = entry("image", "InputLayer", **IMAGE)
    ends = {"input_layers": [list(ref) for ref in inputs], "output_layers": output}
    return {"class_name": "Functional", "config": {"name": name, "layers": [image, *layers], **ends}}


def called(network: Network) -> list[tuple[str, list[Any]]]:
    """Each call as the name of its layer and those of what it is applied to."""
    paths = [call.layer.path for call in network.calls]
    return [
        (call.layer.path, [paths[value.call] if isinstance(value, Ref) else value for value in call.operands])
        for call in network.calls
    ]


def refusal(topology: dict[str, Any]) -> str:
    with pytest.raises(ModelError) as raised:
        flatten(topology)
    return raised.value.message


def test_layers_may_stand_in_any_order() -> None:
    topology = functional(
        entry("b", "ReLU", [["a", 0, 0, {}]]), entry("a", "ReLU", [["image", 0, 0, {}]]), output=[["b", 0, 0]]
    )
    assert called(flatten(topology)) == [("image", []), ("a", ["image"]), ("b", ["a"])]


def test_calls_without_the_outer_list_are_read() -> None:
    topology = functional(entry("a", "ReLU", ["image", 0, 0, {}]), output=["a", 0, 0])
    topology["config"]["input_layers"] = ["image", 0, 0]
    assert called(flatten(topology))[-1] == ("a", ["image"])


def test_outputs_with_names_come_in_the_order_of_the_names() -> None:
    topology = functional(
        entry("a", "ReLU", [["image", 0, 0, {}]]),
        entry("b", "ReLU", [["a", 0, 0, {}]]),
        output={"tissue": ["a", 0, 0], "stain": ["b", 0, 0]},
    )
    network = flatten(topology)
    paths = [call.layer.path for call in network.calls]
    assert [paths[output.call] for output in network.outputs] == ["b", "a"]


def test_tensors_among_the_arguments_are_found() -> None:
    topology = functional(
        entry("sum", "TFOpLambda", ["image", 0, 0, {"y": ["late", 0, 0], "name": None}]),
        entry("less", "TFOpLambda", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["sum", 0, 0]}]),
        entry("late", "ReLU", [["image", 0, 0, {}]]),
        output=[["less", 0, 0]],
    )
    network = flatten(topology)
    names = [call.layer.name for call in network.calls]
    assert names == ["image", "late", "sum", "less"]
    assert network.calls[2].arguments == {"y": Ref(1), "name": None}
    assert network.calls[3].operands == (1.0,)
    assert network.calls[3].arguments == {"y": Ref(2)}


def test_calls_of_keras_3_are_read() -> None:
    def tensor(name: str) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [name, 0, 0]}}

    topology = functional(
        entry("b", "Add", {"args": [[tensor("a"), tensor("image")]], "kwargs": {}}),
        entry("a", "Subtract", {"args": [3.0, tensor("image")], "kwargs": {"mask": None}}),
        output=["b", 0, 0],
    )
    assert called(flatten(topology))[1:] == [("a", [3.0, "image"]), ("b", ["a", "image"])]


def test_a_layer_that_keras_2_calls_as_in_training_is_refused() -> None:
    topology = functional(entry("noise", "Dropout", [["image", 0, 0, {"training": True}]]), output=[["noise", 0, 0]])
    assert "noise is in training mode" in refusal(topology)
    topology["config"]["layers"][1]["inbound_nodes"] = [[["image", 0, 0, {"training": False}]]]
    assert called(flatten(topology)) == [("image", []), ("noise", ["image"])]


@pytest.mark.parametrize("first", [0, 1])
def test_calls_of_a_nested_model_count_from_0_or_1(first: int) -> None:
    inner = functional(entry("relu", "ReLU", [["image", 0, 0, {}]]), output=[["relu", 0, 0]], name="inner")
    topology = functional(
        {**inner, "name": "inner", "inbound_nodes": [[["image", 0, 0, {}]], [["inner", first, 0, {}]]]},
        entry("end", "Softmax", [["inner", first + 1, 0, {}]]),
        output=[["end", 0, 0]],
    )
    network = flatten(topology)
    assert called(network) == [
        ("image", []),
        ("inner/relu", ["image"]),
        ("inner/relu", ["inner/relu"]),
        ("end", ["inner/relu"]),
    ]
    assert network.calls[2].operands == (Ref(1),)


def test_a_second_output_stays_the_second_within_a_nested_model() -> None:
    inner = functional(entry("relu", "ReLU", [["image", 0, 0, {}]]), output=[["relu", 0, 0]], name="inner")
    topology = functional(
        entry("two", "Attention", [["image", 0, 0, {}]]),
        {**inner, "name": "inner", "inbound_nodes": [[["two", 0, 1, {}]]]},
        output=[["inner", 1, 0]],
    )
    assert flatten(topology).calls[-1].operands == (Ref(1, 1),)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"class_name": "ReLU"}, "ReLU"),
        ({"class_name": "ReLU", "module": "keras.layers", "registered_name": None}, "ReLU"),
        ({"class_name": "ReLU", "module": "tf_keras.src.layers", "registered_name": "ReLU"}, "ReLU"),
        ({"class_name": "Custom>LayerScale"}, "LayerScale"),
        ({"class_name": "LayerScale", "module": None, "registered_name": "Custom>LayerScale"}, "LayerScale"),
        ({"class_name": "Addons>GroupNormalization"}, "GroupNormalization"),
        ({"class_name": "Custom>Package>ReLU"}, "Custom>Package>ReLU"),
        ({"class_name": "ReLU", "module": None, "registered_name": "Mine>ReLU"}, "Mine>ReLU"),
        ({"class_name": "ReLU", "module": "keras_like.layers", "registered_name": "ReLU"}, "Custom>ReLU"),
    ],
)
def test_only_classes_of_keras_are_called_by_their_bare_names(written: dict[str, Any], read: str) -> None:
    layer = entry("a", "", [["image", 0, 0]]) | written
    assert flatten(functional(layer, output=[["a", 0, 0]])).calls[-1].layer.class_name == read


@pytest.mark.parametrize(
    "config",
    [
        {"layers": [{"class_name": "ReLU", "config": {"batch_input_shape": [None, 2, 2, 1]}}]},
        {"layers": [{"class_name": "ReLU", "config": {"batch_shape": [None, 2, 2, 1]}}]},
        {"layers": [{"class_name": "ReLU", "config": {"input_shape": [2, 2, 1]}}]},
        {"layers": [{"class_name": "ReLU", "config": {}}], "build_input_shape": [None, 2, 2, 1]},
        {"layers": [functional(entry("a", "ReLU", [["image", 0, 0]]), output=["a", 0, 0])]},
        [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 2, 2, 1]}},
            {"class_name": "ReLU", "config": {}},
        ],
    ],
)
def test_the_input_shape_is_found_wherever_it_stands(config: Any) -> None:
    network = flatten({"class_name": "Sequential", "config": config})
    assert [call.layer.class_name for call in network.calls] == ["InputLayer", "ReLU"]
    assert network.calls[0].layer.config["batch_input_shape"] == [None, 2, 2, 1]


def test_only_what_an_output_needs_is_kept() -> None:
    topology = functional(
        entry("aside", "ReLU", [["image", 0, 0]]),
        entry("a", "ReLU", [["image", 0, 0]]),
        entry("b", "TFOpLambda", ["a", 0, 0, {"y": ["image", 0, 0]}]),
        output=[["aside", 0, 0], ["b", 0, 0]],
    )
    whole = flatten(topology)
    network = ancestors(whole, whole.outputs[-1])
    assert called(network) == [("image", []), ("a", ["image"]), ("b", ["a"])]
    assert network.calls[2].arguments == {"y": Ref(0)}
    assert network.outputs == (Ref(2),)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([entry("a", "ReLU", [["b", 0, 0]]), entry("b", "ReLU", [["a", 0, 0]])], "cycle"),
        ([entry("a", "ReLU", [["a", 0, 0]])], "cycle"),
        ([entry("a", "ReLU", [["gone", 0, 0]])], "gone"),
        ([entry("a", "ReLU", [["image", 1, 0]])], "call 1 of the layer image"),
        ([entry("a", "ReLU", [["image", 0, 0]]), entry("a", "ReLU", [["image", 0, 0]])], "two layers called a"),
        ([entry("a", "ReLU", [["image", 0]])], "connection of a"),
        ([entry("a", "ReLU", 7)], "connections of a"),
        ([entry("b", "ReLU", [["image", 0, 0]])], "the layer a"),
        ([{"name": "a", "config": {}}], "class_name"),
        ([{"name": "a", "class_name": "ReLU", "config": 3, "inbound_nodes": [[["image", 0, 0]]]}], "config of a"),
        (["a"], "layer 1"),
    ],
)
def test_a_broken_topology_says_where(layers: list[Any], words: str) -> None:
    assert words in refusal(functional(*layers, output=[["a", 0, 0]]))


def test_a_root_that_is_a_layer_is_refused() -> None:
    assert "Dense" in refusal({"class_name": "Dense", "config": {}})


def test_a_nested_model_must_get_all_its_inputs() -> None:
    two = functional(
        entry("other", "InputLayer"),
        entry("sum", "Add", [["image", 0, 0], ["other", 0, 0]]),
        output=[["sum", 0, 0]],
        inputs=(("image", 0, 0), ("other", 0, 0)),
    )
    topology = functional({**two, "name": "two", "inbound_nodes": [[["image", 0, 0]]]}, output=[["two", 1, 0]])
    assert "needs 2 inputs, but has 1" in refusal(topology)


def test_models_nested_too_deeply_are_refused() -> None:
    topology: dict[str, Any] = {"class_name": "Sequential", "config": {"layers": []}}
    for _ in range(40):
        topology = {"class_name": "Sequential", "config": {"layers": [topology]}}
    assert "nested more than" in refusal(topology)


def test_models_that_multiply_on_every_level_are_refused() -> None:
    model = functional(entry("a", "ReLU", [["image", 0, 0]]), output=[["a", 0, 0]])
    for _ in range(15):
        calls = [[["image", 0, 0]], *([["m", i, 0]] for i in range(1, 4))]
        model = functional({**model, "name": "m", "inbound_nodes": calls}, output=[["m", 4, 0]])
    assert "more than 20000 calls" in refusal(model)
