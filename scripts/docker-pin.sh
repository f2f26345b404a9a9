#!/usr/bin/env bash
# Asks the registries for the digests of the images that ours are built on, and writes them to docker/bases.env.
# Usage: docker-pin.sh            those that have none yet
#        docker-pin.sh --update   all, to take security fixes up; commit the result
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bases=docker/bases.env
draft=$(mktemp "$bases.XXXXXX")
trap 'rm -f "$draft"' EXIT
image=
while IFS= read -r line; do
  name=${line%%=*} value=${line#*=}
  case $line in
    '#'*) ;;
    *_IMAGE=*) image=$value ;;
    *_DIGEST=*)
      if [ -z "$value" ] || [ "${1:-}" = --update ]; then
        value=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
        [[ $value =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "$image: the registry gave no digest" >&2; exit 1; }
        line=$name=$value
        echo "$image@$value" >&2
      fi
      ;;
  esac
  printf '%s\n' "$line"
done <"$bases" >"$draft"
chmod 644 "$draft"
mv "$draft" "$bases"
