"""What is kept of archives, and what is refused before anything is sent."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import pytest

from napari_webipred import cli, settings
from napari_webipred.errors import PacsError, SecretError
from napari_webipred.pacs import access, connection_file, folder, secret
from napari_webipred.pacs.connection import Connection

WEB = Connection("web", "dicomweb", "https://pacs.example.org/dicom-web", user="jane")
DIMSE = Connection("Röntgen 2", "dimse", "[::1]:104", title="PACS", own_port=11112)


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_known", {})


def test_what_is_added_is_read_again_and_removed() -> None:
    for each in (WEB, DIMSE):
        connection_file.add(each)
    assert connection_file.connections() == {"web": WEB, "Röntgen 2": DIMSE}
    connection_file.remove("web")
    assert connection_file.connections() == {"Röntgen 2": DIMSE}
    with pytest.raises(PacsError, match="no archive 'web'"):
        connection_file.connection("web")


def test_a_password_is_in_memory_alone() -> None:
    connection_file.add(WEB)
    with pytest.raises(SecretError, match="needs the password of jane"):
        secret.secret_of(WEB)
    secret.remember(WEB, "s3cret")
    assert secret.secret_of(WEB) == "s3cret"
    place = connection_file.path()
    assert not [path for path in place.parent.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_a_password_is_not_sent_to_an_address_that_was_changed() -> None:
    secret.remember(WEB, "s3cret")
    with pytest.raises(SecretError):
        secret.secret_of(Connection("web", "dicomweb", "https://elsewhere.example.org", user="jane"))


def test_a_password_is_in_the_keyring_if_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "set_password", lambda service, name, text: kept.update({(service, name): text}))
    monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
    monkeypatch.setattr(keyring, "delete_password", lambda service, name: kept.pop((service, name)))
    chosen = Connection("web", "dicomweb", "https://pacs.example.org", token=True, keyring=True)
    connection_file.add(chosen)
    secret.remember(chosen, "t0ken")
    assert list(kept.values()) == ["t0ken"]
    monkeypatch.setattr(secret, "_known", {})
    assert secret.secret_of(chosen) == "t0ken"
    connection_file.remove("web")
    assert kept == {}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Connection("a", "dicomweb", "http://pacs.example.org"), "not encrypted"),
        (Connection("a", "dimse", "pacs.example.org:104", title="PACS"), "not encrypted"),
        (Connection("a", "dicomweb", "https://jane:s3cret@pacs.example.org"), "no address"),
        (Connection("a", "dicomweb", "ftp://pacs.example.org"), "no address"),
        (Connection("a", "dicomweb", "https://[::1"), "no address"),
        (Connection("a", "dimse", "pacs.example.org", title="PACS"), "no address"),
        (Connection("a", "dimse", "127.0.0.1:104", title="X" * 17), "no AE title"),
        (Connection("a", "dimse", "127.0.0.1:104", title=" "), "no AE title"),
        (Connection("a\nb", "dicomweb", "https://pacs.example.org"), "no name"),
        (Connection("a", "dicomweb", "https://pacs.example.org", ca_file="missing.pem"), "no certificate file"),
    ],
)
def test_what_could_leak_or_cannot_work_is_refused(made: Connection, said: str) -> None:
    with pytest.raises(PacsError, match=said):
        connection_file.add(made)
    assert connection_file.connections() == {}


def test_an_unencrypted_connection_is_used_when_the_user_confirms_it() -> None:
    Connection("a", "dicomweb", "http://pacs.example.org", plain=True).check()
    Connection("a", "dicomweb", "http://127.0.0.1:8042").check()


@pytest.mark.parametrize("content", [b"\xff", b"[a", b'[a]\nadress = "x"', b"[a]\nuser = 3", b"a = 1", b"#" * 2**19])
def test_a_damaged_file_says_what_to_do(content: bytes) -> None:
    connection_file.path().parent.mkdir(parents=True)
    connection_file.path().write_bytes(content)
    with pytest.raises(PacsError) as caught:
        connection_file.connections()
    assert caught.value.hint


def test_nobody_is_asked_while_the_network_is_switched_off() -> None:
    settings.set_offline(True)
    with pytest.raises(PacsError, match="offline"):
        access.opened(WEB)


def test_a_terminal_adds_lists_and_removes_archives(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pacs", "add", "old", "pacs.example.org:104", "--title", "PACS"]) == 2
    assert "--trust-network" in capsys.readouterr().err
    assert cli.main(["pacs", "add", "old", "pacs.example.org:104", "--title", "PACS", "--trust-network"]) == 0
    assert cli.main(["pacs", "list"]) == 0
    assert "pacs.example.org:104" in capsys.readouterr().out
    assert cli.main(["pacs", "remove", "old"]) == 0
    assert cli.main(["pacs", "find", "old"]) == 2
    assert "`napari-webipred pacs add NAME ADDRESS`" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["pacs", "find", "old", "--pateint-id", "1"])
    assert "Did you mean --patient-id" in capsys.readouterr().err


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_images_lie_where_nobody_else_can_read_them_and_go(temporary: Path) -> None:
    first, second = folder.make(), folder.make()
    (first / "study 1").mkdir()
    (first / "study 1" / "image").write_bytes(b"image")
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in (first, first.parent))
    folder.delete(first)
    assert (first.exists(), second.exists()) == (False, True)
    folder.delete_all()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_somebody_else_has_laid_there_is_not_used(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    folder.parent().symlink_to(temporary / "elsewhere")
    with pytest.raises(PacsError, match="somebody else"):
        folder.make()
    assert list((temporary / "elsewhere").iterdir()) == []
