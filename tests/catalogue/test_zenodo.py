from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_webipred
from napari_webipred import limits, safe_json
from napari_webipred.card import ModelCard, WeightSource
from napari_webipred.catalogue.providers import zenodo
from napari_webipred.catalogue.providers.zenodo import (
    card_of,
    choose_file,
    look_up,
    parse,
    plain_text,
    record_of,
)
from napari_webipred.errors import CatalogueError
from zenodo_server import CONVERTED, Answer, ZenodoServer, error_answer

DATA = Path(__file__).parent / "data"
HTML = {"Content-Type": "text/html"}


def recorded(name: str) -> Any:
    return json.loads(next(DATA.glob(f"{name}*.json")).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "reference",
    [
        "123",
        " 123 ",
        "10.5281/zenodo.123",
        "10.5281/Zenodo.123.",
        "doi:10.5281/zenodo.123",
        "DOI: 10.5281/zenodo.123",
        "https://doi.org/10.5281/zenodo.123",
        "http://dx.doi.org/10.5281/zenodo.123",
        "doi.org/10.5281/zenodo.123",
        "https://zenodo.org/records/123",
        "https://zenodo.org/record/123/",
        "https://www.zenodo.org/records/123#files",
        "zenodo.org/records/123",
        "https://zenodo.org/doi/10.5281/zenodo.123",
        "https://zenodo.org/records/123/files/a%20b.zip?download=1",
        "https://zenodo.org/api/records/123",
        "https://zenodo.org/api/records/123/files/a.zip/content",
        "https://zenodo.org/records/123/latest",
        "http://127.0.0.1:9/records/123",
    ],
)
def test_the_number_is_read_from_every_notation(reference: str) -> None:
    source = parse(reference)
    assert source is not None
    assert (source.type, source.record_id) == ("zenodo", "123")


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "demo",
        "model.zip",
        "123/model.zip",
        "-1",
        "1e3",
        "١٢٣",
        "10.5072/zenodo.123",
        "10.1038/zenodo.123",
        "https://zenodo.org.evil.org/records/123",
        "https://evil.org/zenodo.org/records/123",
        "https://sandbox.zenodo.org/records/123",
        "https://zenodo.org/communities/123",
        "9" * 40,
    ],
)
def test_what_names_no_record_gives_none(reference: str) -> None:
    assert parse(reference) is None


def test_the_sandbox_has_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", "https://sandbox.zenodo.org")
    assert parse("10.5072/zenodo.123") == WeightSource(type="zenodo", record_id="123")
    assert parse("https://sandbox.zenodo.org/records/123") == WeightSource(type="zenodo", record_id="123")
    assert parse("10.5281/zenodo.123") is None
    assert parse("https://zenodo.org/records/123") is None


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("https://zenodo.org/records/123/files/a%20b.zip?download=1", "a b.zip"),
        ("https://zenodo.org/api/records/123/files/folder/a.zip/content", "folder/a.zip"),
        ("https://zenodo.org/records/123", None),
        ("10.5281/zenodo.123", None),
        ("https://evil.org/records/123/files/a.zip", None),
    ],
)
def test_the_file_is_read_from_its_address(reference: str, key: str | None) -> None:
    source = parse(reference)
    assert (source and source.file_key) == key


def test_a_recorded_answer_in_the_list_shape_is_understood() -> None:
    record = record_of(recorded("record_3490058"))
    assert record.id == "3490058"
    assert record.doi == "10.5281/zenodo.3490058"
    assert record.title == "Efficiently starting institutional research data management"
    assert record.creators == ("Biernacka, Katarzyna", "Cortez, Katrin", "Helbig, Kerstin")
    assert "Humboldt-Universität zu Berlin" in record.description
    assert "<" not in record.description
    assert (record.license, record.version, record.published) == ("cc-by-4.0", "1.0", "2019-10-15")
    (file,) = record.files
    assert file.key == "Poster-Efficiently-starting-institutional-RDM.pdf"
    assert file.size == 433244
    assert file.checksum == "md5:a1399249c4b1368107959c5cc897ae2d"


def test_a_recorded_answer_in_the_dict_shape_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", "https://zenodo.org")
    record = record_of(recorded("record_4924875"))
    assert (record.id, record.doi, record.license) == ("4924875", "10.5281/zenodo.4924875", "cc-by-4.0")
    assert record.creators == ("Uieda, Leonardo",)
    assert record.description.endswith("testing data for Pooch's Zenodo download functionality.")
    assert [file.key for file in record.files] == ["store.zip", "tiny-data.txt"]
    assert record.files[0].id == "513d7033-93a2-4eeb-821c-2fb0bbab0012"
    assert record.files[0].url == "https://zenodo.org/api/records/4924875/files/store.zip/content"


