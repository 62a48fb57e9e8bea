"""A run of one or several models in a terminal: it writes the rows as they come and tells what failed."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from napari_webipred.card import named
from napari_webipred.cli import arguments, several, terminal
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.cli.maps import Maps, finished
from napari_webipred.cli.several import Together
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.errors import OptionError
from napari_webipred.limits import amount
from napari_webipred.results.columns import Shared, measures, unique
from napari_webipred.results.models_record import ModelsRecord
from napari_webipred.results.record import Record, file_facts

if TYPE_CHECKING:
    import pandas as pd

    from napari_webipred.card import ModelCard
    from napari_webipred.engine import Event, ImageLike, Options, Started
    from napari_webipred.hardware import Hardware
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.imaging.unopened import Sources
    from napari_webipred.model import Model
    from napari_webipred.results.inputs import ModelInput
    from napari_webipred.results.row import Row

ENSEMBLE = -1  # in place of the number of a model


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of the classes and measures of all models, and what the models and their ensemble are called."""

    names: list[str]
    classes: Shared[int]
    measures: Shared[int]
    ensemble: str
    identify: bool

    @classmethod
    def of(cls, models: Sequence[Model], options: Options, together: Together) -> _Columns:
        """Name them.

        Raises
        ------
        OptionError
            An ensemble is wanted of models with different classes.
        """
        names = unique([model.card.name for model in models])
        own: dict[int, Sequence[str]] = dict(enumerate(model.classes for model in models))
        measured: dict[int, Sequence[str]] = {i: measures(each, options.as_dict()) for i, each in own.items()}
        if together.method:
            own[ENSEMBLE], measured[ENSEMBLE] = _of_ensemble(models, names, together), ()
        return cls(names, Shared(own), Shared(measured), together.name, options.identify)

    def spread(self, number: int, row: Row) -> Row:
        """Put the numbers of a row of a model into their columns."""
        probabilities = self.classes.spread(number, row.probabilities)
        return replace(row, probabilities=probabilities, measures=self.measures.spread(number, row.measures))


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
    """

    show: bool = False
    given: Sequence[ModelInput] = ()
    together: Together = field(default_factory=Together)
    maps: Maps | None = None
    stream: TextIO | None = None
    regions: str | None = None


def run(
    models: Sequence[Model],
    inputs: Sequence[ImageLike],
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
    columns = _Columns.of(models, options, wishes.together)
    _tell_differences(models, options)
    sources = _found(inputs, with_stacks=output is None or maps is not None or len(models) > 1)
    executor = maps.executor if maps else classify_planes
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
        write = stack.enter_context(_table(output or wishes.stream, record, columns, started, sources, wishes.show))
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
            frame = _frame(rows, columns, started)
            record.facts = _compare(frame, models[0].card, wishes.together, columns, write)
    total = record.total
    if output is not None:
        terminal.message(f"{total - failed} of {total} images classified, written to {output}.")
    if maps:
        terminal.message(maps.summary)
    if differing := note(ranges.varying()):
        terminal.message(f"{differing} {REMEDY.removesuffix('.')}: --range stack.")
    return SOME_FAILED if failed or (maps and maps.unexplained) else DONE


def _found(inputs: Sequence[ImageLike], *, with_stacks: bool) -> Sources:
    """Find the images; and which of them are stacks, if that has to be known before the first row."""
    from napari_webipred import engine

    sources = engine.found(inputs)
    return sources.opened() if with_stacks else sources


def _tell_differences(models: Sequence[Model], options: Options) -> None:
    """Say before the first image how far the numbers will be from those in float32 on the processor."""
    from napari_webipred import engine

    for model, apart in zip(models, engine.differences(models, options), strict=True):
        if apart is not None:
            terminal.message(apart.sentence(model.card.name))


def _of_ensemble(models: Sequence[Model], names: Sequence[str], together: Together) -> list[str]:
    """Name the classes of an ensemble."""
    from napari_webipred.ensembles.opinions import shared_classes

    exclusive = all(model.card.task != "multi-label" for model in models)
    own = {name: model.classes for name, model in zip(names, models, strict=True)}
    return list(dict.fromkeys(shared_classes(own, together.mapping, exclusive)[names[0]].values()))


def _followed(
    events: Iterable[tuple[int, Event]],
    models: Sequence[Model],
    record: Record | ModelsRecord,
    columns: _Columns,
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


def _frame(rows: Sequence[Row], columns: _Columns, started: Started) -> pd.DataFrame:
    """Make a table of the rows of all models, as Python has it."""
    from napari_webipred.results.table import to_frame

    models = [name for name in columns.names for _ in range(started.total)]
    measured = columns.measures.names
    return to_frame(
        rows,
        columns.classes.names,
        started.axes,
        started.regions,
        measures=measured,
        models=models,
        identify=columns.identify,
    )


def _compare(
    frame: pd.DataFrame,
    card: ModelCard,
    together: Together,
    columns: _Columns,
    write: Callable[[Row, int], None] | None,
) -> dict[str, Any]:
    """Say how far the models agree, add the rows of the ensemble, and return both for the record."""
    from napari_webipred.ensembles.agreement import agreement_of
    from napari_webipred.ensembles.ensemble import ensemble_of, rows_of
    from napari_webipred.ensembles.opinions import opinions_in

    try:
        opinions = opinions_in(frame, together.mapping)
    except OptionError as error:
        if together.method:
            raise
        terminal.message(f"How far the models agree is not known. {terminal.in_words(error)}")
        return {}
    found = agreement_of(opinions)
    several.show_agreement(found)
    facts: dict[str, Any] = {"agreement": found.as_dict()}
    if together.mapping:
        facts["mapping"] = dict(together.mapping)
    if together.method:
        table = ensemble_of(opinions, together.method, together.weights)
        facts["ensemble"] = table.attrs["ensemble"]
        shown = card.model_copy(update={"classes": named(opinions.classes)})
        for row in rows_of(table, opinions):
            if write:
                write(columns.spread(ENSEMBLE, row), ENSEMBLE)
            else:
                terminal.show_row(replace(row, image=f"{row.image} ({together.name})"), shown, sys.stdout)
    return facts


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


def _files_noted(record: Record | ModelsRecord, sources: Sources) -> Callable[[int, Row], None]:
    """Return what notes the size and checksum of the file that a row is of, once for each image."""
    from napari_webipred.imaging.unopened import opened

    known: dict[int, dict[str, Any]] = {}

    def note(number: int, row: Row) -> None:
        source = sources[row.source]
        location = (opened(source) if row.failed else source).location  # none of what is no image
        if not isinstance(location, Path) or number == ENSEMBLE:
            return
        if row.source not in known:
            known[row.source] = file_facts(location)
        of_model = record.records[number] if isinstance(record, ModelsRecord) else record
        of_model.add_file(row.image, known[row.source])

    return note


@contextmanager
def _table(
    output: Path | TextIO | None,
    record: Record | ModelsRecord,
    columns: _Columns,
    started: Started,
    sources: Sources,
    show: bool,
) -> Iterator[Callable[[Row, int], None] | None]:
    """Give the function that writes a row of a model, to a file with a record beside it, a stream or standard output.

    There is none if rows are shown and there is no file.
    """
    from napari_webipred.results.export import CsvWriter
    from napari_webipred.results.result_file import ResultFile

    models, called = isinstance(record, ModelsRecord), [*columns.names, columns.ensemble]
    classes, measured = columns.classes.names, columns.measures.names
    if output is None and show:
        yield None
        return
    if not isinstance(output, Path):
        target = sys.stdout if output is None else output
        if isinstance(target, io.TextIOWrapper):  # written like a file, whatever the system's encoding is
            target.reconfigure(encoding="utf-8", newline="")
        writer = CsvWriter(
            target,
            classes,
            started.axes,
            regions=started.regions,
            measures=measured,
            models=models,
            identify=columns.identify,
        )

        def write_out(row: Row, number: int) -> None:
            writer.write(row, called[number])
            target.flush()

        yield write_out
        return
    note = _files_noted(record, sources)
    try:
        with ResultFile(
            output, record, classes, started.axes, started.regions, measured, models=models, identify=columns.identify
        ) as file:

            def write(row: Row, number: int) -> None:
                if isinstance(record, ModelsRecord):
                    record.current = number if number != ENSEMBLE else len(record.records)
                with uninterrupted():
                    file.write(row, called[number])
                note(number, row)

            yield write
    except KeyboardInterrupt:
        if record.done:
            terminal.message(f"{record.done} of {record.total} images are classified and written to {output}.")
        raise
