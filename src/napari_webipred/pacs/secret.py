"""Passwords and tokens of archives: in memory, or in the keyring of the system if the user says so; never in a file."""

from __future__ import annotations

from napari_webipred.errors import PacsError, SecretError
from napari_webipred.pacs.connection import Connection

SERVICE = "napari-webipred archive"
_known: dict[tuple[str, str, str], str] = {}  # of this process


def secret_of(connection: Connection) -> str:
    """Return the password or token of an archive; empty if it needs none.

    Raises
    ------
    SecretError
        It is not known.
    PacsError
        The keyring does not work.
    """
    if not connection.needs_secret:
        return ""
    found = _known.get(_key(connection)) or (_from_keyring(connection) if connection.keyring else None)
    if not found:
        what = "token" if connection.token else f"password of {connection.user}"
        raise SecretError(f"The archive {connection.name} needs the {what}.", "Enter it.", "give password")
    return found


def is_known(connection: Connection) -> bool:
    """Tell whether the password or token is in memory already."""
    return _key(connection) in _known


def remember(connection: Connection, secret: str) -> None:
    """Keep a password or token in memory, and in the keyring if the archive is described so."""
    _known[_key(connection)] = secret
    if connection.keyring:
        with _explained() as keyring:
            keyring.set_password(SERVICE, "\n".join(_key(connection)), secret)


def reject(connection: Connection) -> None:
    """Forget a password or token in memory, because the archive does not accept it."""
    _known.pop(_key(connection), None)


def forget(connection: Connection) -> None:
    """Forget a password or token, also in the keyring."""
    reject(connection)
    if connection.keyring and _from_keyring(connection):
        with _explained() as keyring:
            keyring.delete_password(SERVICE, "\n".join(_key(connection)))


def _key(connection: Connection) -> tuple[str, str, str]:
    """Tie a secret to where it may be sent: a changed address asks anew."""
    return connection.name, connection.address, connection.user


def _from_keyring(connection: Connection) -> str | None:
    with _explained() as keyring:
        found: str | None = keyring.get_password(SERVICE, "\n".join(_key(connection)))
        return found


class _explained:  # noqa: N801
    """Gives the keyring, and says in words why it does not work."""

    def __enter__(self):  # type: ignore[no-untyped-def]
        try:
            import keyring
        except ImportError:
            raise PacsError("The package keyring is not installed.", "", "install pacs") from None
        return keyring

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None and kind.__module__.startswith("keyring"):
            raise PacsError(
                f"The system's keyring cannot be used ({kind.__name__}).",
                "Unlock or install it, or do not keep the password.",
            ) from None
