"""How the pixels of a DICOM file are stored (its transfer syntax), and what decodes them."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from napari_webipred.errors import ImageError
from napari_webipred.installed import version_of

ROOT = "1.2.840.10008.1.2"
DEFLATED = f"{ROOT}.1.99"
BIG_ENDIAN = f"{ROOT}.2"
EXTENDED_JPEG = f"{ROOT}.4.51"  # 8 or 12 bits; only one decoder reads 12
RLE = f"{ROOT}.5"
JPEG_2000 = (f"{ROOT}.4.90", f"{ROOT}.4.91")
HIGH_THROUGHPUT = tuple(f"{ROOT}.4.20{i}" for i in (1, 2, 3))
DECODES_12_BIT = "pylibjpeg-libjpeg"  # not ours to install: its licence is the GPL


class Decoder(Struct, frozen=True):
    """A plugin of pydicom, and the package that does its work."""

    plugin: str
    package: str


PILLOW = Decoder("pillow", "pillow")
GDCM = Decoder("gdcm", "python-gdcm")
LIBJPEG = Decoder("pylibjpeg", DECODES_12_BIT)
OPENJPEG = Decoder("pylibjpeg", "pylibjpeg-openjpeg")
LIBRLE = Decoder("pylibjpeg", "pylibjpeg-rle")
CHARLS = Decoder("pyjpegls", "pyjpegls")
PYDICOM = Decoder("pydicom", "pydicom")


class Syntax(Struct, frozen=True):
    """A transfer syntax.

    Attributes
    ----------
    name : str
        As people call it.
    decoders : tuple of Decoder
        What can decode it, in the order in which it is asked: decoders differ by a grey level here and there, so that
        the same file should always meet the same one. Empty for pixels that are not compressed.
    compressed, lossy : bool
    """

    name: str
    decoders: tuple[Decoder, ...] = ()
    compressed: bool = True
    lossy: bool = False


SYNTAXES = {
    ROOT: Syntax("Implicit VR Little Endian", compressed=False),
    f"{ROOT}.1": Syntax("Explicit VR Little Endian", compressed=False),
    BIG_ENDIAN: Syntax("Explicit VR Big Endian", compressed=False),
    DEFLATED: Syntax("Deflated Explicit VR Little Endian", compressed=False),
    f"{ROOT}.4.50": Syntax("JPEG Baseline", (PILLOW, GDCM, LIBJPEG), lossy=True),
    EXTENDED_JPEG: Syntax("JPEG Extended", (PILLOW, GDCM, LIBJPEG), lossy=True),
    f"{ROOT}.4.57": Syntax("JPEG Lossless", (GDCM, LIBJPEG)),
    f"{ROOT}.4.70": Syntax("JPEG Lossless SV1", (GDCM, LIBJPEG)),
    f"{ROOT}.4.80": Syntax("JPEG-LS Lossless", (CHARLS, GDCM, LIBJPEG)),
    f"{ROOT}.4.81": Syntax("JPEG-LS Near-lossless", (CHARLS, GDCM, LIBJPEG), lossy=True),
    JPEG_2000[0]: Syntax("JPEG 2000 Lossless", (OPENJPEG, GDCM, PILLOW)),
    JPEG_2000[1]: Syntax("JPEG 2000", (OPENJPEG, GDCM, PILLOW)),  # may be lossless; the header says so
    HIGH_THROUGHPUT[0]: Syntax("High-Throughput JPEG 2000 Lossless", (OPENJPEG,)),
    HIGH_THROUGHPUT[1]: Syntax("High-Throughput JPEG 2000 RPCL Lossless", (OPENJPEG,)),
    HIGH_THROUGHPUT[2]: Syntax("High-Throughput JPEG 2000", (OPENJPEG,)),
    RLE: Syntax("RLE Lossless", (LIBRLE, PYDICOM)),
}
# What cannot be read, by the beginning of its identifier, so that it can be named.
UNREADABLE = {
    f"{ROOT}.4.100": "MPEG-2 video",
    f"{ROOT}.4.101": "MPEG-2 video",
    f"{ROOT}.4.102": "MPEG-4 video",
    f"{ROOT}.4.103": "MPEG-4 video",
    f"{ROOT}.4.104": "MPEG-4 video",
    f"{ROOT}.4.105": "MPEG-4 video",
    f"{ROOT}.4.106": "MPEG-4 video",
    f"{ROOT}.4.107": "HEVC video",
    f"{ROOT}.4.108": "HEVC video",
    f"{ROOT}.4.110": "JPEG XL",
    f"{ROOT}.4.111": "JPEG XL",
    f"{ROOT}.4.112": "JPEG XL",
    f"{ROOT}.4.94": "JPIP, which leaves the pixels on a server",
    f"{ROOT}.4.95": "JPIP, which leaves the pixels on a server",
}


def syntax_of(uid: str) -> Syntax:
    """Return what is known of a transfer syntax.

    Raises
    ------
    ImageError
        Nothing can decode it.
    """
    found = SYNTAXES.get(uid)
    if found is None:
        name = next((name for start, name in UNREADABLE.items() if uid == start or uid.startswith(f"{start}.")), uid)
        raise ImageError(
            f"Its pixels are stored as {name[:64]}, which cannot be read.",
            "Export the image without compression, for example as Explicit VR Little Endian.",
        )
    return found


def decoder_of(uid: str, bits: int) -> Decoder | None:
    """Return what decodes pixels of so many bits; None if they are not compressed.

    Raises
    ------
    ImageError
        Nothing on this machine decodes them. The hint is the command that adds what does.
    """
    syntax = syntax_of(uid)
    if not syntax.compressed:
        return None
    only_one = uid == EXTENDED_JPEG and bits > 8
    for decoder in (LIBJPEG,) if only_one else syntax.decoders:
        if _is_there(uid, decoder):
            return decoder
    if only_one:
        raise ImageError(
            f"Its pixels are stored as {syntax.name} with {bits} bits, which no decoder on this machine reads.",
            f"One under the licence GPL does: pip install {DECODES_12_BIT}",
        )
    raise ImageError(
        f"Its pixels are stored as {syntax.name} ({uid}), and the decoder for it is not installed.",
        'Install it: pip install "napari-webipred[dicom]"',
    )


def decoding(uid: str, bits: int) -> str:
    """Say what decodes pixels of so many bits; empty if they are not compressed, or nothing decodes them."""
    try:
        decoder = decoder_of(uid, bits)
    except ImageError:  # which says why when the pixels are read
        return ""
    if decoder is None:
        return ""
    return f"{SYNTAXES[uid].name} decoded by {decoder.package} {version_of(decoder.package)}"


@cache
def _is_there(uid: str, decoder: Decoder) -> bool:
    """Tell whether a decoder is installed; one plugin of pydicom stands for several packages."""
    from pydicom.pixels import get_decoder

    plugin = decoder.plugin in get_decoder(uid).available_plugins  # type: ignore[arg-type, unused-ignore]
    return plugin and bool(version_of(decoder.package))
