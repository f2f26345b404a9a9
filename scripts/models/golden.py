"""Computes what the transformers library's own image processor makes of a frame, for the Go tests to compare with.
Usage: golden.py DIRECTORY"""

import pathlib
import sys

import numpy as np
from PIL import Image
from transformers import DPTImageProcessor

WIDTH, HEIGHT = 160, 90
KR, KB = 0.2126, 0.0722  # BT.709


def frame():
    """A smooth picture with an edge, as planes of limited-range 4:2:0 with chroma on the even columns."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    luma = 120 + 60 * np.sin(x / 9) * np.cos(y / 7)
    luma[30:70, 60:120] += 40
    cy, cx = np.mgrid[0 : HEIGHT // 2, 0 : WIDTH // 2].astype(np.float64)
    cb, cr = 128 + 30 * np.sin(cx / 11), 128 + 30 * np.cos(cy / 13)
    return [np.clip(np.rint(p), 16, 235).astype(np.uint8) for p in (luma, cb, cr)]


def line(values, places):
    """Values interpolated linearly at places, with the ends going on."""
    low = np.clip(np.floor(places).astype(int), 0, len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    part = np.clip(places - low, 0, 1)
    part = part.reshape(-1, *([1] * (values.ndim - 1)))
    return values[low] * (1 - part) + values[high] * part


def rgb(luma, cb, cr):
    """The frame as a program would show it: chroma interpolated to every pixel, then BT.709."""
    full = [line(line(c.astype(np.float64), (np.arange(HEIGHT) - 0.5) / 2).T, np.arange(WIDTH) / 2).T for c in (cb, cr)]
    y = (luma - 16.0) / 219
    b, r = ((c - 128) / 224 for c in full)
    red, blue = y + 2 * (1 - KR) * r, y + 2 * (1 - KB) * b
    green = (y - KR * red - KB * blue) / (1 - KR - KB)
    return np.rint(np.clip(np.stack([red, green, blue], -1), 0, 1) * 255).astype(np.uint8)


def main(directory):
    directory = pathlib.Path(directory)
    planes = frame()
    processor = DPTImageProcessor(
        size={"height": 70, "width": 70}, keep_aspect_ratio=True, ensure_multiple_of=14, resample=Image.BICUBIC,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )
    values = processor(Image.fromarray(rgb(*planes)), return_tensors="np")["pixel_values"][0]
    for name, array in zip(["luma", "cb", "cr"], planes):
        np.save(directory / f"{name}.npy", array)
    np.save(directory / "pixel_values.npy", values.astype(np.float32))
    print("pixel_values", values.shape)


if __name__ == "__main__":
    main(sys.argv[1])
