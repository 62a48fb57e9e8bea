"""The command line: a thin front of the engine."""

from napari_webipred.cli.main import main as main
