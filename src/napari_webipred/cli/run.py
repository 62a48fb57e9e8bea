"""A run of one or several models in a terminal: it writes the rows as they come and tells what failed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from msgspec import Struct, field
from msgspec.structs import replace

from napari_webipred.cli import arguments, terminal
from napari_webipred.cli.beginning import Beginning, beginning
from napari_webipred.cli.columns import Columns
from napari_webipred.cli.comparison import compare, frame_of
from napari_webipred.cli.maps import Maps, finished
from napari_webipred.cli.progress import Progress
from napari_webipred.cli.retrying import Retrying
from napari_webipred.cli.row_output import written
from napari_webipred.cli.several import Together
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.cli.summary import Summary
from napari_webipred.errors import OptionError
from napari_webipred.results.inputs import ModelInput
from napari_webipred.results.models_record import ModelsRecord
from napari_webipred.results.ranges import REMEDY, note
from napari_webipred.results.record import Record
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.engine import Event, ImageLike, Options, Started
    from napari_webipred.execution import Executor
    from napari_webipred.hardware import Hardware
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.model import Model
else:
    Executor = Model = Any  # they take long to import, and the program may only be asked for its help


class Wishes(Struct, frozen=True):
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
    resume : bool
        Whether the run goes on with the rows that an earlier one has left.
    retry_failed : bool
        Whether images that failed then are tried again.
    """

    show: bool = False
    given: Sequence[ModelInput] = ()
    together: Together = field(default_factory=Together)
    maps: Maps | None = None
    stream: TextIO | None = None
    regions: str | None = None
    executor: Executor | None = None
    resume: bool = False
    retry_failed: bool = False


class _Run(Struct):
    """What belongs to a run."""

    models: Sequence[Model]
    columns: Columns
    record: Record | ModelsRecord
    begin: Beginning
    summary: Summary
    wishes: Wishes
    rows: list[Row] = field(default_factory=list)  # of several models, to compare them

    @property
    def has_several(self) -> bool:
        return len(self.models) > 1


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

    maps = wishes.maps
    columns = Columns.of(models, options, wishes.together)
    _tell_differences(models, options)
    sources = _found(inputs)
    if maps is not None or len(models) > 1:
        sources = sources.opened()
    elif output is None:  # a column for each axis has to be there before the first row
        if wishes.executor is None and len(sources) > 1:
            engine.open_ahead(models[0], options, sources.rows)  # while the files are looked into
        sources = terminal.counted(sources.looking_for_stacks(), "Looking for stacks")
    facts = {**options.as_dict(), **what.as_dict(), **({"regions": wishes.regions} if wishes.regions else {})}
    record, summary = _record(models, wishes.given, columns.names, facts, options.hardware), Summary()
    executor = wishes.maps.executor if wishes.maps else wishes.executor or classify_planes

    def again(head: Mapping[str, Any]) -> None:
        """Try the images again that failed."""
        assert output is not None
        likewise = _record(models, wishes.given, columns.names, facts, options.hardware)
        assert isinstance(likewise, Record)
        retrying = Retrying(output, head, sources, columns, likewise)
        if retrying.failed:
            with closing(engine.classify(models[0], retrying.sources, options, what, executor)) as events:
                retrying.write(events, regions=what.regions is not None)

    begin = _beginning(output, record, sources, what, summary, wishes, again=again)
    this = _Run(models, columns, record, begin, summary, wishes)
    if this.begin.failed is not None:
        terminal.message(f"All images were classified before, and written to {output}.")
        return SOME_FAILED if this.begin.failed else DONE
    with (
        finished(maps) if maps else nullcontext(),
        closing(engine.classify_with_each(models, this.begin.sources, options, what, executor)) as events,
    ):
        started = arguments.started(next(events)[1], expected=not this.begin.rows)
        this.begin.count(record, started.total)
        if maps is not None:
            maps.begin(sources.described, started.total, what)
        target = output or wishes.stream
        with written(target, record, columns, started, this.begin, show=wishes.show) as write:
            _write_all(this, events, started, write, options)
    _tell_end(this, output)
    return SOME_FAILED if summary.failed or (maps and maps.unexplained) else DONE


