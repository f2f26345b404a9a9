#!/usr/bin/env bash
# Takes a made-up film through a server, as a person would. Uses the server at STEREOSPOT_SERVER (or the usual
# address) if one answers there, else runs one for the demo. Usage: demo.sh PROGRAM DATA_DIR
set -euo pipefail

program=$1 data=$2
server=${STEREOSPOT_SERVER:-http://127.0.0.1:8080}
export STEREOSPOT_SERVER=$server
pid=

answers() { "$program" jobs list --limit 1 >/dev/null 2>&1; }

stop() {
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" || true
  fi
}
trap stop EXIT

if ! answers; then
  "$program" serve --addr "${server#http://}" --data-dir "$data" &
  pid=$!
  until answers; do
    kill -0 "$pid" 2>/dev/null || { pid=; echo "the server didn't start" >&2; exit 1; }
  done
fi

mkdir -p work
test -f work/demo.mp4 || "$program" scene demo -o work/demo.mp4
said=$("$program" submit work/demo.mp4 --format anaglyph --wait | tee /dev/stderr)
page=$(grep -o "$server/jobs/[0-9a-f-]*" <<<"$said" | head -n 1)

echo
echo "Look at it: $page"
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then
  xdg-open "$page" >/dev/null 2>&1 || true
fi
if [ -n "$pid" ] && [ -t 0 ]; then
  echo "The server runs until Ctrl-C."
  wait "$pid"
fi
