"""Data whose values are checked when it is made, under the names that pydantic gives to its methods.

pydantic does more, and takes a third of the time that a command of this program needs: 60 ms to be imported and 50 to
build the classes of a card. Here, a class is looked into when its first object is made.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

Convert = Callable[[Any], Any]
Made = TypeVar("Made", bound="Part")
_MISSING: Any = object()
_SHOWN = 60  # characters of a value
DEEPEST = 20  # values within values


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


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Part:
    """Data with named fields. Values of other names are kept, and written again.

    Parameters
    ----------
    **values
        Of the fields. Those without a default have to be there.

    Attributes
    ----------
    model_fields : tuple of str
        Names of the fields, of the class.
    model_fields_set : frozenset of str
        Names of those that were given.

    Raises
    ------
    ValidationError
        A value is missing, or is not what it has to be.
    """

    model_fields: ClassVar[tuple[str, ...]] = ()
    model_fields_set: frozenset[str]
    _defaults: ClassVar[dict[str, Any]] = {}
    # Whether only the fields that were given are ever written.
    writes_only_what_is_set: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        own = [name for name, hint in cls.__annotations__.items() if "ClassVar" not in str(hint)]
        cls.model_fields = tuple(dict.fromkeys((*cls.model_fields, *own)))
        cls._defaults = {**cls._defaults, **{name: vars(cls).get(name, _MISSING) for name in own}}

    def __init__(self, /, **values: Any) -> None:
        given = self.before(values)
        fields = _fields(type(self))
        made: dict[str, Any] = {}
        faults: list[tuple[tuple[str | int, ...], str]] = []
        for name, (convert, default) in fields.items():
            value = given.get(name, _MISSING)
            if value is _MISSING:
                if default is _MISSING:
                    faults.append(((name,), "is missing"))
                made[name] = dict(default) if type(default) is dict else default
                continue
            try:
                made[name] = convert(value)
            except ValidationError as error:
                faults += error.within(name)
            except ValueError as error:
                faults.append(((name,), str(error)))
        if faults:
            raise ValidationError(faults)
        # What an attribute or method is called here would hide it.
        made |= {name: value for name, value in given.items() if name not in fields and not hasattr(type(self), name)}
        self._set(made, frozenset(given))

    @classmethod
    def before(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values that are checked, made of those that were given."""
        return values

    def _set(self, values: dict[str, Any], given: frozenset[str]) -> None:
        self.__dict__.update(values)
        object.__setattr__(self, "model_fields_set", given)

    __slots__ = ("__dict__", "__weakref__", "model_fields_set")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed; model_copy makes another.")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.__dict__, self.model_fields_set)

    @classmethod
    def model_validate(cls, values: Any) -> Self:
        """Make it of a dict, or return it if it is one already.

        Raises
        ------
        ValidationError
        """
        if isinstance(values, cls):
            return values
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise ValidationError([((), f"must be an object with named values, not {_shown(values)}")])
        if _is_deep(values):
            raise ValidationError([((), "is nested too deeply")])
        return cls(**values)

    @classmethod
    def model_validate_json(cls, content: bytes | str) -> Self:
        """Make it of JSON.

        Raises
        ------
        ValidationError
            Also if it is no JSON.
        """
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ValidationError([((), f"is not JSON: {error}")]) from error
        return cls.model_validate(values)

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """Return it with other values, which are not checked."""
        return _rebuilt(type(self), {**self.__dict__, **update}, self.model_fields_set | update.keys())

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] = (),
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Return it as a dict, and what it contains.

        Parameters
        ----------
        mode : "python" or "json"
            ``"json"``: lists in place of tuples.
        include, exclude : collection of str, optional
            Names of the only fields that are written, and of those that are not.
        exclude_unset, exclude_defaults, exclude_none : bool
            Whether to leave out what was not given, what equals its default, and what is None, also further inside.
        """

        def plain(value: Any) -> Any:
            if isinstance(value, Part):
                return value.model_dump(
                    mode=mode,
                    exclude_unset=exclude_unset,
                    exclude_defaults=exclude_defaults,
                    exclude_none=exclude_none,
                )
            if isinstance(value, dict):
                return {name: plain(part) for name, part in value.items()}
            if isinstance(value, (list, tuple)):
                parts = [plain(part) for part in value]
                return parts if mode == "json" or isinstance(value, list) else tuple(parts)
            return value

        return {
            name: plain(value)
            for name, value in self._written(exclude_unset, exclude_defaults)
            if (include is None or name in include) and name not in exclude and not (exclude_none and value is None)
        }

    def _written(self, exclude_unset: bool, exclude_defaults: bool) -> Iterator[tuple[str, Any]]:
        fields = _fields(type(self))
        only_set = exclude_unset or self.writes_only_what_is_set
        for name, value in self.__dict__.items():
            if only_set and name not in self.model_fields_set:
                continue
            if exclude_defaults and name in fields and fields[name][1] == value:
                continue
            yield name, value

    def model_dump_json(self, *, indent: int | None = None, exclude_unset: bool = False) -> str:
        """Return it as JSON; numbers that are none, and infinite ones, become null."""
        plain = _finite(self.model_dump(mode="json", exclude_unset=exclude_unset))
        return json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False)


def _rebuilt(kind: type[Made], values: dict[str, Any], given: frozenset[str]) -> Made:
    made = object.__new__(kind)
    made._set(values, given)
    return made


_FIELDS: dict[type[Part], dict[str, tuple[Convert, Any]]] = {}


def _fields(kind: type[Part]) -> dict[str, tuple[Convert, Any]]:
    """Return for each field what checks its values, and its default."""
    if kind not in _FIELDS:
        hints = get_type_hints(kind, include_extras=True)
        _FIELDS[kind] = {name: (_converter(hints[name]), default) for name, default in kind._defaults.items()}
    return _FIELDS[kind]


def _converter(hint: Any) -> Convert:
    """Return what checks a value that is described by a type hint, and returns it as that type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(_converter(arguments[0]), hint.__metadata__)
    if origin in (Union, types.UnionType):
        (inner,) = (_converter(each) for each in arguments if each is not type(None))
        return lambda value: None if value is None else inner(value)
    if origin is Literal:
        return _one_of(arguments)
    if origin is tuple:
        return _entries(arguments)
    if origin is dict:
        return _mapping
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint.model_validate
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
    each = [_converter(argument) for argument in arguments if argument is not Ellipsis]

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


def _is_deep(values: Any, depth: int = 0) -> bool:
    """Tell whether values are nested more deeply than `DEEPEST`: whoever writes them would run out of stack."""
    if isinstance(values, dict):
        values = values.values()
    elif not isinstance(values, (list, tuple)):
        return False
    return depth == DEEPEST or any(_is_deep(each, depth + 1) for each in values)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value


def _wrong(demand: str, value: Any) -> ValueError:
    return ValueError(f"{demand}, not {_shown(value)}")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number with too many digits to be written
        text = "a very long number"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
