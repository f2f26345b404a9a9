#!/usr/bin/env bash
# Exports Depth Anything V2 Small with random weights, runs it at its real size through StereoSpot, and computes the
# golden values of pre- and post-processing anew: they must be those in testdata. Takes 7 GB in work/models and some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
home=work/models
if ! cmp -s scripts/models/requirements.txt "$home/installed.txt"; then
  rm -rf "$home/venv"
  python3 -m venv "$home/venv"
  "$home/venv/bin/pip" install --quiet --disable-pip-version-check -r scripts/models/requirements.txt
  cp scripts/models/requirements.txt "$home/installed.txt"
fi
[ -e "$home/random-small-quantized.onnx" ] || "$home/venv/bin/python" scripts/models/export.py "$home"
rm -rf "$home/golden"
mkdir -p "$home/golden/depth"
"$home/venv/bin/python" scripts/models/golden.py "$home/golden/depth"
"$home/venv/bin/python" scripts/models/golden_maps.py "$home/golden"
"$home/venv/bin/python" scripts/models/same.py "$home/golden/depth" internal/stereo/depth/testdata
"$home/venv/bin/python" scripts/models/same.py "$home/golden/stereo" internal/stereo/testdata
STEREOSPOT_TEST_MODELS="$PWD/$home" go test ./internal/stereo/depth/onnx -run TestRealArchitecture -count=1 -v
