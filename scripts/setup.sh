#!/usr/bin/env bash
# Installs the named programs from the distribution where they are missing (as root), or says in one line
# what to install. moto, an AWS emulator for the tests, goes to work/moto from PyPI.
# Usage: setup.sh ffmpeg [mediainfo] [mkvinfo] [chromium] [moto]
set -euo pipefail

moto_version=5.2.5
moto_home="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/work/moto"

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

package_of() {
  case $1 in
    mkvinfo) echo mkvtoolnix ;;
    *) echo "$1" ;;
  esac
}

missing=()
moto=
for program in "$@"; do
  if [ "$program" = moto ]; then
    moto_is_there && continue
    moto=missing
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
