from __future__ import annotations

import subprocess
import sys

import pytest

from napari_webipred.cache import index, store
from napari_webipred.card import ModelCard
from napari_webipred.errors import CatalogueError
from zenodo_server import CONVERTED, Answer, ZenodoServer, model_zip

CLASSES = {12: 8, 13: 3, 14: 3, 15: 2, 16: 2, 17: 3, 18: 3, 19: 29, 20: 4}
RECORDS = {
    12: "7785982",
    13: "7785986",
    14: "7785989",
    15: "7785992",
    16: "7785993",
    17: "7785996",
    18: "7786001",
    19: "7786002",
    20: "7786009",
}


def webipred(number: int) -> ModelCard:
    card = index.find(f"webipred-{number}")
    assert card is not None
    return card


def fetched(card: ModelCard) -> None:
    for _ in store.fetch(card):
        pass


@pytest.mark.parametrize("number", CLASSES)
def test_the_webipred_models_are_as_their_catalogue_says(number: int) -> None:
    card = webipred(number)
    assert len(card.classes) == CLASSES[number]
    assert all(entry.label for entry in card.classes)
    assert card.task == ("multi-label" if number == 19 else "multi-class")
    assert card.input is not None
    assert (card.input.width, card.input.height) == (224, 224)
    assert card.input.channels == (3 if number == 16 else None)
    assert card.preprocessing is not None
    steps = card.preprocessing
    assert (steps.standardize_mode, steps.resize_mode, steps.interpolation) == ("torch", "stretch", "bilinear")
    assert [weights.format for weights in card.weights] == ["tfjs-layers", "keras-h5"]
    assert {weights.source.record_id for weights in card.weights} == {RECORDS[number]}
    assert card.record_doi == f"10.5281/zenodo.{RECORDS[number]}"
    assert card.license is None
    assert "not a medical device" in (card.intended_use or "")


def test_the_swapped_references_of_the_original_catalogue_are_put_right() -> None:
    assert "Kermany" in webipred(16).citations[0].text
    assert "Ning" in webipred(18).citations[0].text
    assert all("exchanged" in webipred(number).provenance.notes[0] for number in (16, 18))


def test_the_confusion_matrix_of_the_chest_model_has_the_true_classes_in_its_rows() -> None:
    metrics = webipred(16).metrics
    (true_normal, false_pneumonia), (false_normal, true_pneumonia) = metrics["confusion_matrix"]["counts"]
    assert true_normal + false_pneumonia == 317
    assert false_normal + true_pneumonia == 855
    assert metrics["accuracy"] == pytest.approx((true_normal + true_pneumonia) / metrics["n"], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("chest x-ray", 16),
        ("XRAY pneumonia", 16),
        ("melanoma", 12),
        ("7786002", 19),
        ("Al-Dhabyani", 17),
        ("sonography", 17),
        ("meningioma", 20),
        ("wrong covid", None),
        ("covid ning", 18),
    ],
)
def test_search_wants_every_word_in_any_field(text: str, number: int | None) -> None:
    found = [card.id for card in index.search(text)]
    assert found == ([f"webipred-{number}"] if number else [])


def test_search_does_not_find_a_model_for_a_remark_about_another() -> None:
    assert "webipred-16" not in [card.id for card in index.search("swapped way round")]


def test_search_filters_by_discipline_and_procedure() -> None:
    assert {card.id for card in index.search(discipline="radiology")} == {"webipred-16", "webipred-18"}
    assert [card.id for card in index.search(discipline="Radiology", procedure="x-ray")] == ["webipred-16"]
    assert [card.id for card in index.search("hyper", procedure="Endoscopy")] == ["webipred-13", "webipred-14"]
    assert index.search(discipline="Astrology") == []
    assert index.search() == index.cards()
    assert "Dermatology" in index.disciplines()
    assert "Endoscopy" in index.procedures()


@pytest.mark.parametrize(
    "reference",
    [
        "webipred-16",
        " WebIPred-16 ",
        "7785993",
        "10.5281/zenodo.7785993",
        "doi:10.5281/ZENODO.7785993",
        "https://doi.org/10.5281/zenodo.7785993",
        "https://zenodo.org/records/7785993",
        f"https://zenodo.org/record/7785993/files/{CONVERTED}?download=1",
    ],
)
def test_a_model_is_found_by_every_notation_of_its_record(reference: str) -> None:
    card = index.find(reference)
    assert card is not None
    assert card.id == "webipred-16"


@pytest.mark.parametrize(
    "reference", ["", "webipred", "77859930", "10.5281/zenodo.1", "https://example.org/records/7785993"]
)
def test_what_names_no_known_model_is_not_found(reference: str) -> None:
    assert index.find(reference) is None


def test_an_unknown_name_suggests_similar_ones() -> None:
    with pytest.raises(CatalogueError, match=r"no model called 'wbipred-16'.*Did you mean webipred-16"):
        index.resolve("wbipred-16")
    assert index.unknown("xyzzy").remedies == ("list models",)


def test_a_model_fetched_from_another_record_is_known_afterwards(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {"my model.zip": model_zip()}, title="Moles <b>and</b> freckles")
    card = index.resolve("10.5281/zenodo.123")
    assert card.name == "Moles and freckles"
    assert card not in index.cards()
    fetched(card)
    asked = len(zenodo.requests)
    assert index.search("freckles") == [card]
    assert index.find("https://zenodo.org/records/123") == card
    assert index.resolve("zenodo-123") == card
    assert len(zenodo.requests) == asked


def test_the_number_of_all_versions_leads_to_the_known_card(zenodo: ZenodoServer) -> None:
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    zenodo.answers["/api/records/555"] = Answer(302, headers={"Location": "/api/records/7785993"})
    assert index.resolve("555") == webipred(16)


def test_each_of_several_archives_of_a_record_can_be_meant(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {"a.zip": model_zip(2), "b.zip": model_zip(3)})
    with pytest.raises(CatalogueError, match=r"several files that may be models: a\.zip, b\.zip"):
        index.resolve("123")
    for name, classes in (("a.zip", 2), ("b.zip", 3)):
        card = index.resolve(f"{zenodo.url}/records/123/files/{name}?download=1")
        fetched(card)
        path = store.path_of(card)
        assert path is not None
        assert path.read_bytes() == model_zip(classes)
        assert index.find(f"https://zenodo.org/records/123/files/{name}") == card


def test_a_damaged_card_in_the_cache_hides_that_model_only(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {"m.zip": model_zip()})
    fetched(index.resolve("123"))
    before = index.cards()
    (store.entries()[0].folder / "card.json").write_text("{")
    assert [card.id for card in index.cards()] == [card.id for card in before if card.id != "zenodo-123"]


def test_knowing_the_models_loads_nothing_that_talks_to_the_network() -> None:
    code = (
        "import sys; from napari_webipred.cache import index, store; "
        "from napari_webipred.catalogue.providers import zenodo; index.cards(); "
        "print([name for name in ('requests', 'urllib3', 'filelock', 'ssl', 'numpy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
