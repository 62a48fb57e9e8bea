"""What checks a single value, as a type hint describes it, and what is said of one that is wrong."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Convert = Callable[[Any], Any]
_SHOWN = 60  # characters of a value


class ValidationError(ValueError):
    """Some values are not what they have to be.

    Parameters
    ----------
    faults : list of tuple
        For each of them where it is, as names of fields and numbers of entries, and what is wrong.
    """

    def __init__(self, faults: list[tuple[tuple[str | int, ...], str]]) -> None:
        self._faults = faults
        super().__init__("; ".join(f"{'.'.join(map(str, place)) or 'value'}: {message}" for place, message in faults))

    def __reduce__(self) -> tuple[type[ValidationError], tuple[Any]]:
        return type(self), (self._faults,)

    def errors(self) -> list[dict[str, Any]]:
        """Return for each fault its place (``loc``) and what is wrong (``msg``)."""
        return [{"loc": place, "msg": message} for place, message in self._faults]

    def within(self, place: str | int) -> list[tuple[tuple[str | int, ...], str]]:
        """Return the faults of a value that lies in another at `place`."""
        return [((place, *inner), message) for inner, message in self._faults]


class Before:
    """Within ``Annotated``: what is done with a value before it is checked."""

    def __init__(self, convert: Convert) -> None:
        self.convert = convert


def between(least: float, greatest: float = math.inf, *, above: bool = False) -> Convert:
    """Within ``Annotated``: a number has to lie between two others, which it may equal; `above`: not the first."""

    def check(value: Any) -> Any:
        if value > greatest or not (value > least if above else value >= least):
            limits = f"greater than {least}" if above else f"{least} or more"
            raise _wrong(f"must be {limits}" + ("" if greatest == math.inf else f" and {greatest} or less"), value)
        return value

    return check


def long(least: int, greatest: float = math.inf) -> Convert:
    """Within ``Annotated``: a text or list has to have so many characters or entries."""

    def check(value: Any) -> Any:
        if not least <= len(value) <= greatest:
            more = "" if greatest == math.inf else f" and {greatest} or less"
            raise _wrong(f"must be {least} or more long{more}", value)
        return value

    return check


def matching(pattern: str) -> Convert:
    """Within ``Annotated``: a pattern has to be found in a text."""
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if not compiled.search(value):
            raise _wrong(f"must match {pattern}", value)
        return value

    return check


def converter(hint: Any) -> Convert:
    """Return what checks a value that is described by a type hint, and returns it as that type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(converter(arguments[0]), hint.__metadata__)
    if origin in (Union, types.UnionType):
        (inner,) = (converter(each) for each in arguments if each is not type(None))
        return lambda value: None if value is None else inner(value)
    if origin is Literal:
        return _one_of(arguments)
    if origin is tuple:
        return _entries(arguments)
    if origin is dict:
        return _mapping
    if hasattr(hint, "model_validate"):  # an object with fields of its own
        validate: Convert = hint.model_validate
        return validate
    return _SIMPLE[hint]


def _annotated(convert: Convert, metadata: tuple[Any, ...]) -> Convert:
    first = [each.convert for each in metadata if isinstance(each, Before)]
    steps = [*first, convert, *(each for each in metadata if not isinstance(each, Before))]

    def together(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return together


def _one_of(options: tuple[Any, ...]) -> Convert:
    def check(value: Any) -> Any:
        for option in options:
            if type(value) is type(option) and value == option:
                return value
        raise _wrong(f"must be {', '.join(map(repr, options[:-1]))} or {options[-1]!r}", value)

    return check


def _entries(arguments: tuple[Any, ...]) -> Convert:
    """Return what checks a list: any number of entries of one kind, or one of each kind."""
    many = arguments[-1] is Ellipsis
    each = [converter(argument) for argument in arguments if argument is not Ellipsis]

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple, Iterator)):
            raise _wrong("must be a list", value)
        entries = list(value)
        if not many and len(entries) != len(each):
            raise _wrong(f"must have {len(each)} entries", value)
        made, faults = [], []
        for number, entry in enumerate(entries):
            try:
                made.append(each[0 if many else number](entry))
            except ValidationError as error:
                faults += error.within(number)
            except ValueError as error:
                faults.append(((number,), str(error)))
        if faults:
            raise ValidationError(faults)
        return tuple(made)

    return check


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise _wrong("must be an object with named values", value)
    return dict(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("must be a text", value)
    return value


def _integer(value: Any) -> int:
    """Read a whole number; texts of digits, too, which many programs write."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,100}\s*", value):
        return int(value)
    raise _wrong("must be a whole number", value)


def _number(value: Any) -> float:
    try:
        if isinstance(value, (int, float, str)):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise _wrong("must be a number", value)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong("must be true or false", value)


def _as_it_is(value: Any) -> Any:
    return value


_SIMPLE: dict[Any, Convert] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
    Any: _as_it_is,
}


def _wrong(demand: str, value: Any) -> ValueError:
    return ValueError(f"{demand}, not {shown(value)}")


def shown(value: Any) -> str:
    """Write a value as it stands in a message: a long one in part."""
    try:
        text = repr(value)
    except ValueError:  # a number with too many digits to be written
        text = "a very long number"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
