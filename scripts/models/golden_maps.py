"""Computes what becomes of a network's output, for the Go tests to compare with: by numpy's percentiles, OpenCV's guided
filter, joint bilateral upsampling, and the transformers library's own sizes.
Usage: golden_maps.py DIRECTORY, which gets depth/ and stereo/"""

import pathlib
import sys

import cv2
import numpy as np
from transformers.models.dpt.image_processing_dpt import get_resize_output_image_size

FRAMES, HEIGHT, WIDTH = 22, 9, 16
CUTS = [0, 9, 17, FRAMES]  # where shots begin, and the end
REACH = 6  # frames each side over which a range is averaged
NEAREST = 0.01  # what is nearer counts as this far, in maps whose median is a metre or more


def round_off(values):
    """Values with eight bits behind the point: the same whatever the library's sines."""
    return (np.rint(values * 256) / 256).astype(np.float32)


def distances():
    """Metres: a floor that rises into the distance with a box before it, the same from farther away, and a wall."""
    t, y, x = np.mgrid[0:FRAMES, 0:HEIGHT, 0:WIDTH].astype(np.float64)
    floor = 8 - 6 * y / (HEIGHT - 1)
    box = (abs(x - 4 - t / 2) < 2.5) & (abs(y - 4) < 1.5)
    scene = np.where(box, 1.5, floor)
    scene[CUTS[1] : CUTS[2]] *= 2
    scene[CUTS[2] :] = 5 + 0.02 * np.sin(x + y + t)[CUTS[2] :]
    return round_off(scene)


def spoilt(values, outliers):
    """Values with some that no network should give, in frames 5 and 12."""
    values = values.copy()
    values[5, 0, [0, 7]] = outliers
    values[12, 8, 15] = np.nan
    return values


def normalised(near):
    """Maps [frames, height, width] in [0, 1]: from the 2nd to the 98th percentile, averaged over the frames around."""
    flat = near.reshape(len(near), -1)
    low, high = (np.percentile(flat, q, axis=1, method="nearest") for q in (2, 98))
    out = np.empty_like(near)
    for begin, end in zip(CUTS, CUTS[1:]):
        for t in range(begin, min(end, len(near))):
            around = slice(max(begin, t - REACH), min(end, t + REACH + 1))
            lo, hi = low[around].mean(), high[around].mean()
            # A wall stays flat: no range counts as less than a twentieth of what is nearest.
            span = max(hi - lo, 0.05 * max(abs(lo), abs(hi)))
            out[t] = np.clip((near[t] - (lo + hi) / 2) / span + 0.5, 0, 1)
    return out


def relative_near(raw):
    return np.nan_to_num(raw.astype(np.float64), nan=0.0)


def metric_near(raw):
    return 1 / np.maximum(np.nan_to_num(raw.astype(np.float64), nan=np.inf), NEAREST)


def levels():
    metres = distances()
    gain = 1 + np.sin(np.arange(FRAMES)) / 8  # a relative network's unit is another in every frame
    relative = round_off(gain[:, None, None] * 40 / metres + 3 * gain[:, None, None])
    relative, metres = spoilt(relative, [900, -700]), spoilt(metres, [0, 5000])
    return {
        "relative": relative, "relative_maps": normalised(relative_near(relative)),
        "distances": metres, "distances_maps": normalised(metric_near(metres)),
    }


def mirrored():
    """What a lopsided network says of a picture and of the same mirrored, and the mean map of both."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    said = round_off(np.stack([2 + y + x / 3, 2 + y + x * x / 40]))
    means = {}
    for name, near in (("relative", relative_near), ("distances", metric_near)):
        straight, turned = near(said)
        means["mirrored_" + name] = normalised(((straight + np.fliplr(turned)) / 2)[None])[0]
    return {"mirrored": said, **means}


def box_mean(values, radius):
    """The mean of squares, cut at the borders."""
    for axis in (0, 1):
        n = values.shape[axis]
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), np.cumsum(values, axis)], axis)
        first, last = np.maximum(np.arange(n) - radius, 0), np.minimum(np.arange(n) + radius + 1, n)
        shape = [1, 1]
        shape[axis] = n
        values = (sums.take(last, axis) - sums.take(first, axis)) / (last - first).reshape(shape)
    return values


def guided():
    """A map filtered along a picture's edges. OpenCV continues both beyond the borders; away from them it must agree."""
    radius, eps = 4, 1e-3
    y, x = np.mgrid[0:36, 0:64].astype(np.float64)
    guide = round_off(0.5 + 0.1 * np.sin(x / 3) + 0.3 * (x + y / 2 > 40))
    coarse = round_off(np.where(x + y / 2 > 42, 0.9, 0.2) + y / 360)
    g, v = guide.astype(np.float64), coarse.astype(np.float64)
    mean_g, mean_v = box_mean(g, radius), box_mean(v, radius)
    slope = (box_mean(g * v, radius) - mean_g * mean_v) / (box_mean(g * g, radius) - mean_g**2 + eps)
    out = box_mean(slope, radius) * g + box_mean(mean_v - slope * mean_g, radius)
    other = cv2.ximgproc.guidedFilter(guide, coarse, radius, eps)
    inside = (slice(2 * radius, -2 * radius),) * 2
    off = abs(out - other)[inside].max()
    print(f"guided: OpenCV's filter is off by {off:.1e} at most away from the borders")
    if off > 1e-4:
        sys.exit("the guided filters differ")
    return {"guide": guide, "guided_coarse": coarse, "guided": out}


