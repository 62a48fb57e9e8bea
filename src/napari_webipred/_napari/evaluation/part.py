"""What the evaluation shows: figures made of parts, and tables, each of which can be saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_webipred.evaluation.figures import Colours
else:
    Axes = Colours = Any  # imported when first needed, and `help` asks for the types of fields

Cell: TypeAlias = str | int | float | None
Lines: TypeAlias = Sequence[Sequence[Cell]]
OWN = "your images"  # the name of their numbers beside others
ALL = ""  # the key of the variant that is about all classes


class Matrix(Struct, frozen=True, eq=False):
    """The cells of a confusion matrix, which can be chosen.

    Attributes
    ----------
    true, assigned : tuple of str
        Names of its rows and columns.
    counts : sequence of sequence of int
    rows : callable, optional
        Returns the numbers of the rows of a cell in the session's table, by its row and column; None if they are not
        there.
    sides : tuple of str
        Whose classes its rows and columns are, if not the true and the assigned ones.
    """

    true: tuple[str, ...]
    assigned: tuple[str, ...]
    counts: Sequence[Sequence[int]]
    rows: Callable[[int, int], Any] | None = None
    sides: tuple[str, ...] = ()

    @property
    def own(self) -> bool:
        """Whether its images are rows of the session's table."""
        return self.rows is not None


class Part(Struct, frozen=True, eq=False):
    """One coordinate system of a figure.

    Attributes
    ----------
    title : str
        Whose numbers these are; empty if there is only one part.
    draw : callable
        Draws it.
    lines : sequence of sequence of cells
        The same numbers as a table, the names of the columns first.
    height : int
        How high it is at least, in pixels.
    matrix : Matrix, optional
        Its cells, if it is a confusion matrix.
    """

    title: str
    draw: Callable[[Axes, Colours], None]
    lines: Lines
    height: int = 330
    matrix: Matrix | None = None


class Plot(Struct, frozen=True, eq=False):
    """Something to look at: a figure, or a table of texts.

    Attributes
    ----------
    key : str
        Its name for programs and files.
    title : str
        Its name for people.
    variants : mapping of str to str
        What can be chosen within it: a name for people by its key. At least one.
    sentences : mapping of str to str
        What it means, by the key of the variant; ``""`` for all others.
    parts : callable, optional
        Makes the parts of a variant, which takes time.
    lines : callable, optional
        Makes the lines of a variant instead, the names of the columns first.
    numbers : callable, optional
        Makes the lines of a file, if they are others.
    rows : callable, optional
        Returns which rows of the session's table each line of a variant is about.
    """

    key: str
    title: str
    variants: Mapping[str, str]
    sentences: Mapping[str, str]
    parts: Callable[[str], list[Part]] | None = None
    lines: Callable[[str], Lines] | None = None
    numbers: Callable[[], Lines] | None = None
    rows: Callable[[str], Sequence[Sequence[int]]] | None = None

    def sentence(self, variant: str) -> str:
        """Return what a variant means."""
        return self.sentences.get(variant, self.sentences.get("", ""))
