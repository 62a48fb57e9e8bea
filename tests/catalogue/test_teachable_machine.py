from __future__ import annotations

from typing import Any

import pytest

from napari_webipred.cache import index, store
from napari_webipred.card import WeightSource
from napari_webipred.catalogue import providers
from napari_webipred.catalogue.providers.teachable_machine import parse
from napari_webipred.errors import CatalogueError
from zenodo_server import Answer, ZenodoServer

ADDRESS = "https://teachablemachine.withgoogle.com/models/AbC_d-1/"
METADATA = {
    "tfjsVersion": "1.3.1",
    "tmVersion": "2.4.7",
    "packageName": "@teachablemachine/image",
    "modelName": "my <b>pets</b>",
    "timeStamp": "2024-02-03T04:05:06.000Z",
    "labels": ["Cat", "Dog"],
    "imageSize": 224,
}


@pytest.fixture
def machine(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> ZenodoServer:
    monkeypatch.setenv("NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL", zenodo.url)
    zenodo.put("/models/AbC_d-1/metadata.json", METADATA)
    zenodo.put("/models/AbC_d-1/model.json", {"weightsManifest": [{"paths": ["weights.bin"]}]})
    return zenodo


@pytest.mark.parametrize(
    "reference",
    [
        ADDRESS,
        ADDRESS.rstrip("/"),
        f" {ADDRESS}model.json ",
        ADDRESS.removeprefix("https://"),
        "http://127.0.0.1:9/models/AbC_d-1/",
    ],
)
def test_every_notation_of_the_address_means_the_same(reference: str) -> None:
    source = parse(reference)
    assert source is not None
    assert source.url == ADDRESS


@pytest.mark.parametrize(
    "reference",
    ["", "AbC_d-1", "https://teachablemachine.withgoogle.com/", ADDRESS + "x.bin", "https://e.org/models/a/"],
)
def test_other_addresses_are_not_taken_for_one(reference: str) -> None:
    assert parse(reference) is None


def test_a_model_says_its_classes_and_how_it_takes_images(machine: ZenodoServer) -> None:
    card = index.resolve(ADDRESS)
    assert (card.id, card.name) == ("teachable-machine-AbC_d-1", "my pets")
    assert card.class_names == ["Cat", "Dog"]
    assert card.preprocessing is not None
    assert card.preprocessing.profile == "teachable-machine"
    assert card.input is not None
    assert (card.input.width, card.input.channels, card.input.channel_order) == (224, 3, "RGB")
    assert card.provenance.published == "2024-02-03"


def test_its_files_are_fetched_from_the_server_of_the_settings(machine: ZenodoServer) -> None:
    files = providers.remote_files(index.resolve(ADDRESS))
    assert [(file.name, file.url) for file in files] == [
        ("model.json", f"{machine.url}/models/AbC_d-1/model.json"),
        ("weights.bin", f"{machine.url}/models/AbC_d-1/weights.bin"),
    ]


def test_its_card_says_where_it_comes_from(machine: ZenodoServer) -> None:
    assert index.resolve(ADDRESS).weights[0].source.model_dump(exclude_none=True) == {
        "type": "teachable-machine",
        "url": ADDRESS,
    }


def test_a_model_that_an_older_program_fetched_as_an_address_is_still_found(machine: ZenodoServer) -> None:
    card = index.resolve(ADDRESS)
    weights = card.weights[0].model_copy(update={"source": WeightSource(type="url", url=ADDRESS)})
    old = card.model_copy(update={"weights": (weights,)})
    machine.put("/models/AbC_d-1/weights.bin", b"1234")
    for _ in store.fetch(old):
        pass
    machine.requests.clear()
    found = index.resolve(ADDRESS)
    assert found.weights[0].source.type == "url"
    assert store.is_fetched(found)
    assert machine.requests == []
    assert [file.name for file in providers.remote_files(found)] == ["model.json", "weights.bin"]  # to fetch it again


def test_grey_models_take_grey(machine: ZenodoServer) -> None:
    machine.put("/models/AbC_d-1/metadata.json", {**METADATA, "grayscale": True, "imageSize": 96})
    size = index.resolve(ADDRESS).input
    assert size is not None
    assert (size.width, size.channels, size.channel_order) == (96, 1, "L")


@pytest.mark.parametrize(
    "metadata",
    [
        {**METADATA, "packageName": "@teachablemachine/pose"},
        {**METADATA, "packageName": 7},
        {"tfjsSpeechCommandsVersion": "0.4.0", "modelName": "TMv2", "wordLabels": ["Background Noise", "Yes"]},
    ],
)
def test_models_of_sounds_and_poses_are_refused(machine: ZenodoServer, metadata: dict[str, Any]) -> None:
    machine.put("/models/AbC_d-1/metadata.json", metadata)
    with pytest.raises(CatalogueError, match="not for images"):
        index.resolve(ADDRESS)


def test_a_model_that_is_gone_is_told(machine: ZenodoServer) -> None:
    # The server answers every address with its page.
    machine.answers["/models/AbC_d-1/metadata.json"] = Answer(
        body=b"<!doctype html>", headers={"Content-Type": "text/html"}
    )
    with pytest.raises(CatalogueError, match=r"metadata\.json is not valid.*or the model was removed"):
        index.resolve(ADDRESS)


@pytest.mark.parametrize("size", [None, "224", 0, 10**9, True, [224]])
def test_a_size_that_is_none_is_left_to_the_model(machine: ZenodoServer, size: Any) -> None:
    machine.put("/models/AbC_d-1/metadata.json", {**METADATA, "imageSize": size})
    assert index.resolve(ADDRESS).input is None
