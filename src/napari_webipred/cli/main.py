"""The program: its commands, and what it says and returns when something goes wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from napari_webipred import file_errors, optimising
from napari_webipred.cache import private_session
from napari_webipred.cli import classify, evaluate, explain, models, pacs, reference, report, rerun, terminal
from napari_webipred.cli.interruption import Interrupted, interruptible
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.status import CANCELLED, DONE, NOT_READ, UNUSABLE
from napari_webipred.errors import WebIPredError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns
    -------
    int
        0: all done; 1: some images failed, the rest is written; 2: wrong use or unusable model; 128 and the number of
        the signal, such as 130 for Ctrl-C: stopped, the rows that were finished are written.
    """
    terminal.open_streams()
    try:
        with interruptible():
            options = _parsed(sys.argv[1:] if arguments is None else arguments)
            private_session.follow()
            status = int(options.run(options) or DONE)
            sys.stdout.flush()
            return status
    except WebIPredError as error:
        terminal.message(f"napari-webipred: {terminal.in_words(error)}")
        return UNUSABLE
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        return NOT_READ
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        output = f"The output cannot be written: {reason}. {remedy}"
        terminal.message(f"napari-webipred: {f'{error.filename}: {error.strerror}.' if error.filename else output}")
        return UNUSABLE
    except Interrupted as stopped:
        optimising.forget()
        terminal.message(f"napari-webipred: {stopped}.")
        return stopped.exit_status
    except KeyboardInterrupt:
        optimising.forget()
        terminal.message("napari-webipred: cancelled.")
        return CANCELLED
    finally:
        private_session.end()
        terminal.release_streams()


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="napari-webipred",
        description="Classify images with published deep-learning models, on this machine alone.",
        epilog="Exit status: 0 all done, 1 some images failed, 2 wrong use or unusable model, 130 stopped by Ctrl-C.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    classify.add_commands(commands)
    evaluate.add_commands(commands)
    explain.add_commands(commands)
    models.add_commands(commands)
    pacs.add_commands(commands)
    reference.add_commands(commands)
    report.add_commands(commands)
    rerun.add_commands(commands)
    return parser.parse(arguments, commands.choices)


def _version() -> str:
    import napari_webipred

    return str(napari_webipred.__version__)
