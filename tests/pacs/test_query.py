"""What an archive is asked for, what counts as found, and how its answers are taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred.errors import PacsError
from napari_webipred.pacs.found import Study, is_uid
from napari_webipred.pacs.identity import identifier_of
from napari_webipred.pacs.multipart import boundary_of, parts
from napari_webipred.pacs.query import Query


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (Query(patient_name="Doe^Peter"), {"PatientName": "Doe?Peter*"}),
        (Query(patient_name="Müller*"), {"PatientName": "M*ller*"}),
        (Query(patient_name="山田"), {"PatientName": "*"}),
        (Query(patient_id="a&b=c%2A"), {"PatientID": "a?b?c?2A"}),
        (Query(date="2026-01-31"), {"StudyDate": "20260131"}),
        (Query(date="20260101-20260131"), {"StudyDate": "20260101-20260131"}),
        (Query(date="..2026-01-31"), {"StudyDate": "-20260131"}),
        (Query(date="2026-01-01.."), {"StudyDate": "20260101-"}),
        (Query(modality=" ct "), {"ModalitiesInStudy": "CT"}),
        (Query(accession_number="A?1"), {"AccessionNumber": "A?1"}),
        (Query(), {}),
    ],
)
def test_characters_that_archives_misread_are_asked_for_as_any(query: Query, asked: dict[str, str]) -> None:
    assert query.filters() == asked


@pytest.mark.parametrize(
    "query",
    [
        *(Query(date=text) for text in ("yesterday", "2026-13-01", "2026-02-30", "2026", "-", "20260101-x")),
        Query(modality="C/T"),
        Query(patient_id="1\\2"),
        Query(patient_name="x" * 65),
        Query(accession_number="a\nb"),
    ],
)
def test_what_no_archive_understands_is_said_before_it_is_asked(query: Query) -> None:
    with pytest.raises(PacsError) as caught:
        query.filters()
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "names", "others"),
    [
        ("Doe^Jane", ["Doe^Jane", "DOE^JANE^^", "doe^jane^m"], ["Doe Jane", "Doe^Jan", "^Doe^Jane"]),
        ("D?e^*", ["Doe^Jane", "Die^"], ["De^Jane", "Doe"]),
        ("mu\u0308ller", ["Müller^Jörg=山田"], ["Muller^Jörg"]),
        ("山田", ["Yamada^Tarou=山田^太郎=やまだ^たろう"], ["Yamada^Tarou"]),
    ],
)
def test_names_count_as_people_write_them(name: str, names: list[str], others: list[str]) -> None:
    query = Query(patient_name=name)
    assert [each for each in [*names, *others] if query.matches(Study("1", patient_name=each))] == names


def test_only_identifiers_go_into_an_address() -> None:
    assert is_uid("1.2.840.10008.1")
    assert not [text for text in ("", "../1", "1/2", "1..2", "1.2\n", "1.2?x", "1" * 65, "１.2") if is_uid(text)]


def multipart(*contents: bytes, boundary: bytes = b"xyz") -> bytes:
    head = b"\r\n--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + each for each in contents) + b"\r\n--" + boundary + b"--\r\n"


PIECES = st.sampled_from([b"", b"image", b"\r\n--xy", b"--", b"\r\n\r\n", b"\r\n--", b"\n--xyz"])


@given(st.lists(PIECES, max_size=4), st.integers(1, 40))
def test_the_parts_of_an_answer_come_whole_however_it_is_cut(contents: list[bytes], size: int) -> None:
    whole = multipart(*contents)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert list(parts(pieces, b"xyz", 1000)) == contents


def test_what_came_before_an_answer_was_cut_short_counts() -> None:
    found = []
    with pytest.raises(PacsError, match="cut short"):
        found.extend(each for each in parts([multipart(b"one", b"two")[:-12]], b"xyz", 1000))
    whole = multipart(b"one", b"two")[: -len(b"\r\n--xyz--\r\n")]
    coming = parts([whole], b"xyz", 1000)
    assert next(coming) == b"one"
    with pytest.raises(PacsError, match="cut short"):
        next(coming)


def test_a_part_without_an_end_is_not_kept_in_memory() -> None:
    endless = (b"x" * 2**16 for _ in range(1000))
    with pytest.raises(PacsError, match="more than"):
        list(parts(endless, b"xyz", 2**20))


def test_the_boundary_is_read_as_it_is_written() -> None:
    assert boundary_of('multipart/related; type="application/dicom"; boundary="a b"') == b"a b"
    assert boundary_of("multipart/related; boundary=abc") == b"abc"
    assert boundary_of("application/dicom; boundary=abc") == b""
    assert boundary_of("") == b""


@given(st.binary(max_size=200))
def test_no_head_is_too_odd(content: bytes) -> None:
    identifier_of(bytes(128) + b"DICM" + content)
    identifier_of(bytes(128) + b"DICM\x02\x00\x03\x00UI" + content)
