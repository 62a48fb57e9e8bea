from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.cache import index
from napari_webipred.catalogue.providers.zenodo import _quoted, reference, search
from napari_webipred.errors import CatalogueError, OptionError
from zenodo_server import CONVERTED, Answer, ZenodoServer, error_answer, model_zip

DATA = Path(__file__).parent / "data"


def test_a_search_gives_models_with_what_their_records_say(zenodo: ZenodoServer) -> None:
    record = zenodo.publish(
        "123", {"model.onnx": b"12345"}, title="Moles <i>and</i> freckles", publication_date="2024-05"
    )
    zenodo.found([record], total=60)
    page = search("moles")
    assert (page.total, page.page, page.pages) == (60, 1, 3)
    (card,) = page.cards
    assert (card.id, card.name, card.license) == ("zenodo-123", "Moles and freckles", "cc-by-4.0")
    assert [author.name for author in card.authors] == ["Placeholder, A."]
    assert card.provenance.published == "2024-05"
    assert [(weights.format, weights.size) for weights in card.weights] == [("onnx", 5)]
    assert zenodo.requests == ["/api/records"]


def test_what_a_search_has_found_can_be_resolved(zenodo: ZenodoServer) -> None:
    one = zenodo.publish("123", {"model.onnx": b"1"})
    two = zenodo.publish("456", {"a b.zip": model_zip(), "c.h5": b"2", "notes.txt": b"3"})
    zenodo.found([one, two])
    cards = search("moles").cards
    assert [card.id for card in cards] == ["zenodo-123", "zenodo-456-a_b.zip", "zenodo-456-c.h5"]
    assert [card.name.rpartition(" (")[2] for card in cards[1:]] == ["a b.zip)", "c.h5)"]
    references = [reference(card) for card in cards]
    assert references[:2] == ["10.5281/zenodo.123", f"{zenodo.url}/records/456/files/a%20b.zip"]
    assert [index.resolve(text) for text in references] == list(cards)


def test_the_converted_archive_of_a_record_stands_for_all(zenodo: ZenodoServer) -> None:
    zenodo.found([zenodo.publish("123", {"model.h5": b"1", CONVERTED: model_zip(), "data.zip": b"2"})])
    (card,) = search("moles").cards
    assert (card.id, card.weights[0].source.file_key) == ("zenodo-123", CONVERTED)


def test_records_without_a_model_are_left_out(zenodo: ZenodoServer) -> None:
    records = [
        zenodo.publish("1", {"a.pdf": b"", "model.weights.h5": b"", "tf_model.h5": b""}),
        zenodo.publish("2", {f"measurement {i}.h5": b"" for i in range(11)}),
        {"id": "not a record"},
        zenodo.publish("3", {"m.keras": b""}),
    ]
    zenodo.found(records)
    assert [card.id for card in search("moles").cards] == ["zenodo-3"]


def test_the_answer_whose_shape_is_recorded_is_understood(zenodo: ZenodoServer) -> None:
    zenodo.put("/api/records", json.loads((DATA / "search_page.SOURCE_DERIVED.json").read_text(encoding="utf-8")))
    page = search("climate change")
    assert (page.total, page.pages, page.cards) == (194374, 400, ())


def test_a_page_is_asked_for_with_the_size_that_zenodo_allows(zenodo: ZenodoServer) -> None:
    zenodo.found([])
    search("moles", 7)
    (query,) = zenodo.queries
    assert (query["size"], query["page"]) == ("25", "7")
    assert "access_right:open" in query["q"]
    assert "filetype:onnx" in query["q"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("chest x-ray", '"chest" AND "x-ray"'),
        ('"skin cancer" dermoscopy', '"skin cancer" AND "dermoscopy"'),
        ("covid) OR owners:1 AND (size:[0 TO *]", '"covid)" AND "OR" AND "owners:1" AND "AND" AND "(size:[0" AND "TO"'),
        ('unclosed "quote', '"unclosed" AND "quote"'),
        ("back\\slash\n\x00 *", '"back" AND "slash"'),
    ],
)
def test_the_words_of_a_search_are_quoted(zenodo: ZenodoServer, text: str, query: str) -> None:
    zenodo.found([])
    search(text)
    assert zenodo.queries[0]["q"].startswith(f"({query}) AND access_right:open")


@given(st.text(max_size=50))
def test_no_words_break_out_of_their_quotes(text: str) -> None:
    try:
        query = _quoted(text)
    except OptionError:
        return
    assert "\\" not in query
    assert all(phrase.count('"') == 2 for phrase in query.replace('" AND "', '"\0"').split("\0"))


@pytest.mark.parametrize(("text", "page"), [("", 1), (' "" * ', 1), ("moles", 0), ("moles", 401)])
def test_a_search_that_means_nothing_is_not_sent(zenodo: ZenodoServer, text: str, page: int) -> None:
    with pytest.raises(OptionError):
        search(text, page)
    assert zenodo.requests == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error_answer("429"), "too many requests.*37 seconds"),
        (error_answer("400_page_size"), "status 400"),
        (error_answer("403_edge_html"), "blocked requests"),
        (Answer(200, b'{"hits": []}', {"Content-Type": "application/json"}), "not a search result"),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), "instead of data for the results of the search"),
    ],
)
def test_each_failure_of_a_search_has_words_of_its_own(zenodo: ZenodoServer, answer: Answer, words: str) -> None:
    zenodo.answers["/api/records"] = answer
    with pytest.raises(CatalogueError, match=words):
        search("moles")


def test_off_line_nothing_is_looked_for(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    with pytest.raises(CatalogueError, match="downloads are switched off"):
        search("moles")
    assert zenodo.requests == []
