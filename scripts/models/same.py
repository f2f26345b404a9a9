"""Compares arrays with stored ones of the same names: inputs bit by bit, what libraries have summed to 1e-5.
Usage: same.py MADE STORED"""

import pathlib
import sys

import numpy as np


def differs(made, stored):
    if made.dtype != stored.dtype or made.shape != stored.shape:
        return f"{made.dtype}{list(made.shape)} instead of {stored.dtype}{list(stored.shape)}"
    if np.array_equal(made, stored, equal_nan=made.dtype.kind == "f"):
        return ""
    off = np.abs(made.astype(np.float64) - stored.astype(np.float64)).max()
    return "" if made.dtype.kind == "f" and off <= 1e-5 else f"off by {off:.2e}"


def main(made, stored):
    made, stored = pathlib.Path(made), pathlib.Path(stored)
    names = {p.name for p in made.glob("*.npy")} | {p.name for p in stored.glob("*.npy")}
    bad = 0
    for name in sorted(names):
        if not (made / name).exists() or not (stored / name).exists():
            why = "is not in both folders"
        else:
            why = differs(np.load(made / name), np.load(stored / name))
        if why:
            print(f"{stored / name}: {why}")
            bad += 1
    print(f"{stored}: {len(names) - bad} of {len(names)} arrays are as they are computed")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
