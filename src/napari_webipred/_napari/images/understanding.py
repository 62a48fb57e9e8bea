"""How the leading axes of a layer are understood: by the program itself, and as the user has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from napari_webipred.imaging.planes import colour_axis
from napari_webipred.imaging.selection import MOST_CHANNELS, PROJECTED, default_colours

# What becomes of an axis: planes, as chosen for all stacks or for this axis alone; one plane; or colours.
Use: TypeAlias = Literal["auto", "stack", "all", "current", "range", "max", "mean", "rgb", "merge"]
Planes: TypeAlias = Literal["all", "current"] | slice  # of all stacks
IN_ROWS = frozenset({"stack", "all", "current", "range"})
IN_PART = frozenset({"range", "max", "mean"})  # which take only some places if the user wants so


class AxisChoice(Struct, frozen=True):
    """What the user has chosen for one leading axis; the defaults are what the program does by itself.

    Attributes
    ----------
    name : str
        Empty for the name that the layer gives it.
    use : str
        What becomes of it.
    start, stop, step : int
        Which places are taken where not all are; no `stop` means up to the end.
    channels : tuple of (int, str)
        Places that are merged, and their colours; empty for all.
    """

    name: str = ""
    use: Use = "auto"
    start: int = 0
    stop: int | None = None
    step: int = 1
    channels: tuple[tuple[int, str], ...] = ()


class Understanding(Struct, frozen=True):
    """What the user has chosen for the leading axes of a layer; none of it counts for another number of axes."""

    axes: tuple[AxisChoice, ...] = ()


class Axis(Struct, frozen=True):
    """A leading axis as it is understood.

    Attributes
    ----------
    name : str
    length : int
    use : str
        What becomes of it; never ``"auto"``.
    places : range
        Which places are taken.
    channels : tuple of (int, str)
        Places that are merged, and the names of their colours.
    by_itself : bool
        Whether the program has taken it for colours by itself.
    """

    name: str
    length: int
    use: Use
    places: range
    channels: tuple[tuple[int, str], ...] = ()
    by_itself: bool = False

    @property
    def in_rows(self) -> bool:
        """Whether each of its places that is taken gets a row."""
        return self.use in IN_ROWS


BY_ITSELF = Understanding()


def understood(names: Sequence[str], lengths: Sequence[int], understanding: Understanding = BY_ITSELF) -> list[Axis]:
    """Return how leading axes with these names and lengths are understood.

    What the user has chosen counts as far as it is possible: not if the number of axes is another one, no colours if
    there are not three, and no places beyond the end.
    """
    choices = understanding.axes if len(understanding.axes) == len(names) else (AxisChoice(),) * len(names)
    called = [choice.name or name for choice, name in zip(choices, names, strict=True)]
    called = called if len(set(called)) == len(called) else list(names)
    red_green_blue = colour_axis(called, lengths)
    axes: list[Axis] = []
    coloured = any(choice.use in ("rgb", "merge") for choice in choices)
    for i, (choice, name, length) in enumerate(zip(choices, called, lengths, strict=True)):
        by_itself = choice.use == "auto" and i == red_green_blue and not coloured
        use: Use = "rgb" if by_itself else _possible(choice.use, length)
        if use in ("rgb", "merge") and any(axis.use in ("rgb", "merge") for axis in axes):
            use = "stack"
        places = range(length)[choice.start : choice.stop : choice.step] if use in IN_PART else range(length)
        channels = tuple((n, colour) for n, colour in choice.channels if n < length) or default_channels(length)
        merged = channels if use == "merge" else ()
        axes.append(Axis(name, length, use, places or range(length), merged, by_itself))
    return axes


def understood_planes(names: Sequence[str], lengths: Sequence[int], understanding: Understanding) -> list[Axis]:
    """Return how the leading axes of layers are understood that are channels themselves: none of them is colours."""
    axes = understood(names, lengths, understanding)
    return [
        axis if axis.use not in ("rgb", "merge") else Axis(axis.name, axis.length, "stack", range(axis.length))
        for axis in axes
    ]


def _possible(use: Use, length: int) -> Use:
    return use if use != "auto" and use in uses(length) else "stack"


def uses(length: int) -> tuple[Use, ...]:
    """Return what can become of an axis of this length."""
    colours: tuple[Use, ...] = ("rgb", "merge") if length == 3 else ("merge",) if length <= MOST_CHANNELS else ()
    return ("stack", "all", "current", "range", "max", "mean", *colours)


def default_channels(length: int) -> tuple[tuple[int, str], ...]:
    """Give each of so many channels, up to `MOST_CHANNELS`, its colour."""
    return tuple(enumerate(default_colours(min(length, MOST_CHANNELS))))  # of 100,000 planes, too, in no time


def sliced_axis(axes: Sequence[Axis]) -> int | None:
    """Return which axis a range of planes of all stacks counts along: z, or the last one that is left to it."""
    stack = [i for i, axis in enumerate(axes) if axis.use == "stack"]
    return next((i for i in stack if axes[i].name.casefold() == "z"), stack[-1] if stack else None)


def taken(axes: Sequence[Axis], planes: Planes, current: Sequence[int] | None) -> dict[str, range]:
    """Return which places are taken along each axis that is in rows; there may be none.

    Parameters
    ----------
    axes : sequence of Axis
    planes : "all", "current" or slice
        What is chosen for all stacks.
    current : sequence of int, optional
        The place along each axis that the viewer shows; None where nobody asks for it.
    """
    along = sliced_axis(axes) if isinstance(planes, slice) else None
    found = {}
    for i, axis in enumerate(axes):
        if not axis.in_rows:
            continue
        shown = axis.use == "current" or (axis.use == "stack" and planes == "current")
        if shown and current is not None:
            found[axis.name] = range(current[i], current[i] + 1)
        else:
            found[axis.name] = range(axis.length)[planes] if i == along else axis.places  # type: ignore[index]
    return found


def in_words(axes: Sequence[Axis], planes: Planes = "all", named: bool = True) -> list[str]:
    """Say how many planes there are, which of them are taken, and what is made of them."""
    rows = [axis for axis in axes if axis.in_rows]
    words = []
    if rows:
        along = f" along {', '.join(axis.name for axis in rows)}" if named else ""
        words.append(f"{' × '.join(str(axis.length) for axis in rows)} planes{along}")
    places = taken(axes, planes, None)
    for axis in rows:
        before = f"{axis.name} " if len(rows) > 1 else ""
        if axis.use == "current" or (axis.use == "stack" and planes == "current"):
            words.append(f"current {axis.name if len(rows) > 1 else 'plane'}")
        elif places[axis.name] != range(axis.length):
            words.append(before + _part(places[axis.name]))
    for axis in axes:
        if axis.use in PROJECTED:
            part = "" if axis.places == range(axis.length) else f", {_part(axis.places)}"
            words.append(f"{PROJECTED[axis.use]} of {axis.length} planes along {axis.name}{part}")
        elif axis.use == "rgb":
            words.append("3 channels as RGB")
        elif axis.use == "merge":
            count = f"{len(axis.channels)} of {axis.length}" if len(axis.channels) < axis.length else str(axis.length)
            words.append(f"{count} channels in colours")
    return words


def reasons(axes: Sequence[Axis]) -> list[str]:
    """Say why the program has taken an axis for colours by itself, and which colours are merged."""
    words = []
    for axis in axes:
        if axis.by_itself:
            words.append(f"Taken as RGB because the axis is called {axis.name} and has 3 channels.")
        elif axis.use == "merge":
            words.append("Merged: " + ", ".join(f"{axis.name} {n} in {colour}" for n, colour in axis.channels) + ".")
    return words


def _part(places: range) -> str:
    """Say which planes are taken, and how many: ``every 5th: 12``."""
    if not places:
        return "none in the range"
    if len(places) == 1:
        return f"only {places[0]}"
    every = f"every {_ordinal(places.step)}" if places.step > 1 else ""
    if every and not places[0]:
        return f"{every}: {len(places)}"
    return f"{places[0]} to {places[-1]}{', ' * bool(every)}{every}: {len(places)}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