def _write_all(
    this: _Run,
    events: Iterable[tuple[int, Event]],
    started: Started,
    write: Callable[[Row, int], None] | None,
    options: Options,
) -> None:
    """Write the rows as they come, and compare those of several models at the end."""
    maps, columns = this.wishes.maps, this.columns
    for number, row in _followed(this, events, options):
        if write:
            write(columns.spread(number, row), number)
        if maps is not None:
            maps.add(row)
        this.summary.add(row)
        if this.has_several:
            this.rows.append(columns.spread(number, row))
    if isinstance(this.record, ModelsRecord):
        frame = frame_of(this.rows, columns, started)
        this.record.facts = compare(frame, this.models[0].card, this.wishes.together, columns, write)


def _tell_end(this: _Run, output: Path | None) -> None:
    """Say what came out."""
    total, summary = this.record.total, this.summary
    if output is not None:
        what = f"rows of {len(this.models)} models" if this.has_several else "images"
        terminal.message(f"{total - summary.failed:,} of {total:,} {what} classified, written to {output}.")
    classes = this.columns.classes.names
    if terminal.voice() == "json":
        terminal.emit("summary", **summary.as_dict(classes))
    elif output is not None and not this.has_several:
        for line in summary.lines(classes):
            terminal.message(line)
    if this.wishes.maps:
        terminal.message(this.wishes.maps.summary)
    if differing := note(summary.ranges.varying()):
        terminal.message(f"{differing} {REMEDY.removesuffix('.')}: --range stack.")


def _beginning(
    output: Path | None,
    record: Record | ModelsRecord,
    sources: Sources,
    what: Selection,
    summary: Summary,
    wishes: Wishes,
    *,
    again: Callable[[Mapping[str, Any]], None],
) -> Beginning:
    """Find where the run begins; only one that writes the rows of one model to a file can go on later."""
    if output is not None and isinstance(record, Record) and wishes.maps is None:
        return beginning(
            output, record, sources, what, summary, resume=wishes.resume, again=again if wishes.retry_failed else None
        )
    if wishes.resume:
        raise OptionError(
            "Only a run of one model without maps, that writes a table to a file, can go on.",
            "Give --output and one --model, and no --explain.",
        )
    return Beginning(sources)


def _found(inputs: Iterable[ImageLike]) -> Sources:
    """Find the images."""
    from napari_webipred import engine

    def words(count: int) -> tuple[str, int, None]:
        return f"Listing images: {count:,}", count, None

    return terminal.shown(engine.searching(inputs), words)


def _tell_differences(models: Sequence[Model], options: Options) -> None:
    """Say before the first image how far the numbers will be from those in float32 on the processor."""
    from napari_webipred import engine

    for model, apart in zip(models, engine.differences(models, options), strict=True):
        if apart is not None:
            terminal.message(apart.sentence(model.card.name))


def _followed(this: _Run, events: Iterable[tuple[int, Event]], options: Options) -> Iterator[tuple[int, Row]]:
    """Yield the rows of each model, and show how far they are and how much memory is in use for images."""
    from napari_webipred import engine

    record, begin = this.record, this.begin
    progress = Progress(begin.rows, options.budget)
    this.summary.begin()
    try:
        for number, event in events:
            if not isinstance(event, engine.RowDone):
                continue
            if isinstance(record, Record):
                record.total = begin.rows + event.total
            row = replace(event.row, source=event.row.source + begin.offset) if begin.offset else event.row
            yield number, row
            name = this.columns.names[number] if this.has_several else ""
            if this.wishes.show or row.error or row.remark:
                progress.clear()
                _tell(row, this.models[number].card, name, this.wishes.show)
            progress.show(this.summary, record.total)
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
) -> Record | ModelsRecord:
    given: Sequence[ModelInput | None] = references or [None] * len(models)
    from napari_webipred.difference import measured

    records = [
        Record(
            model.card,
            model.checksum,
            {**options, **_reference(model, options), **measured(model, hardware)},
            0,
            reference,
        )
        for model, reference in zip(models, given, strict=True)
    ]
    return ModelsRecord(records, names) if len(records) > 1 else records[0]


def _reference(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the reference that images are compared with, if they are."""
    found = model.reference if options.get("reference") else None
    return {"reference": found.as_dict()} if found else {}
