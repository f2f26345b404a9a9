#!/usr/bin/env bash
# Installs the named programs from the distribution where they are missing (as root), or says in one line
# what to install. Usage: setup.sh ffmpeg [mediainfo] [mkvinfo] [chromium]
set -euo pipefail

package_of() {
  case $1 in
    mkvinfo) echo mkvtoolnix ;;
    *) echo "$1" ;;
  esac
}

missing=()
for program in "$@"; do
  command -v "$program" >/dev/null || missing+=("$(package_of "$program")")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "StereoSpot needs: ${missing[*]} (on Debian or Ubuntu: sudo apt-get install ${missing[*]})" >&2
  exit 1
fi
echo "Installing ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