def test_a_record_without_most_fields_is_understood() -> None:
    answer = recorded("record_14646925")
    answer["metadata"] = {}
    record = record_of(answer)
    assert record.title == "Zenodo record 14646925"
    assert record.files[0].key == "Laboratórna Diagnostika XXIX_2_2024_159-166.pdf.pdf"


def test_links_to_another_server_are_replaced_by_ones_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", "https://mirror.example.org")
    answer = recorded("record_4924875")
    answer["files"]["entries"]["store.zip"]["links"] = {"content": "https://evil.org/x"}
    assert record_of(answer).files[0].url == "https://mirror.example.org/api/records/4924875/files/store.zip/content"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "entries", "name", "doi"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.sampled_from(["id", "metadata", "files", "access", "pids", "doi"]), json_values)
def test_an_answer_of_any_other_shape_is_refused_in_words(field: str, value: Any) -> None:
    answer = recorded("record_7785993")
    answer[field] = value
    try:
        record = record_of(answer)
        if record.files:
            choose_file(record)
    except CatalogueError:
        return
    assert record.id.isdecimal()


@settings(deadline=None)
@given(st.sampled_from(["title", "license", "rights", "creators", "keywords", "version", "description"]), json_values)
def test_a_card_can_be_made_of_whatever_stands_in_the_fields(field: str, value: Any) -> None:
    answer = recorded("record_7785993")
    answer["metadata"][field] = value
    try:
        card = card_of(record_of(answer))
    except CatalogueError:
        return
    assert card.id == "zenodo-7785993"
    assert card.name


def record_with(*keys: str, **changes: Any) -> zenodo.Record:
    answer = recorded("record_7785993")
    answer["files"] = [{"id": f"id-{key}", "key": key, "size": 1, "checksum": "md5:00"} for key in keys]
    answer["metadata"].update(changes)
    return record_of(answer)


def card_with(**source: str) -> ModelCard:
    weights = {"format": "tfjs-layers", "source": {"type": "zenodo", **source}}
    h5 = {"format": "keras-h5", "source": {"type": "zenodo", "file_id": "id-model.h5"}}
    return ModelCard.model_validate({"id": "a", "name": "A", "weights": [h5, weights]})


@pytest.mark.parametrize(
    ("keys", "source", "chosen"),
    [
        (["a.zip", "b.zip", "x_model_converted.zip"], {"file_id": "id-a.zip", "file_key": "b.zip"}, "a.zip"),
        (["a.zip", "b.zip", "x_model_converted.zip"], {"file_id": "gone", "file_key": "b.zip"}, "b.zip"),
        (["a.zip", "model.h5", "x_Model_Converted.ZIP"], {"file_id": "gone"}, "x_Model_Converted.ZIP"),
        (["model.h5", "a.zip"], {}, "a.zip"),
    ],
)
def test_the_file_is_chosen_by_identifier_then_name_then_pattern(
    keys: list[str], source: dict[str, str], chosen: str
) -> None:
    assert choose_file(record_with(*keys), card_with(**source)).key == chosen