def sizes():
    """Rows of a frame's width and height, and those of the picture that the reference makes of it."""
    frames = [
        (1920, 1080), (3840, 2160), (4096, 2160), (1080, 1920), (2160, 3840), (640, 480), (480, 640), (720, 576), (720, 480),
        (1998, 1080), (3996, 2160), (1280, 720), (1280, 534), (4096, 1716), (2560, 1080), (518, 518), (519, 517), (320, 180),
        (176, 144), (96, 64), (20, 14), (1, 1), (1000, 1001), (7680, 4320),
        (1078, 1036), (1036, 1134),  # halves of a multiple, which Python rounds to even
    ]
    rows = []
    for w, h in frames:
        out = get_resize_output_image_size(np.zeros((3, h, w), np.uint8), (518, 518), keep_aspect_ratio=True, multiple=14, input_data_format="channels_first")
        rows.append([w, h, out[1], out[0]])
    return {"sizes": np.array(rows, np.int32)}


def joint_bilateral(luma, coarse, factor, reach=2, spread=1.0, tolerance=12.0):
    """A map brought to the picture's size (J. Kopf et al., "Joint Bilateral Upsampling", 2007). tolerance is of luma."""
    mh, mw = coarse.shape
    small = luma.astype(np.float64).reshape(mh, factor, mw, factor).mean((1, 3))
    out, total = np.zeros(luma.shape), np.zeros(luma.shape)
    y, x = np.mgrid[0 : luma.shape[0], 0 : luma.shape[1]]
    py, px = (y + 0.5) / factor - 0.5, (x + 0.5) / factor - 0.5
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            cy, cx = np.clip(np.rint(py) + dy, 0, mh - 1).astype(int), np.clip(np.rint(px) + dx, 0, mw - 1).astype(int)
            near = np.exp(-((py - cy) ** 2 + (px - cx) ** 2) / (2 * spread**2))
            alike = np.exp(-((luma - small[cy, cx]) ** 2) / (2 * tolerance**2))
            weight = near * (alike + 1e-6)
            out, total = out + weight * coarse[cy, cx], total + weight
    return out / total


def refined():
    """A picture, its depth, a coarse blurred map of that, and the map brought back to the picture's size."""
    factor, height, width = 4, 56, 96
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    disc = (x - 30.3) ** 2 + (y - 25.6) ** 2 < 15**2
    board = (abs(x - 71.5) < 9) & (y > 14)
    depth = np.where(disc, 0.85, np.where(board, 0.6, 0.1 + 0.2 * y / height))
    luma = 120 + 6 * np.sin(x / 2) * np.sin(y / 3)
    luma = np.where(disc, luma + 70, np.where(board, luma - 60, luma))
    coarse = depth.reshape(height // factor, factor, width // factor, factor).mean((1, 3))
    coarse = cv2.GaussianBlur(coarse, (0, 0), 0.7, borderType=cv2.BORDER_REPLICATE)
    luma, coarse = np.clip(np.rint(luma), 16, 235).astype(np.uint8), round_off(coarse)
    return {"luma": luma, "true": depth, "coarse": coarse, "refined": joint_bilateral(luma.astype(np.float64), coarse, factor)}


def main(directory):
    for folder, made in {"depth": levels() | mirrored() | guided() | sizes(), "stereo": refined()}.items():
        place = pathlib.Path(directory) / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, array in made.items():
            np.save(place / f"{name}.npy", array.astype(np.float32) if array.dtype == np.float64 else array)


if __name__ == "__main__":
    main(sys.argv[1])
