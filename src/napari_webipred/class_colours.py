"""The colours of classes, in one order everywhere, so that a class has the same one in charts, figures and files."""

# Those of Okabe and Ito (Color Universal Design), which all kinds of colour vision can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")


def rgb(place: int) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of the class at a place; after the last colour the first follows."""
    red, green, blue = bytes.fromhex(COLOURS[place % len(COLOURS)][1:])
    return red, green, blue
