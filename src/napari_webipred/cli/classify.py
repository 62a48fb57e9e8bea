"""The commands that classify images: demo, classify."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from math import isfinite
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from napari_webipred.cli import selection, terminal
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.cli.parser import Parser, number
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.engine import Event, ImageLike, Options, Started
    from napari_webipred.imaging.preprocess import Intensity
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.model import Model
    from napari_webipred.results.row import Row

RANGES: dict[str, Intensity] = {
    "auto": "auto",
    "dtype": "dtype",
    "plane": "plane",
    "stack": "stack",
    "percentiles": "percentiles",
}
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
    classify.add_argument("inputs", nargs="+", metavar="INPUT", help="image file or folder of images")
    classify.add_argument("-m", "--model", required=True, help="catalogue id, Zenodo DOI, hf:owner/name, URL or path")
    classify.add_argument(
        "-o", "--output", type=Path, help="CSV or TSV file to write (default: print to standard output)"
    )
    classify.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    classify.add_argument(
        "--classes", metavar="A,B", help="class names in output order, for a model without class names"
    )
    classify.add_argument(
        "--standardize",
        metavar="MODE",
        help="how to scale pixel values: 0-1, torch, tf, caffe, minmax, z-score, grayscale, none",
    )
    classify.add_argument("--resize", metavar="WIDTHxHEIGHT", help="input size, for a model that accepts any size")
    classify.add_argument(
        "--activation",
        metavar="A",
        help="softmax or sigmoid, for a model that outputs logits; none shows the numbers as they are",
    )
    classify.add_argument(
        "--output-name",
        metavar="NAME",
        help="name or number of the output with the classes, for a model with several outputs",
    )
    classify.add_argument(
        "--range",
        metavar="LOW:HIGH",
        help="intensities that become black and white; auto (8-bit images unchanged, others from their own minimum to "
        "maximum), dtype, plane, stack or percentiles (default: as in napari's preferences, else auto)",
    )
    selection.add_arguments(classify)
    classify.add_argument(
        "--profile",
        metavar="P",
        help="preprocess like webipred, aucmedi or teachable-machine (default: from the model card)",
    )
    classify.add_argument(
        "--threshold",
        type=number,
        default=0.5,
        metavar="P",
        help="assign a class from this probability on, for multi-label models (default: %(default)s)",
    )
    classify.add_argument(
        "--views",
        metavar="VIEWS",
        help="classify each image and its mirror image (flip), or all eight that turning and mirroring make of it "
        "(symmetries); the table has the mean and the standard deviation",
    )
    classify.add_argument(
        "--allow-slow", action="store_true", help="allow a model that needs a minute or more per image"
    )
    classify.set_defaults(run=_classify)


def _open(reference: str | Path, **settings: object) -> Model:
    from napari_webipred.opening import opening

    steps = opening(reference, **settings)  # type: ignore[arg-type]
    return terminal.follow(steps, lambda step: step.waiting or f"{terminal.STAGES[step.stage]} {reference}")


def _demo(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options
    from napari_webipred.imaging.readers import file_source
    from napari_webipred.imaging.selection import WHOLE
    from napari_webipred.samples import sample_images

    with _claimed(options.output, options.overwrite) as output:
        model = _open("demo")
        terminal.show(model.card.name)
        print(f"{fill(model.card.description, 100)}\n")
        # Where the program is installed says nothing about an image.
        images = [replace(file_source(path), name=path.name) for path in sample_images()]
        return _run(model, images, output, Options(), True, WHOLE)


def _classify(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options

    how = Options(
        intensity=_intensity(options.range), threshold=options.threshold, profile=options.profile, views=options.views
    )
    what = selection.selection(options)
    given = [*options.inputs, options.model, *([options.regions] if options.regions else [])]
    with _claimed(options.output, options.overwrite, given) as output:
        model = _open(
            options.model,
            classes=options.classes.split(",") if options.classes else None,
            standardize=options.standardize,
            size=_size(options.resize) if options.resize else None,
            activation=options.activation,
            output=options.output_name,
            allow_slow=options.allow_slow,
        )
        for sentence in [*model.remarks, *model.card.remarks_on(how.views)]:
            terminal.message(sentence)
        if not model.card.is_named:
            terminal.message("To name the classes, list their names in this order with --classes.")
        show = output is None and sys.stdout.isatty()
        return _run(model, options.inputs, output, how, show, what)


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
    model: Model, inputs: Sequence[ImageLike], output: Path | None, options: Options, show: bool, what: Selection
) -> int:
    """Classify, write the rows as they come, and tell at the end what failed."""
    from napari_webipred import engine
    from napari_webipred.results.ranges import REMEDY, Ranges, note

    failed, ranges = 0, Ranges()
    with closing(engine.classify(model, inputs, options, what)) as events, ExitStack() as stack:
        started = _started(next(events))
        progress = terminal.ProgressLine()
        stack.callback(progress.clear)
        write = stack.enter_context(_table(output, model, options, what, started)) if output or not show else None
        for event in events:
            if not isinstance(event, engine.RowDone):
                continue
            row = event.row
            if write:
                write(row)
            if show:
                progress.clear()
                terminal.show_row(row, model.card, sys.stdout)
            elif row.error or row.remark:
                progress.clear()
                terminal.message(f"{terminal.title(row)}: {row.error or row.remark}")
            failed += row.failed
            ranges.add(row)
            progress.show(f"{event.done} of {event.total} images", event.done, event.total)
    if output is not None:
        terminal.message(f"{started.total - failed} of {started.total} images classified, written to {output}.")
    if differing := note(ranges.varying()):
        terminal.message(f"{differing} {REMEDY.removesuffix('.')}: --range stack.")
    return SOME_FAILED if failed else DONE


def _started(event: Event) -> Started:
    """Tell which files are no images, and make sure that there are others."""
    from napari_webipred.engine import Started

    assert isinstance(event, Started)
    if event.left_out:
        names = ", ".join(event.left_out[:5]) + (", ..." if len(event.left_out) > 5 else "")
        terminal.message(f"Skipped, because they are not images: {names}")
    if not event.total:
        raise OptionError("No images found.", "Give image files, or folders with images.")
    return event


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
            sys.stdout, started.classes, started.axes, regions=started.regions, measures=started.measures
        )

        def write_out(row: Row) -> None:
            writer.write(row)
            sys.stdout.flush()

        yield write_out
        return
    record = Record(model.card, model.checksum, {**options.as_dict(), **what.as_dict()}, started.total)
    try:
        columns = (started.classes, started.axes, started.regions, started.measures)
        with ResultFile(output, record, *columns) as file:

            def write(row: Row) -> None:
                with uninterrupted():
                    file.write(row)

            yield write
    except KeyboardInterrupt:
        if record.done:
            terminal.message(f"{record.done} of {started.total} images are classified and written to {output}.")
        raise


def _intensity(text: str | None) -> Intensity:
    if text is None:
        from napari_webipred.engine import preferred_intensity

        return preferred_intensity()
    if text in RANGES:
        return RANGES[text]
    low, _, high = text.partition(":")
    with suppress(ValueError):
        if isfinite(float(low)) and isfinite(float(high)):
            return float(low), float(high)
    raise OptionError(
        f"--range {text} is not an intensity range.",
        f"Write it as LOW:HIGH, for example 0:4095, or as one of {', '.join(RANGES)}.",
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise OptionError(f"--resize {text} is not a size.", "Write it as WIDTHxHEIGHT, for example 224x224.") from None