@pytest.mark.parametrize(
    ("keys", "changes", "words"),
    [
        (["a.zip", "b.h5"], {}, r"several files that may be models: a\.zip, b\.h5.*records/7785993/files/a\.zip"),
        (["a.pdf", "model.weights.h5"], {}, r"no model that can be used .*, but a\.pdf, model\.weights\.h5"),
        ([], {}, "but no files"),
        ([], {"access_right": "restricted"}, r"not public \(restricted\)"),
        ([], {"access_right": "embargoed", "embargo_date": "2030-01-02"}, r"not public \(embargoed until 2030-01-02\)"),
    ],
)
def test_when_no_file_can_be_chosen_the_reason_is_told(keys: list[str], changes: dict[str, str], words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        choose_file(record_with(*keys, **changes))


def test_a_card_says_what_the_record_says_and_no_more() -> None:
    record = record_with(
        "m.zip",
        description="<p>Moles &amp; more</p>",
        keywords=["<b>skin</b>"],
        creators=[{"name": name} for name in ("A, B", "C, D", "E", "F")],
    )
    card = card_of(record)
    assert (card.id, card.name, card.description) == ("zenodo-7785993", record.title, "Moles & more")
    assert (card.license, card.record_doi) == ("cc-by-4.0", "10.5281/zenodo.7785993")
    assert card.classes == ()
    assert card.input is None
    assert card.preprocessing is None
    assert card.provenance.keywords == ("skin",)
    assert card.citations[0].text == f"A, B; C, D; E et al. (2023). {record.title}. Zenodo."
    assert card.weights[0].source.file_key == "m.zip"
    assert card.weights[0].checksum == "md5:00"


def test_a_file_that_the_record_does_not_have_is_named() -> None:
    with pytest.raises(CatalogueError, match=r"has no file nope\.zip"):
        card_of(record_with("m.zip"), "nope.zip")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One<br>two</p>\n<ul><li>three</li></ul>", "One\ntwo\nthree"),
        ("a <b>bold</b>\nword &lt;b&gt; &auml;", "a bold word <b> ä"),
        ("x<script>alert('<p>')</script>y<style>p{}</style>z", "xyz"),
        ("<a href='https://evil.org'>click</a><img src=x onerror=y>", "click"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<!-- hidden -->shown", "shown"),
    ],
)
def test_markup_becomes_plain_words(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_a_record_is_looked_up_with_our_own_name(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {CONVERTED: b"PK"})
    assert look_up("123").files[0].key == CONVERTED
    (agent,) = zenodo.user_agents
    assert agent.startswith(f"napari-webipred/{napari_webipred.__version__} (+https://")


def test_the_number_of_all_versions_leads_to_the_latest(zenodo: ZenodoServer) -> None:
    zenodo.publish("123", {CONVERTED: b"PK"})
    assert look_up("122").id == "123"
    assert zenodo.requests == ["/api/records/122", "/api/records/123"]


def test_nobody_sends_us_to_another_host(zenodo: ZenodoServer) -> None:
    zenodo.answers["/api/records/1"] = Answer(302, headers={"Location": zenodo.url.replace("127.0.0.1", "localhost")})
    with pytest.raises(CatalogueError, match=r"127\.0\.0\.1 redirects to localhost"):
        look_up("1")


def test_going_round_in_circles_ends(zenodo: ZenodoServer) -> None:
    zenodo.answers["/api/records/1"] = Answer(302, headers={"Location": "/api/records/1"})
    with pytest.raises(CatalogueError, match=r"redirects too many times for record 1"):
        look_up("1")


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (error_answer("404_unknown_id"), r"does not have record 7", "Check the number"),
        (error_answer("410_tombstone"), r"Record 7 was deleted from .* on 2025-11-03 \(spam\)", "another"),
        (error_answer("410_pid_deleted"), r"Record 7 was deleted from", "another"),
        (error_answer("403_restricted_files"), r"restricts access to record 7: Permission denied", "owners"),
        (error_answer("403_edge_html"), r"blocked requests .*\(reference 3e9c826730bc98bead604da5b5109130\)", "VPN"),
        (error_answer("429"), "too many requests", "in 37 seconds"),
        (error_answer("400_query"), r"status 400.*Invalid query string syntax", "Check"),
        (Answer(502, b"<html>Bad gateway", HTML), r"busy \(status 502\)", "later"),
        (Answer(418, b"\xff[[[", HTML), r"refuses record 7 \(status 418\)", ""),
        (Answer(200, b"<html>Please log in", HTML), "answers with text/html instead of data", "browser"),
        (Answer(200, b"{", {"Content-Type": "application/json"}), "invalid data", ""),
        (Answer(200, b"[" * 200_000, {"Content-Type": "application/json"}), "invalid data", ""),
        (Answer(200, b"[]", {"Content-Type": "application/json"}), "does not seem to be Zenodo", ""),
        (
            Answer(200, b"{}", {"Content-Type": "application/json", "Content-Length": "9"}),
            "cannot be reached",
            "network",
        ),
    ],
)
def test_each_kind_of_failure_has_words_of_its_own(
    zenodo: ZenodoServer, answer: Answer, message: str, hint: str
) -> None:
    zenodo.answers["/api/records/7"] = answer
    with pytest.raises(CatalogueError, match=message) as caught:
        look_up("7")
    assert hint in caught.value.hint


def test_an_answer_that_is_too_long_is_not_read_to_its_end(
    zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_json, "MAX_BYTES", 1000)
    zenodo.publish("7", {CONVERTED: b"PK"}, notes="x" * 1000)
    with pytest.raises(CatalogueError, match="too much data"):
        look_up("7")


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(CatalogueError, match=r"127\.0\.0\.1 cannot be reached") as caught:
        look_up("7")
    assert caught.value.remedies == ("import file",)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(
    zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SILENT_SECONDS", 0.05)
    zenodo.publish("7", {CONVERTED: b"PK"})
    zenodo.answers["/api/records/7"].stall_after = 10
    with pytest.raises(CatalogueError, match="does not answer"):
        look_up("7")


@pytest.mark.parametrize("server", ["http://example.org", "ftp://example.org", "https://", "http://[", "example.org"])
def test_only_https_is_spoken_with_others(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_ZENODO_URL", server)
    with pytest.raises(CatalogueError, match=r"not an? (https |valid )?URL"):
        look_up("7")


def test_off_line_nobody_is_asked(zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    zenodo.publish("7", {CONVERTED: b"PK"})
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    with pytest.raises(CatalogueError, match="downloads are switched off"):
        look_up("7")
    assert zenodo.requests == []
