"""The command line: a thin front of the engine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, TextIO

from napari_webipred import cli_models, terminal
from napari_webipred.errors import OptionError, WebIPredError

if TYPE_CHECKING:
    from napari_webipred.engine import Options, Picture
    from napari_webipred.imaging.preprocess import Intensity
    from napari_webipred.model import Model

DONE, SOME_FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns
    -------
    int
        0: all done; 1: some pictures failed, the rest is written; 2: wrong use or unusable model; 130: cancelled.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or DONE)
    except WebIPredError as error:
        print(terminal.printable(f"napari-webipred: {error}", sys.stderr), file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        sys.stderr.close()
        return DONE
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        print(terminal.printable(f"napari-webipred: {error.strerror}{where}", sys.stderr), file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("napari-webipred: cancelled; the rows that were finished are written.", file=sys.stderr)
        return CANCELLED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-webipred",
        description="Classify images with published deep-learning models, on this machine alone.",
        epilog="Exit status: 0 all done, 1 some pictures failed, 2 wrong use or unusable model.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="classify bundled pictures with the bundled model; needs no network")
    demo.add_argument("-o", "--output", type=Path, default=Path("demo.csv"), help="default: %(default)s")
    demo.set_defaults(run=_demo)

    classify = commands.add_parser("classify", help="classify image files and folders")
    classify.add_argument("inputs", nargs="+", metavar="INPUT", help="an image file or a folder of them")
    classify.add_argument("-m", "--model", required=True, help="catalogue id, DOI, hf:owner/name, address or path")
    classify.add_argument("-o", "--output", type=Path, help="CSV file to write; default: standard output")
    classify.add_argument("--classes", metavar="A,B", help="names of the classes, for a model that has none")
    classify.add_argument(
        "--standardize", metavar="MODE", help="0-1, torch, tf, caffe, minmax, z-score, grayscale, none"
    )
    classify.add_argument("--resize", metavar="WIDTHxHEIGHT", help="input size, for a model that takes any")
    classify.add_argument(
        "--activation", metavar="A", help="softmax or sigmoid, for a model whose numbers are no probabilities yet; none"
    )
    classify.add_argument(
        "--range",
        default="auto",
        metavar="LOW:HIGH",
        help="intensities that become black and white; auto (8-bit as it is, else from the picture) or dtype",
    )
    classify.add_argument(
        "--profile", metavar="P", help="whose preprocessing: webipred, aucmedi, teachable-machine; default: the card's"
    )
    classify.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="for multi-label models; default: %(default)s"
    )
    classify.set_defaults(run=_classify)

    cli_models.add_commands(commands)
    return parser


def _version() -> str:
    import napari_webipred

    return str(napari_webipred.__version__)


def _open(reference: str | Path, **told: object) -> Model:
    from napari_webipred.model import opening

    steps = opening(reference, **told)  # type: ignore[arg-type]
    return terminal.follow(steps, lambda step: step.waiting or f"{step.stage} {reference}")


def _demo(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options
    from napari_webipred.imaging.files import file_source
    from napari_webipred.samples import sample_pictures

    model = _open("demo")
    print(f"{model.card.name}\n{fill(model.card.description, 100)}\n")
    # Where the program is installed says nothing about a picture.
    pictures = [replace(file_source(path), name=path.name) for path in sample_pictures()]
    return _run(model, pictures, options.output, Options(), show=True)


def _classify(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options

    how = Options(intensity=_intensity(options.range), threshold=options.threshold, profile=options.profile)
    model = _open(
        options.model,
        classes=options.classes.split(",") if options.classes else None,
        standardize=options.standardize,
        size=_size(options.resize) if options.resize else None,
        activation=options.activation,
    )
    for sentence in model.remarks:
        terminal.tell(sentence)
    show = options.output is None and sys.stdout.isatty()
    return _run(model, options.inputs, options.output, how, show)


def _run(model: Model, inputs: Sequence[Picture], output: Path | None, options: Options, show: bool) -> int:
    """Classify, write the rows as they come, and tell at the end what failed."""
    from napari_webipred import engine
    from napari_webipred.results.export import CsvWriter
    from napari_webipred.results.record import Record

    told = {"intensity": options.intensity, "threshold": options.threshold, "profile": options.profile}
    progress = terminal.ProgressLine()
    events = engine.classify(model, inputs, options)
    started = next(events)
    assert isinstance(started, engine.Started)
    if started.left_out:
        names = ", ".join(started.left_out[:5]) + (", ..." if len(started.left_out) > 5 else "")
        terminal.tell(f"Left out, because they are no pictures: {names}")
    if not started.total:
        raise OptionError("There are no pictures in what was given.", "Name image files, or folders that hold some.")
    record = Record(model.card, model.checksum, told, started.total)
    failed = 0
    with ExitStack() as stack:
        stream = sys.stdout
        if output is not None:
            stream = stack.enter_context(_written(output))
            stack.callback(record.write, output)  # also when cancelled: the rows so far are worth their record
        stack.callback(progress.clear)
        stack.callback(events.close)
        writer = None if show and output is None else CsvWriter(stream, started.classes, started.axes)
        for event in events:
            if not isinstance(event, engine.RowDone):
                continue
            row = event.row
            record.add(row)
            if writer:
                writer.write(row)
            if show:
                progress.clear()
                terminal.show_row(row, started.classes, sys.stdout)
            elif row.failed:
                progress.clear()
                terminal.tell(f"{row.image}: {row.error}")
            failed += row.failed
            progress.show(f"{event.done} of {event.total} pictures", event.done, event.total)
    if output is not None:
        terminal.tell(f"{started.total - failed} of {started.total} pictures classified, written to {output}.")
    return SOME_FAILED if failed else DONE


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """Open the file for the table; say which one it was if it cannot be opened, or the disk is full later."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise OptionError(
            f"{path} cannot be written: {error.strerror}.", "Choose another file, or make room on the disk."
        ) from error


def _intensity(text: str) -> Intensity:
    if text == "auto":
        return "auto"
    if text == "dtype":
        return "dtype"
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise OptionError(f"--range {text} is not a range.", "Write it as LOW:HIGH, for example 0:4095.") from None


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise OptionError(f"--resize {text} is not a size.", "Write it as WIDTHxHEIGHT, for example 224x224.") from None


if __name__ == "__main__":
    raise SystemExit(main())
