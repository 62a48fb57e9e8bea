"""Data whose values are checked when it is made."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from napari_webipred.field_values import Before, ValidationError, between, long, matching
from napari_webipred.schema import Part


class Inner(Part):
    size: Annotated[int, between(1, 10)]
    name: str = "x"


class Outer(Part):
    kind: Literal["a", "b", 3]
    share: Annotated[float, between(0, 1, above=True)] | None = None
    inner: Inner = Inner(size=1)
    many: Annotated[tuple[Inner, ...], long(0, 3)] = ()
    pair: tuple[float, str] | None = None
    code: Annotated[str, matching("^[a-z]+$")] = "a"
    text: Annotated[str, Before(str), str.upper] = ""
    facts: dict[str, Any] = {}  # noqa: RUF012


class Derived(Outer):
    code: Annotated[str, matching("^[a-z]+$")]  # no default any more


class Sparse(Part):
    writes_only_what_is_set: ClassVar[bool] = True
    first: int = 1
    second: int = 2


def faults(**values: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    return {".".join(map(str, fault["loc"])): fault["msg"] for fault in caught.value.errors()}


def test_each_wrong_value_is_told_with_its_place_and_what_it_must_be() -> None:
    found = faults(
        kind="c",
        share=0,
        inner={"size": 11},
        many=[{"size": 1}, {"size": "many", "name": 3}, 4],
        pair=[1],
        code="A",
        facts=[],
    )
    assert found == {
        "kind": "must be 'a', 'b' or 3, not 'c'",
        "share": "must be greater than 0 and 1 or less, not 0.0",
        "inner.size": "must be 1 or more and 10 or less, not 11",
        "many.1.size": "must be a whole number, not 'many'",
        "many.1.name": "must be a text, not 3",
        "many.2": "must be an object with named values, not 4",
        "pair": "must have 2 entries, not [1]",
        "code": "must match ^[a-z]+$, not 'A'",
        "facts": "must be an object with named values, not []",
    }


def test_what_is_missing_is_told() -> None:
    assert faults() == {"kind": "is missing"}
    assert faults(kind="a", inner={}) == {"inner.size": "is missing"}


def test_a_field_that_is_declared_again_without_a_default_has_to_be_there() -> None:
    assert Outer(kind="a").code == "a"
    with pytest.raises(ValidationError, match="code: is missing"):
        Derived(kind="a")  # type: ignore[call-arg]


def test_a_long_value_is_shown_in_part() -> None:
    assert len(faults(kind="x" * 10_000)["kind"]) < 200
    assert faults(kind="a", inner={"size": 10**5000})["inner.size"].endswith("not a very long number")


def test_values_are_converted_before_and_after_they_are_checked() -> None:
    assert Outer(kind="a", text=12).text == "12"  # type: ignore[arg-type]
    assert Outer(kind="a", text="word").text == "WORD"


def test_it_cannot_be_changed_and_a_copy_has_other_values() -> None:
    outer = Outer(kind="a")
    with pytest.raises(AttributeError):
        outer.kind = "b"  # type: ignore[misc]
    other = outer.model_copy(update={"kind": "b"})
    assert (outer.kind, other.kind) == ("a", "b")
    assert other.model_fields_set == {"kind"}


def test_a_default_that_can_be_changed_is_not_shared() -> None:
    Outer(kind="a").facts["x"] = 1
    assert Outer(kind="a").facts == {}


def test_unknown_values_are_kept_and_written_again() -> None:
    outer = Outer.model_validate({"kind": "a", "later": {"deep": [1]}})
    assert outer.model_dump(exclude_unset=True) == {"kind": "a", "later": {"deep": [1]}}
    assert outer != Outer(kind="a")


@pytest.mark.parametrize(
    "name", ["self", "model_dump", "model_fields_set", "before", "_written", "__reduce_ex__", "__dict__"]
)
def test_no_unknown_value_hides_a_method(name: str) -> None:
    outer = Outer.model_validate({"kind": "a", name: 1})
    assert outer.model_copy(update={"kind": "b"}).kind == "b"
    assert outer.model_fields_set >= {"kind"}
    assert Outer.model_validate_json(outer.model_dump_json()) == outer
    assert copy.deepcopy(outer) == outer


@pytest.mark.parametrize("name", ["facts", "unknown"])
def test_what_is_nested_too_deeply_to_be_written_again_is_refused(name: str) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    with pytest.raises(ValidationError, match="nested too deeply"):
        Outer.model_validate({"kind": "a", name: {"x": deep}})


def test_what_is_written_can_be_chosen() -> None:
    outer = Outer(kind="a", share=None, many=(Inner(size=2),))
    assert outer.model_dump(exclude_unset=True) == {"kind": "a", "share": None, "many": ({"size": 2},)}
    assert outer.model_dump(mode="json", exclude_defaults=True) == {"kind": "a", "many": [{"size": 2}]}
    assert "share" not in outer.model_dump(exclude_none=True)
    assert outer.model_dump(include={"kind", "code"}, exclude={"code"}) == {"kind": "a"}
    assert Sparse(second=2).model_dump() == {"second": 2}


def test_json_comes_back_and_infinite_numbers_become_null() -> None:
    outer = Outer(kind="a", pair=(math.inf, "ä"), facts={"mean": [math.nan, 1.5]})
    written = outer.model_dump_json(exclude_unset=True)
    assert json.loads(written) == {"kind": "a", "pair": [None, "ä"], "facts": {"mean": [None, 1.5]}}
    sound = Outer(kind="a", pair=(1.5, "ä"))
    assert Outer.model_validate_json(sound.model_dump_json()) == sound


@pytest.mark.parametrize("content", [b"{", b"[]", b"3", b"\xff", b'{"kind": "a"', b"[" * 100_000])
def test_what_is_no_json_object_is_a_fault_like_others(content: bytes) -> None:
    with pytest.raises(ValidationError):
        Outer.model_validate_json(content)


def test_copies_through_pickle_are_equal_and_know_what_was_given() -> None:
    outer = Outer(kind="a", many=(Inner(size=2),))
    for again in (pickle.loads(pickle.dumps(outer)), copy.deepcopy(outer), copy.copy(outer)):
        assert again == outer
        assert again.model_fields_set == outer.model_fields_set
    error = pickle.loads(pickle.dumps(ValidationError([(("a", 1), "is wrong")])))
    assert error.errors() == [{"loc": ("a", 1), "msg": "is wrong"}]


def test_equal_data_has_equal_hashes_and_kinds_differ() -> None:
    assert hash(Inner(size=2)) == hash(Inner(size=2, name="x"))
    assert Inner(size=2) == Inner(size=2, name="x")
    assert Sparse() != Inner(size=1)


class Judge(BaseModel):
    whole: int = 0
    number: float = 0
    text: str = ""
    either: Literal["a", 3] = "a"
    entries: tuple[int, ...] = ()
    pair: tuple[int, float] = (0, 0)
    maybe: int | None = None


class Judged(Part):
    whole: int = 0
    number: float = 0
    text: str = ""
    either: Literal["a", 3] = "a"
    entries: tuple[int, ...] = ()
    pair: tuple[int, float] = (0, 0)
    maybe: int | None = None


_scalars = (
    st.none()
    | st.integers(-(10**20), 10**20)
    | st.floats(-1e15, 1e15)
    | st.just(math.inf)
    | st.sampled_from(["a", "3", "x", ""])
)
_values = _scalars | st.lists(_scalars, max_size=3) | st.dictionaries(st.text(max_size=2), _scalars, max_size=2)


@settings(deadline=None)  # the first case builds the fields
@given(st.dictionaries(st.sampled_from(Judged.model_fields), _values, max_size=3))
def test_json_values_are_taken_and_refused_as_pydantic_does(values: dict[str, Any]) -> None:
    assert outcome(Judged, values, ValidationError) == outcome(Judge, values, PydanticError)


def outcome(kind: type[Any], values: dict[str, Any], refusal: type[Exception]) -> Any:
    """Return the values as they are taken, or the names of those that are refused."""
    try:
        return kind.model_validate(values).model_dump()
    except refusal as error:
        faults: Any = error
        return {fault["loc"][0] for fault in faults.errors()}
