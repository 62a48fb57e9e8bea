from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_webipred import cli
from zenodo_server import ZenodoServer, error_answer, hostile_record, model_zip


def test_zenodo_is_searched_page_by_page(zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str]) -> None:
    creators = [{"name": "Doe, Jane"}, {"name": "Roe, R."}]
    one = zenodo.publish("123", {"m.onnx": b"x" * 1500}, title="Chest \x1b[31mX-ray", creators=creators)
    two = zenodo.publish("456", {"a.zip": model_zip(), "b.zip": model_zip()}, publication_date=None, license=None)
    zenodo.found([one, two], total=70)
    assert cli.main(["models", "--zenodo", "chest x-ray", "--page", "2"]) == 0
    out, err = capsys.readouterr()
    header, first, second, _ = out.splitlines()
    assert header.split() == ["MODEL", "FORMAT", "SIZE", "LICENCE", "DATE", "BY", "NAME"]
    words = first.split()
    assert words[:6] == ["10.5281/zenodo.123", "onnx", "1.5", "kB", "cc-by-4.0", "2023-03-30"]
    assert first.endswith("Doe, Jane et al.  Chest \\x1b[31mX-ray")
    assert second.startswith(f"{zenodo.url}/records/456/files/a.zip")
    assert err == "Page 2 of 3, 70 records. `--page 3` shows more.\n"
    assert zenodo.queries[0]["page"] == "2"


def test_a_search_without_results_says_so(zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str]) -> None:
    zenodo.found([])
    assert cli.main(["models", "--zenodo", "chest"]) == 0
    assert capsys.readouterr() == ("", "No records found.\n")


def test_the_cards_of_a_search_can_be_had_as_json(zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str]) -> None:
    zenodo.found([zenodo.publish("123", {"m.onnx": b"x"})])
    assert cli.main(["models", "--zenodo", "chest", "--json"]) == 0
    assert [card["id"] for card in json.loads(capsys.readouterr().out)] == ["zenodo-123"]


def test_a_search_that_fails_says_why(zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str]) -> None:
    zenodo.answers["/api/records"] = error_answer("429")
    assert cli.main(["models", "--zenodo", "chest"]) == 2
    assert "too many requests" in capsys.readouterr().err
    assert cli.main(["models", "--zenodo", " "]) == 2
    assert "Nothing to search for" in capsys.readouterr().err


def test_listing_the_catalogue_asks_nobody(zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--search", "chest"]) == 0
    assert "webipred-16" in capsys.readouterr().out
    assert zenodo.requests == []


def test_a_hostile_record_cannot_rewrite_the_terminal(zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str]) -> None:
    zenodo.found([hostile_record(zenodo), zenodo.publish("456", {"m.onnx": b"x"}, title="Chest")])
    assert cli.main(["models", "--zenodo", "chest"]) == 0
    out, err = capsys.readouterr()
    lines = (out + err).splitlines()
    assert all(line.isprintable() for line in lines)
    assert len(lines) <= 5  # a header, at most two files of the one, one of the other, what comes next
    assert max(map(len, lines)) < 1000
    assert "<img" not in out
    assert "Chest" in out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_whatever_a_search_finds_the_other_records_are_shown(
    zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    record = zenodo.publish("123", {"m.onnx": b"x"})
    within: Any = data.draw(st.sampled_from([record, record["metadata"], record["files"][0]]))
    within[data.draw(st.sampled_from(sorted(within)))] = data.draw(VALUES)
    zenodo.found([record, zenodo.publish("456", {"m.onnx": b"x"}, title="The other")])
    assert cli.main(["models", "--zenodo", "chest"]) == 0
    assert "The other" in capsys.readouterr().out


@pytest.mark.parametrize("size", [2**63, -1, 1.5, True, "many", None])
def test_a_size_that_no_file_has_is_left_out(
    zenodo: ZenodoServer, capsys: pytest.CaptureFixture[str], size: object
) -> None:
    record = zenodo.publish("123", {"m.onnx": b"x"})
    record["files"][0]["size"] = size
    zenodo.found([record])
    assert cli.main(["models", "--zenodo", "chest", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert card["weights"][0].get("size") is None
