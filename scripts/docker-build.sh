#!/usr/bin/env bash
# Builds an image, tagged with the commit, from the pinned bases of docker/bases.env.
# Usage: docker-build.sh web-ui|media-worker|video-worker|stereo-inference
# VARIANT (cpu, cuda) is stereo-inference's; PLATFORM (linux/amd64, linux/arm64) is that of the machines it is to run on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/docker-image.sh "$@"

case $image in
  web-ui | media-worker) file=app bases=(GO DEBIAN) ;;
  video-worker) file=video-worker bases=(GO DISTROLESS) ;;
  stereo-inference) file=stereo-inference bases=(GO DEBIAN) ;;
esac
variant=${VARIANT:-cuda}
[ "$image/$variant" != stereo-inference/cuda ] || bases+=(CUDA)

source docker/bases.env
arguments=(--build-arg "REVISION=$tag")
[ "$image" != stereo-inference ] || arguments+=(--build-arg "VARIANT=$variant")
for base in "${bases[@]}"; do
  name=${base}_IMAGE digest=${base}_DIGEST
  if [ -z "${!digest}" ]; then
    echo "${!name} isn't pinned: run scripts/docker-pin.sh, and commit docker/bases.env" >&2
    exit 1
  fi
  arguments+=(--build-arg "$name=${!name}" --build-arg "$digest=${!digest}")
done

docker build --platform "${PLATFORM:-linux/amd64}" --file "docker/$file.Dockerfile" --target "$image" \
  "${arguments[@]}" --tag "$image:$tag" .
