"""``python -m napari_webipred.cli``."""

from napari_webipred.cli.main import program

if __name__ == "__main__":
    program()
