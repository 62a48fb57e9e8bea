"""The commands that classify images: demo, classify."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from napari_webipred.cli import arguments, explain, selection, terminal
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.cli.maps import Maps, finished
from napari_webipred.cli.parser import Parser, number
from napari_webipred.cli.status import DONE, SOME_FAILED

if TYPE_CHECKING:
    from napari_webipred.engine import ImageLike, Options, Started
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.model import Model
    from napari_webipred.results.row import Row

OVERWRITE = "replace the output file even if napari-webipred did not write it"


def add_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the commands to the parser of the program."""
    demo = commands.add_parser("demo", help="classify the sample images with the demo model; works offline")
    demo.add_argument(
        "-o", "--output", type=Path, default=Path("demo.csv"), help="CSV file to write (default: %(default)s)"
    )
    demo.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    demo.set_defaults(run=_demo)

    classify = commands.add_parser("classify", help="classify image files and folders")
    arguments.add_arguments(classify)
    classify.add_argument(
        "-o", "--output", type=Path, help="CSV or TSV file to write (default: print to standard output)"
    )
    classify.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    classify.add_argument(
        "--threshold",
        type=number,
        default=0.5,
        metavar="P",
        help="assign a class from this probability on, for multi-label models (default: %(default)s)",
    )
    classify.add_argument(
        "--identify",
        action="store_true",
        help="add the unique identifiers of the study, series and instance of DICOM files to the table",
    )
    classify.add_argument(
        "--views",
        metavar="VIEWS",
        help="classify each image and its mirror image (flip), or all eight that turning and mirroring make of it "
        "(symmetries); the table has the mean and the standard deviation",
    )
    maps = classify.add_argument_group("explanations")
    maps.add_argument(
        "--explain", type=Path, metavar="FOLDER", help="write maps of what speaks for a class, as explain"
    )
    explain.add_arguments(maps)
    classify.set_defaults(run=_classify)


def _demo(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options
    from napari_webipred.imaging.readers import file_source
    from napari_webipred.imaging.selection import WHOLE
    from napari_webipred.samples import sample_images

    with _claimed(options.output, options.overwrite) as output:
        model = arguments.open_model("demo")
        terminal.show(model.card.name)
        print(f"{fill(model.card.description, 100)}\n")
        # Where the program is installed says nothing about an image.
        images = [replace(file_source(path), name=path.name) for path in sample_images()]
        return _run(model, images, output, Options(), True, WHOLE)


def _classify(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options
    from napari_webipred.explanations.folder import claimed_folder

    how = Options(
        intensity=arguments.intensity(options.range),
        threshold=options.threshold,
        profile=options.profile,
        views=options.views,
        identify=options.identify,
    )
    what = selection.selection(options)
    drawing = explain.drawing(options)
    if options.explain is None:
        explain.refuse_without_folder(options)
    with ExitStack() as stack:
        output = stack.enter_context(_claimed(options.output, options.overwrite, arguments.files(options)))
        folder = options.explain and stack.enter_context(claimed_folder(options.explain, arguments.files(options)))
        model = arguments.model(options)
        for sentence in model.card.remarks_on(how.views):
            terminal.message(sentence)
        show = output is None and sys.stdout.isatty()
        maps = Maps(folder, drawing, model, how) if folder else None
        return _run(model, options.inputs, output, how, show, what, maps=maps)


@contextmanager
def _claimed(path: Path | None, overwrite: bool, inputs: Iterable[str] = ()) -> Iterator[Path | None]:
    """Make sure that the table may be written, before anything else takes time."""
    from napari_webipred.results.result_file import claimed_table

    if path is None:
        yield None
        return
    with claimed_table(path, lambda there: terminal.may_replace(there, overwrite), inputs) as output:
        yield output


def _run(
    model: Model,
    inputs: Sequence[ImageLike],
    output: Path | None,
    options: Options,
    show: bool,
    what: Selection,
    *,
    maps: Maps | None = None,
) -> int:
    """Classify, write the rows as they come, and tell at the end what failed."""
    from napari_webipred import engine
    from napari_webipred.execution.threads import classify_planes
    from napari_webipred.results.ranges import REMEDY, Ranges, note

    failed, ranges = 0, Ranges()
    sources, left_out = engine.find_sources(inputs)
    executor = maps.executor if maps else classify_planes
    with (
        finished(maps) if maps else nullcontext(),
        closing(engine.classify(model, sources, options, what, executor)) as events,
        ExitStack() as stack,
    ):
        started = arguments.started(next(events), left_out)
        if maps:
            maps.begin(sources, started.total, what)
        progress = terminal.ProgressLine()
        stack.callback(progress.clear)
        write = stack.enter_context(_table(output, model, options, what, started)) if output or not show else None
        for event in events:
            if not isinstance(event, engine.RowDone):
                continue
            row = event.row
            if write:
                write(row)
            progress.clear()
            _tell(row, model, show)
            if maps:
                maps.add(row)
            failed += row.failed
            ranges.add(row)
            progress.show(f"{event.done} of {event.total} images", event.done, event.total)
    if output is not None:
        terminal.message(f"{started.total - failed} of {started.total} images classified, written to {output}.")
    if maps:
        terminal.message(maps.summary)
    if differing := note(ranges.varying()):
        terminal.message(f"{differing} {REMEDY.removesuffix('.')}: --range stack.")
    return SOME_FAILED if failed or (maps and maps.unexplained) else DONE


def _tell(row: Row, model: Model, show: bool) -> None:
    if show:
        terminal.show_row(row, model.card, sys.stdout)
    elif row.error or row.remark:
        terminal.message(f"{terminal.title(row)}: {row.error or row.remark}")


@contextmanager
def _table(
    output: Path | None, model: Model, options: Options, what: Selection, started: Started
) -> Iterator[Callable[[Row], None]]:
    """Give the function that writes a row, to a file with a record beside it or to standard output."""
    from napari_webipred.results.export import CsvWriter
    from napari_webipred.results.record import Record
    from napari_webipred.results.result_file import ResultFile

    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # written like a file, whatever the system's encoding is
            sys.stdout.reconfigure(encoding="utf-8", newline="")
        writer = CsvWriter(
            sys.stdout,
            started.classes,
            started.axes,
            regions=started.regions,
            measures=started.measures,
            identify=options.identify,
        )

        def write_out(row: Row) -> None:
            writer.write(row)
            sys.stdout.flush()

        yield write_out
        return
    record = Record(model.card, model.checksum, {**options.as_dict(), **what.as_dict()}, started.total)
    try:
        columns = (started.classes, started.axes, started.regions, started.measures)
        with ResultFile(output, record, *columns, identify=options.identify) as file:

            def write(row: Row) -> None:
                with uninterrupted():
                    file.write(row)

            yield write
    except KeyboardInterrupt:
        if record.done:
            terminal.message(f"{record.done} of {started.total} images are classified and written to {output}.")
        raise
