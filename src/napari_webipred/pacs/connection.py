"""How an archive is reached, as plain data without any password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import asdict

from napari_webipred.errors import PacsError

Kind = Literal["dicomweb", "dimse"]
OWN_TITLE = "WEBIPRED"
LONGEST = 1000  # characters of a text
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_NAME = re.compile(r"[\w][\w .-]{0,63}")
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # ASCII without a backslash


class Connection(Struct, frozen=True):
    """How an archive is reached.

    Attributes
    ----------
    name : str
        What the user calls it.
    kind : "dicomweb" or "dimse"
    address : str
        Of DICOMweb the URL below which ``/studies`` lies; of DIMSE ``host:port``.
    title : str
        AE title of the archive, for DIMSE.
    own_title : str
        AE title of this program, as the archive knows it.
    own_port : int
        Port at which this program takes what a C-MOVE sends; 0 if it has none, so that only C-GET is used.
    user : str
        Name of the user, for a password; empty for none.
    token : bool
        Whether a token is sent in place of a name and password.
    tls : bool
        Whether DIMSE is encrypted. DICOMweb is if the URL begins with ``https``.
    ca_file : str
        Certificates (PEM) of which one must have signed that of the archive; empty for those of the operating system.
    plain : bool
        Whether the user has confirmed that images may come from another computer without encryption.
    keyring : bool
        Whether the password or token is kept in the system's keyring.
    """

    name: str
    kind: Kind = "dicomweb"
    address: str = ""
    title: str = ""
    own_title: str = OWN_TITLE
    own_port: int = 0
    user: str = ""
    token: bool = False
    tls: bool = False
    ca_file: str = ""
    plain: bool = False
    keyring: bool = False

    @classmethod
    def of(cls, name: str, document: Any) -> Connection:
        """Make one of what a file says.

        Raises
        ------
        PacsError
            The file says something that is not understood.
        """
        if not isinstance(document, dict):
            raise PacsError(f"The archive {name} has no settings.", "Add it again.")
        defaults = cls("").settings
        for key, value in document.items():
            if key not in defaults:
                raise PacsError(f"{key} is no setting of an archive.", f"Remove it from the archive {name}.")
            if type(value) is not type(defaults[key]) or (isinstance(value, str) and len(value) > LONGEST):
                raise PacsError(
                    f"{key} of the archive {name} has an odd value.", "Correct it, or add the archive again."
                )
        found = cls(name, **document)
        found.check()
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """All but the name."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @property
    def host(self) -> str:
        """Name of the computer that is contacted."""
        return self._host_and_port()[0]

    @property
    def port(self) -> int:
        """Its port."""
        return self._host_and_port()[1]

    @property
    def is_here(self) -> bool:
        """Whether the archive runs on this computer."""
        return self.host in LOOPBACK

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.tls if self.kind == "dimse" else self.address.startswith("https://")

    @property
    def needs_secret(self) -> bool:
        """Whether a password or token is needed."""
        return self.kind == "dicomweb" and bool(self.user or self.token)

    def check(self) -> None:
        """Refuse settings with which nothing can be contacted, or should be.

        Raises
        ------
        PacsError
        """
        if not _NAME.fullmatch(self.name):
            raise PacsError(
                f"{self.name!r} is no name for an archive.", "Use up to 64 letters, digits, spaces, dots and dashes."
            )
        if self.kind not in get_args(Kind):
            raise PacsError(f"{self.kind} is no kind of archive.", "Choose dicomweb or dimse.")
        self._host_and_port()
        if self.kind == "dimse":
            self._check_titles()
        if self.ca_file and not Path(self.ca_file).expanduser().is_file():
            raise PacsError(f"There is no certificate file {self.ca_file}.", "Choose a file in PEM format, or none.")
        if not (self.is_encrypted or self.is_here or self.plain):
            raise PacsError(
                f"The connection to {self.host} is not encrypted: others in the network could read images and names.",
                "Use an encrypted address, or confirm that you trust the network.",
                "trust network",
            )

    def _check_titles(self) -> None:
        for title, whose in ((self.title, "the archive"), (self.own_title, "this program")):
            if not (_TITLE.fullmatch(title) and title.strip()):
                raise PacsError(
                    f"{title!r} is no AE title of {whose}.",
                    "Ask the administrator of the archive: it has 1 to 16 letters.",
                )
        if not 0 <= self.own_port <= 65535:
            raise PacsError(f"{self.own_port} is no port.", "Give a number from 1 to 65535, or 0 for none.")

    def _host_and_port(self) -> tuple[str, int]:
        try:
            parts = urlsplit(self.address if self.kind == "dicomweb" else f"//{self.address}")
            host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
        except ValueError:
            host, port = "", 0
        if self.kind == "dicomweb":
            if not host or parts.scheme not in ("https", "http") or parts.query or parts.fragment or parts.username:
                raise PacsError(
                    f"{self.address or 'Nothing'} is no address of DICOMweb.",
                    "Write it as https://host/path, without a name or password.",
                )
        elif not host or not port or parts.path or parts.username:
            raise PacsError(f"{self.address or 'Nothing'} is no address for DIMSE.", "Write it as host:port.")
        return host, port
