"""Data whose values are checked when it is made, under the names that pydantic gives to its methods.

pydantic does more, and takes a third of the time that a command of this program needs: 60 ms to be imported and 50 to
build the classes of a card. Here, a class is looked into when its first object is made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self, TypeVar, dataclass_transform, get_type_hints

from napari_webipred.field_values import Convert, ValidationError, converter, shown

Made = TypeVar("Made", bound="Part")
_MISSING: Any = object()
DEEPEST = 20  # values within values


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
            raise ValidationError([((), f"must be an object with named values, not {shown(values)}")])
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
        _FIELDS[kind] = {name: (converter(hints[name]), default) for name, default in kind._defaults.items()}
    return _FIELDS[kind]


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
