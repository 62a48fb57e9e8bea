"""A run of one or several models in a terminal: it writes the rows as they come and tells what failed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from napari_webipred.cli import arguments, terminal
from napari_webipred.cli.columns import Columns
from napari_webipred.cli.comparison import compare, frame_of
from napari_webipred.cli.maps import Maps, finished
from napari_webipred.cli.row_output import written
from napari_webipred.cli.several import Together
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.limits import amount
from napari_webipred.results.models_record import ModelsRecord
from napari_webipred.results.record import Record

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.engine import Event, ImageLike, Options
    from napari_webipred.execution import Executor
    from napari_webipred.hardware import Hardware
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.model import Model
    from napari_webipred.results.inputs import ModelInput
    from napari_webipred.results.row import Row


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of a run besides its rows.

    Attributes
    ----------
    show : bool
        Whether rows are shown as bars in place of a table, if there is no file.
    given : sequence of ModelInput
        What opens the models again; it is noted in the record.
    together : Together
        What is made of the rows of several models.
    maps : Maps, optional
        Explains what a single model says.
    stream : text stream, optional
        Where the table goes if there is no file; standard output by default.
    regions : str, optional
        The label image that the regions are from; it is noted in the record.
    executor : Executor, optional
        Where the planes are classified; in threads of this process by default. Maps have one of their own.
    """

    show: bool = False
    given: Sequence[ModelInput] = ()
    together: Together = field(default_factory=Together)
    maps: Maps | None = None
    stream: TextIO | None = None
    regions: str | None = None
    executor: Executor | None = None


def run(
    models: Sequence[Model],
    inputs: Iterable[ImageLike],
    output: Path | None,
    options: Options,
    what: Selection,
    wishes: Wishes,
) -> int:
    """Classify, write the rows as they come, and tell at the end what failed.

    Parameters
    ----------
    models, inputs, options, what
        See `napari_webipred.engine.classify_with_each`.
    output : Path, optional
        The table to write; rows go to standard output by default.
    wishes : Wishes

    Returns
    -------
    int
        The exit status.
    """
    from napari_webipred import engine
    from napari_webipred.execution.threads import classify_planes
    from napari_webipred.results.ranges import REMEDY, Ranges, note

    maps, ranges, failed = wishes.maps, Ranges(), 0
    rows: list[Row] = []  # of several models, to compare them
    columns = Columns.of(models, options, wishes.together)
    _tell_differences(models, options)
    sources = _found(inputs, with_stacks=output is None or maps is not None or len(models) > 1)
    executor = maps.executor if maps else wishes.executor or classify_planes
    with (
        finished(maps) if maps else nullcontext(),
        closing(engine.classify_with_each(models, sources, options, what, executor)) as events,
        ExitStack() as stack,
    ):
        started = arguments.started(next(events)[1])
        if maps is not None:
            maps.begin(sources.described, started.total, what)
        facts = {**options.as_dict(), **what.as_dict(), **({"regions": wishes.regions} if wishes.regions else {})}
        record = _record(models, wishes.given, columns.names, facts, options.hardware, started.total)
        write = stack.enter_context(written(output or wishes.stream, record, columns, started, sources, wishes.show))
        for number, row in _followed(events, models, record, columns, wishes, options):
            if write:
                write(columns.spread(number, row), number)
            if maps is not None:
                maps.add(row)
            ranges.add(row)
            failed += row.failed
            if len(models) > 1:
                rows.append(columns.spread(number, row))
        if isinstance(record, ModelsRecord):
            frame = frame_of(rows, columns, started)
            record.facts = compare(frame, models[0].card, wishes.together, columns, write)
    total = record.total
    if output is not None:
        terminal.message(f"{total - failed} of {total} images classified, written to {output}.")
    if maps:
        terminal.message(maps.summary)
    if differing := note(ranges.varying()):
        terminal.message(f"{differing} {REMEDY.removesuffix('.')}: --range stack.")
    return SOME_FAILED if failed or (maps and maps.unexplained) else DONE


def _found(inputs: Iterable[ImageLike], *, with_stacks: bool) -> Sources:
    """Find the images; and which of them are stacks, if that has to be known before the first row."""
    from napari_webipred import engine

    def words(count: int) -> tuple[str, int, None]:
        return f"Listing images: {count:,}", count, None

    sources = terminal.shown(engine.searching(inputs), words)
    return sources.opened() if with_stacks else sources


def _tell_differences(models: Sequence[Model], options: Options) -> None:
    """Say before the first image how far the numbers will be from those in float32 on the processor."""
    from napari_webipred import engine

    for model, apart in zip(models, engine.differences(models, options), strict=True):
        if apart is not None:
            terminal.message(apart.sentence(model.card.name))


def _followed(
    events: Iterable[tuple[int, Event]],
    models: Sequence[Model],
    record: Record | ModelsRecord,
    columns: Columns,
    wishes: Wishes,
    options: Options,
) -> Iterator[tuple[int, Row]]:
    """Yield the rows of each model, and show how far they are and how much memory is in use for images."""
    from napari_webipred import engine
    from napari_webipred.imaging.memory import image_memory

    progress, done, budget = terminal.ProgressLine("images"), 0, options.budget
    try:
        for number, event in events:
            if isinstance(event, engine.RowDone):
                if isinstance(record, Record):
                    record.total = event.total
                yield number, event.row
                done += 1
                progress.clear()
                name = columns.names[number] if len(models) > 1 else ""
                _tell(event.row, models[number].card, name, wishes.show)
                used = f"{amount(image_memory.in_use)} of {amount(budget)} in use"
                progress.show(f"{done} of {record.total} images", done, record.total, f", {used}")
    finally:
        progress.clear()


def _tell(row: Row, card: ModelCard, model: str, show: bool) -> None:
    """Show a row, or only what is wrong with it."""
    titled = replace(row, image=f"{row.image} ({model})") if model else row
    if show:
        terminal.show_row(titled, card, sys.stdout)
    elif row.error or row.remark:
        terminal.message(f"{terminal.title(titled)}: {row.error or row.remark}")


def _record(
    models: Sequence[Model],
    references: Sequence[ModelInput],
    names: Sequence[str],
    options: Mapping[str, Any],
    hardware: Hardware,
    total: int,
) -> Record | ModelsRecord:
    given: Sequence[ModelInput | None] = references or [None] * len(models)
    from napari_webipred.difference import measured

    records = [
        Record(
            model.card,
            model.checksum,
            {**options, **_reference(model, options), **measured(model, hardware)},
            total,
            reference,
        )
        for model, reference in zip(models, given, strict=True)
    ]
    return ModelsRecord(records, names) if len(records) > 1 else records[0]


def _reference(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the reference that images are compared with, if they are."""
    found = model.reference if options.get("reference") else None
    return {"reference": found.as_dict()} if found else {}
