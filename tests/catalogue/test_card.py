from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from napari_webipred import card as card_module
from napari_webipred.card import ModelCard, Preprocessing, read_card
from napari_webipred.catalogue.providers import TYPES
from napari_webipred.errors import CatalogueError
from napari_webipred.formats import BY_ID

CARDS = Path(card_module.__file__).parent / "catalogue" / "cards"
SCHEMA = json.loads((Path(__file__).parent / "data" / "model_card.schema.json").read_text())
# The schema is for cards that are passed on; only inside the package are there weights of the type "builtin", and only
# in bundles and the cache those of the type "bundle".
SCHEMA["properties"]["weights"]["items"]["properties"]["source"]["properties"]["type"]["enum"] += ["builtin", "bundle"]
MINIMAL = {
    "id": "a",
    "name": "A",
    "classes": [{"index": 1, "name": "second"}, {"index": 0, "name": "first"}],
    "input": {"width": 2, "height": 3},
    "preprocessing": {"standardize_mode": "none"},
    "weights": [{"format": "onnx", "source": {"type": "local"}}],
}


@pytest.mark.parametrize("path", sorted(CARDS.glob("*.json")), ids=lambda path: path.stem)
def test_every_built_in_card_follows_the_schema_and_survives_a_round_trip(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), SCHEMA)
    card = read_card(path)
    assert card.id == path.stem
    again = card.model_dump(mode="json")
    jsonschema.validate(again, SCHEMA)
    assert ModelCard.model_validate(again) == card
    assert again["provenance"] == json.loads(path.read_text(encoding="utf-8")).get("provenance", {})


def test_the_schema_knows_every_format_and_every_provider() -> None:
    weights = SCHEMA["properties"]["weights"]["items"]["properties"]
    assert set(weights["format"]["enum"]) == set(BY_ID)
    assert set(weights["source"]["properties"]["type"]["enum"]) == set(get_args(card_module.SourceType))
    assert set(TYPES) < set(get_args(card_module.SourceType))


def test_classes_are_put_in_the_order_of_the_outputs() -> None:
    assert ModelCard.model_validate(MINIMAL).class_names == ["first", "second"]


def test_a_card_without_a_profile_is_prepared_as_in_the_browser() -> None:
    assert Preprocessing(standardize_mode="torch").profile == "webipred"


def test_the_name_of_teachable_machine_says_all_of_its_preprocessing() -> None:
    named = Preprocessing.model_validate({"profile": "teachable-machine"})
    assert (named.resize_mode, named.standardize_mode) == ("center-crop", "custom")
    assert (named.mean, named.std) == ((127,), (127,))
    told = Preprocessing.model_validate({"profile": "teachable-machine", "standardize_mode": "tf"})
    assert (told.standardize_mode, told.resize_mode) == ("tf", "center-crop")
    assert Preprocessing.model_validate(named.model_dump()) == named


def test_a_chosen_profile_stands_before_that_of_the_card() -> None:
    trained = Preprocessing(profile="aucmedi", standardize_mode="caffe", resize_mode="pad")
    card = ModelCard(id="a", name="A", preprocessing=trained)
    assert card.preprocessing_under(None) == trained
    assert card.preprocessing_under("webipred") == trained.model_copy(update={"profile": "webipred"})
    machine = Preprocessing.model_validate({"profile": "teachable-machine"})
    assert card.preprocessing_under("teachable-machine") == machine
    unknown = ModelCard(id="a", name="A")
    assert unknown.preprocessing_under("aucmedi") is None
    assert unknown.preprocessing_under("teachable-machine") == machine


