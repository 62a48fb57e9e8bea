"""The program: its commands, and what it says and returns when something goes wrong."""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NoReturn

from napari_webipred import file_errors, optimising
from napari_webipred.cli import terminal
from napari_webipred.cli.commands import COMMANDS
from napari_webipred.cli.interruption import Interrupted, interruptible
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.status import CANCELLED, DONE, NOT_READ, UNUSABLE
from napari_webipred.errors import WebIPredError

# Plugins of pydantic see what is validated, and some send it to a server. To look for them takes longer than to read
# all cards.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns
    -------
    int
        0: all done; 1: some images failed, the rest is written; 2: wrong use or unusable model; 128 and the number of
        the signal, such as 130 for Ctrl-C: stopped, the rows that were finished are written.
    """
    with ExitStack() as ending:
        ending.callback(terminal.release_streams)
        terminal.open_streams()
        ending.callback(terminal.speak, "plain")
        try:
            with interruptible():
                status = _run(_parsed(sys.argv[1:] if arguments is None else arguments), ending)
                sys.stdout.flush()
                return status
        except WebIPredError as error:
            terminal.error(f"napari-webipred: {terminal.in_words(error)}")
            return UNUSABLE
        except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
            return NOT_READ
        except OSError as error:
            reason, remedy = file_errors.writing(error)
            output = f"The output cannot be written: {reason}. {remedy}"
            terminal.error(f"napari-webipred: {f'{error.filename}: {error.strerror}.' if error.filename else output}")
            return UNUSABLE
        except Interrupted as stopped:
            optimising.forget()
            terminal.error(f"napari-webipred: {stopped}.")
            return stopped.exit_status
        except KeyboardInterrupt:
            optimising.forget()
            terminal.error("napari-webipred: cancelled.")
            return CANCELLED


def program() -> NoReturn:
    """Run the program and end the process, without taking apart what the operating system frees at once.

    For Python's modules and ONNX Runtime that takes longer than to classify an image. What is registered for the end,
    such as to optimise a model, is done before.
    """
    status = main()
    for thread in threading.enumerate():
        if not (thread.daemon or thread is threading.main_thread()):
            thread.join()
    atexit._run_exitfuncs()
    terminal.release_streams()
    os._exit(status)


def _run(options: argparse.Namespace, ending: ExitStack) -> int:
    from napari_webipred.cache import private_session

    ending.callback(private_session.end)
    private_session.follow()
    return int(options.run(options) or DONE)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="napari-webipred",
        description="Classify images with published deep-learning models, on this machine unless you name a cluster.",
        epilog="Exit status: 0 all done, 1 some images failed, 2 wrong use or unusable model, 130 stopped by Ctrl-C.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version of the program")
    # Given `prog`, argparse does not have to format the usage of the program to learn it.
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog=parser.prog)
    chosen = next((each for each in arguments if not each.startswith("-")), "")
    # The others are listed only if something stands before the command, such as --help, or there is no such command.
    for name in [chosen] if chosen in COMMANDS and chosen == arguments[0] else COMMANDS:
        own = commands.add_parser(name, help=COMMANDS[name].summary)
        if name == chosen:
            COMMANDS[name].add_arguments(own)
    return parser.parse(arguments, commands.choices)


class _Version(argparse.Action):
    """Look the version up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from napari_webipred import __version__

        print(f"napari-webipred {__version__}")
        parser.exit()
