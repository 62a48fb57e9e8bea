"""What can go wrong in the hands of a user."""

from __future__ import annotations

from typing import Literal

from napari_webipred.names import visible

# What the user can do about an error, if the way to do it differs: a button in the panel, a command in a terminal, an
# argument in Python. Each front has a table with its words for these.
Remedy = Literal[
    "add archive",
    "add certificate",
    "allow slow model",
    "begin anew",
    "choose cache folder",
    "complete settings",
    "fit reference",
    "free space",
    "give password",
    "give token",
    "go online",
    "import file",
    "install dask",
    "install highdicom",
    "install openpyxl",
    "install pacs",
    "install pyarrow",
    "install tensorflow",
    "install tensorflow.js",
    "list models",
    "list stored models",
    "map classes",
    "name reader",
    "replace deposit",
    "replace model",
    "set proxy",
    "set server address",
    "trust network",
    "write bundle",
]


class WebIPredError(Exception):
    """Base of every error that a user can cause and mend.

    Both texts may quote names from outside; characters that cannot be seen are escaped in them.

    Parameters
    ----------
    message : str
        What is wrong, with the offending value and the file or layer it stands in. One sentence.
    hint : str, optional
        What to do next. One sentence, addressed to someone who does not program, true in every front.
    *remedies : Remedy
        What helps, the most likely first; each front says in its own words how to do it.
    """

    def __init__(self, message: str, hint: str = "", *remedies: Remedy) -> None:
        self.message = visible(message)
        self.hint = visible(hint)
        self.remedies = remedies
        super().__init__(self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ModelError(WebIPredError):
    """A model cannot be read, compiled or run."""


class ArchiveError(ModelError):
    """A zip archive or model folder is broken, unsafe or too large."""


class TooLargeError(ArchiveError):
    """One of a model's files is larger than files of its kind are."""


class LimitError(ModelError):
    """A model needs more memory or time than it may take."""


class SlowModelError(LimitError):
    """A model computes so much for one image that the user should be asked before it is used."""


class CancelledError(WebIPredError):
    """The user has cancelled a computation before it was finished."""


class ImageError(WebIPredError):
    """An image cannot be read or does not fit the model."""


class PacsError(WebIPredError):
    """An archive of images (PACS) cannot be reached, refuses something, or answers in an unknown way."""


class SecretError(PacsError):
    """An archive needs a password or token that is not known, or does not accept the one it got."""


class CatalogueError(WebIPredError):
    """A model is unknown, or cannot be found or fetched where it should be."""


class ChangedModelError(CatalogueError):
    """The files of a model are not those that are here, or were, under the same name; the user may want them anyway."""


class OptionError(WebIPredError):
    """An option has a value that means nothing, or one that is needed is missing."""


class ActivationError(OptionError):
    """The numbers of a model are no probabilities, and nobody has said what makes some of them."""
