from __future__ import annotations

from napari_webipred.card import ModelCard, Output, PartialCard, Provenance, Weights, WeightSource, named
from napari_webipred.catalogue import side_files
from napari_webipred.merge import merge

CARD = ModelCard(
    id="a", name="A", license="MIT", classes=named(["cat", "dog"]), provenance=Provenance(source="here", notes=("one",))
)
BARE = ModelCard(id="a", name="A")


def test_a_file_adds_what_the_card_does_not_say_and_never_overrules_it() -> None:
    part = PartialCard(id="b", name="B", license="CC0", version="2", output=Output(activation="softmax"))
    card = merge(CARD, part)
    assert (card.id, card.name, card.license, card.version) == ("a", "A", "MIT", "2")
    assert card.output.activation == "softmax"
    assert merge(card, PartialCard(output=Output(activation="sigmoid"))).output.activation == "softmax"


def test_what_a_file_leaves_out_or_leaves_empty_says_nothing() -> None:
    assert merge(CARD, PartialCard(), PartialCard(license="", description="", classes=())) == CARD


def test_the_first_of_several_files_counts() -> None:
    card = merge(BARE, PartialCard(version="1"), PartialCard(version="2", license="MIT"))
    assert (card.version, card.license) == ("1", "MIT")


def test_the_user_and_the_network_overrule_the_card() -> None:
    card = merge(CARD, PartialCard(classes=named(["a", "b"]), license=None), overrule=True)
    assert (card.class_names, card.license, card.name) == (["a", "b"], None, "A")


def test_the_place_that_names_the_classes_is_noted_with_them() -> None:
    named_by_file = PartialCard(classes=named(["a", "b"]), provenance=Provenance(labels="labels.txt"))
    card = merge(BARE, named_by_file)
    assert card.provenance.labels == "labels.txt"
    assert merge(CARD, named_by_file).provenance.labels is None
    assert merge(card, PartialCard(classes=named(["x", "y"])), overrule=True).provenance.labels is None


def test_remarks_of_all_places_are_kept_each_once() -> None:
    part = PartialCard(provenance=Provenance(assumed=("two", "two"), notes=("three",), source="there"))
    provenance = merge(CARD, part, part).provenance
    assert (provenance.assumed, provenance.notes, provenance.source) == (("two",), ("one", "three"), "here")


def test_a_file_cannot_claim_that_the_model_has_passed_its_test_or_where_it_came_from() -> None:
    claim = b'{"provenance": {"self_test": "passed", "origin": "the source", "published": "2024"}}'
    provenance = side_files.completed(BARE, {"webipred.json": claim}).provenance
    assert (provenance.self_test, provenance.origin, provenance.published) == (None, None, "2024")


def test_of_the_weights_in_a_file_only_the_name_of_the_models_file_counts() -> None:
    local = Weights(format="keras-h5", source=WeightSource(type="local"))
    elsewhere = Weights(format="onnx", source=WeightSource(type="url", url="https://x.example/a"), entry_point="m.onnx")
    part = PartialCard(weights=(elsewhere,))
    card = merge(ModelCard(id="a", name="A", weights=(local,)), part)
    assert card.weights == (local.model_copy(update={"entry_point": "m.onnx"}),)
    chosen = local.model_copy(update={"entry_point": "mine.h5"})
    assert merge(ModelCard(id="a", name="A", weights=(chosen,)), part).weights == (chosen,)


def test_a_users_own_file_is_called_as_the_card_beside_it_says() -> None:
    local = Weights(format="onnx", source=WeightSource(type="local"))
    card = merge(ModelCard(id="a", name="A", weights=(local,)), PartialCard(id="b", name="B"))
    assert (card.id, card.name) == ("b", "B")
