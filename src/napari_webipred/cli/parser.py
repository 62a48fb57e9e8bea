"""How the command line is read, and what is said of one that cannot be understood."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from napari_webipred.cli import terminal


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake in one or two sentences, the same on every version of Python.

    Attributes
    ----------
    commands : mapping of str to Parser
        The commands below this one; mostly none.
    """

    commands: Mapping[str, Parser] = MappingProxyType({})

    def parse(self, arguments: Sequence[str], commands: Mapping[str, Parser]) -> argparse.Namespace:
        """Read the arguments of the program, of which one is a command; end it with status 2 after a mistake."""
        if not arguments:
            self.print_help(sys.stderr)
            self.exit(2)
        chosen = self._checked(arguments, commands)
        found, rest = self.parse_known_args(arguments)
        if rest:
            chosen.error(f"{' '.join(rest)} is not an argument of this command")
        return found

    def _checked(self, arguments: Sequence[str], commands: Mapping[str, Parser]) -> Parser:
        """Return the parser of the command, which may be one of several below another, once its options are known."""
        if not commands:
            self._check_options(arguments)
            return self
        place = next((i for i, each in enumerate(arguments) if not each.startswith("-")), len(arguments))
        self._check_options(arguments[:place])
        for command in arguments[place : place + 1]:
            if command not in commands:
                self._fail(f"There is no command {command!r}.", _suggestion(command, commands))
            return commands[command]._checked(arguments[place + 1 :], commands[command].commands)
        return self

    def _check_options(self, arguments: Sequence[str]) -> None:
        """Find an option that there is not, before argparse asks for one that is missing instead."""
        known = [option for option in self._option_string_actions if option.startswith("--")]
        for argument in arguments:
            if argument == "--":  # all that follows are names of files
                return
            name = argument.partition("=")[0]
            if name.startswith("--") and not any(option.startswith(name) for option in known):
                self._fail(f"There is no option {name}.", _suggestion(name, known))

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in a sentence, and where all that can be given is listed."""
        message = message.removeprefix("argument ").replace("the following arguments are required", "Missing")
        message = message.replace(": expected one argument", " needs a value")
        self._fail(f"{message}.", f"See `{self.prog} --help`.")

    def _fail(self, message: str, hint: str) -> NoReturn:
        terminal.message(f"napari-webipred: {message} {hint}")
        self.exit(2)


def number(text: str) -> float:
    """Read a number that an option has."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None


def whole_number(text: str) -> int:
    """Read a whole number that an option has."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number") from None


def _suggestion(name: str, known: Iterable[str]) -> str:
    import difflib

    names = list(known)
    similar = difflib.get_close_matches(name, names, n=2)
    return f"Did you mean {' or '.join(similar)}?" if similar else f"Choose one of {', '.join(names)}."
