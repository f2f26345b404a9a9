#!/usr/bin/env bash
# Installs the named programs from the distribution where they are missing (as root), or says in one line
# what to install. From PyPI come moto, an AWS emulator for the tests, to work/moto, and ONNX Runtime's library, which
# neural depth runs on, to work/onnxruntime.
# Usage: setup.sh ffmpeg [mediainfo] [mkvinfo] [chromium] [moto] [onnxruntime]
set -euo pipefail

moto_version=5.2.5
work="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/work"
moto_home="$work/moto"
onnxruntime_version=1.24.4
onnxruntime_home="$work/onnxruntime"

moto_is_there() {
  [ -n "${MOTO_SERVER:-}${AWS_ENDPOINT_URL:-}${AWS_ENDPOINT_URL_S3:-}" ] || # another emulator is named
    { [ "$(cat "$moto_home/version" 2>/dev/null)" = "$moto_version" ] && [ -x "$moto_home/bin/moto_server" ]; }
}

# The version is written last, so an installation that was broken off is begun again.
install_moto() {
  echo "Installing moto $moto_version into work/moto …"
  rm -rf "$moto_home"
  python3 -m venv "$moto_home"
  "$moto_home/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$moto_version"
  echo "$moto_version" >"$moto_home/version"
}

onnxruntime_is_there() {
  [ -n "${ORT_LIB:-}" ] || # another library is named
    { [ "$(cat "$onnxruntime_home/version" 2>/dev/null)" = "$onnxruntime_version" ] && [ -e "$onnxruntime_home/libonnxruntime.so" ]; }
}

# The library is taken out of the Python package, whose hash is known; any version of Python will do for that.
install_onnxruntime() {
  echo "Installing ONNX Runtime $onnxruntime_version into work/onnxruntime …"
  rm -rf "$onnxruntime_home"
  mkdir -p "$onnxruntime_home"
  local machine
  machine="$(uname -m)"
  cat >"$onnxruntime_home/requirements.txt" <<EOF
onnxruntime==$onnxruntime_version \\
  --hash=sha256:e54ad52e61d2d4618dcff8fa1480ac66b24ee2eab73331322db1049f11ccf330 \\
  --hash=sha256:046ff290045a387676941a02a8ae5c3ebec6b4f551ae228711968c4a69d8f6b7
EOF
  python3 -m venv "$onnxruntime_home/venv"
  "$onnxruntime_home/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$machine" --platform "manylinux_2_27_$machine" \
    --dest "$onnxruntime_home" --requirement "$onnxruntime_home/requirements.txt"
  (cd "$onnxruntime_home" && python3 -m zipfile -e onnxruntime-*.whl wheel && mv wheel/onnxruntime/capi/libonnxruntime.so.* libonnxruntime.so)
  rm -rf "$onnxruntime_home"/{venv,wheel,requirements.txt,*.whl}
  echo "$onnxruntime_version" >"$onnxruntime_home/version"
}

package_of() {
  case $1 in
    mkvinfo) echo mkvtoolnix ;;
    *) echo "$1" ;;
  esac
}

missing=()
moto=
onnxruntime=
for program in "$@"; do
  if [ "$program" = moto ]; then
    moto_is_there && continue
    moto=missing
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    continue
  fi
  if [ "$program" = onnxruntime ]; then
    onnxruntime_is_there && continue
    onnxruntime=missing
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    continue
  fi
  command -v "$program" >/dev/null || missing+=("$(package_of "$program")")
done

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "StereoSpot needs: ${missing[*]} (on Debian or Ubuntu: sudo apt-get install ${missing[*]})" >&2
    exit 1
  fi
  echo "Installing ${missing[*]} …"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

[ -z "$moto" ] || install_moto
[ -z "$onnxruntime" ] || install_onnxruntime
