"""A real FHIR server for tests, where `make` has installed it, and HL7's schema."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "fhir"  # see the Makefile
SERVER = Path(__file__).with_name("fhir") / "server.cjs"
SCHEMA = FOLDER / "node_modules" / "@medplum" / "definitions" / "dist" / "fhir" / "r4" / "fhir.schema.json"
PORT, TOKEN = 18090, "t0ken"
ADDRESS = f"http://127.0.0.1:{PORT}/fhir"


def missing() -> str:
    """Why there can be no server here; empty if there can."""
    if shutil.which("node") is None:
        return "LEFT OUT: the tests with a FHIR server, because Node is not installed"
    if not SCHEMA.is_file():
        return "LEFT OUT: the tests with a FHIR server, which `make test SLOW=` installs"
    return ""


@contextmanager
def server() -> Iterator[None]:
    """Run the server."""
    environment = {**os.environ, "FHIR_TOKEN": TOKEN}
    command = ["node", str(SERVER), str(FOLDER), str(PORT)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def faults(bundle: dict[str, Any]) -> list[str]:
    """What HL7's schema has to say against a bundle."""
    import jsonschema

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return [str(error)[:500] for error in jsonschema.Draft6Validator(schema).iter_errors(bundle)]