def test_what_a_newer_program_wrote_is_kept() -> None:
    card = ModelCard.model_validate({**MINIMAL, "colour": "blue"})
    assert card.model_dump()["colour"] == "blue"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "../up"}, "id"),
        ({"classes": [{"index": 0, "name": "a"}, {"index": 2, "name": "b"}]}, "0, 1, 2"),
        ({"input": {"width": 0, "height": 3}}, "input.width"),
        ({"preprocessing": {"standardize_mode": "torch", "crop_pct": 2}}, "preprocessing.crop_pct"),
        (
            {"weights": [{"format": "onnx", "source": {"type": "url", "url": "file:///etc/passwd"}}]},
            "weights.0.source.url",
        ),
        ({"schema_version": "9"}, "schema_version"),
    ],
)
def test_a_card_that_is_not_valid_is_refused_with_the_field_at_fault(
    tmp_path: Path, change: dict[str, object], place: str
) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**MINIMAL, **change}))
    with pytest.raises(CatalogueError, match=rf"card\.json is not valid: .*{place}"):
        read_card(path)


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"\xff"])
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"card\.json is not valid"):
        read_card(path)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"gone\.json cannot be read"):
        read_card(tmp_path / "gone.json")


WILD = "a\u202eb\x1b[2J\r\u200bc" + "x" * 100_000


def test_what_people_read_of_a_card_hides_nothing_and_is_of_bounded_length() -> None:
    card = ModelCard.model_validate(
        {
            **MINIMAL,
            "name": WILD,
            "description": f"line\n{WILD}",
            "classes": [{"index": 0, "name": WILD, "label": WILD}],
            "authors": [{"name": WILD}],
            "citations": [{"text": WILD, "url": WILD}],
            "metrics": {"source": WILD},
            "provenance": {"notes": [WILD], "assumed": WILD},
        }
    )
    begins = r"a\u202eb\x1b[2J\x0d\u200bcx"
    entry, citation = card.classes[0], card.citations[0]
    words = [card.name, entry.name, entry.label, card.authors[0].name, citation.text, citation.url]
    prose = [card.metrics["source"], *card.provenance.notes, *card.provenance.assumed]
    assert all(text is not None and text.startswith(begins) and len(text) < 20_000 for text in [*words, *prose])
    assert card.description.startswith(f"line\n{begins}")
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize("url", ["https://[", "https://", "https://a.example/\x1b[2J", "http://\u202eexample.org"])
def test_an_address_that_cannot_be_read_or_hides_something_is_refused(url: str) -> None:
    weights = [{"format": "onnx", "source": {"type": "url", "url": url}}]
    with pytest.raises(ValueError, match=r"not an address|Invalid IPv6"):
        ModelCard.model_validate({**MINIMAL, "weights": weights})


def test_facts_that_are_nested_very_deeply_are_refused() -> None:
    nested: dict[str, object] = {}
    for _ in range(500):
        nested = {"within": nested}
    with pytest.raises(ValueError, match="nested too deeply"):
        ModelCard.model_validate({**MINIMAL, "provenance": nested})


@pytest.mark.parametrize("dump", [{}, {"exclude_unset": True}], ids=["whole", "what is set"])
def test_where_a_card_comes_from_is_read_and_written_as_by_older_versions(dump: dict[str, bool]) -> None:
    provenance = {
        "source": "Zenodo record 7",
        "published": None,
        "keywords": ["skin", "lung"],
        "all_versions": "6",
        "labels": "labels.txt",
        "assumed": ["one", "two"],
        "self_test": "passed",
        "checked": {"by": ["somebody"], "in": 2024},
    }
    card = ModelCard.model_validate({**MINIMAL, "provenance": provenance})
    assert json.loads(card.model_dump_json(**dump))["provenance"] == provenance
    assert card.provenance.remarks == ["one", "two"]


def test_remarks_that_somebody_wrote_in_another_form_are_read_as_sentences() -> None:
    card = ModelCard.model_validate({**MINIMAL, "provenance": {"notes": "one", "assumed": [1, {"a": "b"}, None]}})
    assert card.provenance.remarks == ["1", "{'a': 'b'}", "one"]


def test_a_size_that_is_no_number_of_bytes_is_refused() -> None:
    weights = [{"format": "onnx", "source": {"type": "local"}, "size": 10**400}]
    with pytest.raises(ValueError, match="size"):
        ModelCard.model_validate({**MINIMAL, "weights": weights})
