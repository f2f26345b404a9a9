#!/usr/bin/env bash
# Pushes an image that docker-build.sh built to the deployment's registry, unless it is there: tags are never moved. A
# tree that differs from its commit isn't pushed, for the tag would lie.
# Usage: docker-push.sh web-ui|media-worker|video-worker|stereo-inference
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/docker-image.sh "$@"

case $tag in
  *-dirty)
    echo "the tree has changes that are in no commit: commit or remove them first" >&2
    exit 1
    ;;
esac
source "${STEREOSPOT_DEPLOYMENT:-infra/aws-infra/.env}"
variable=ECR_REPOSITORY_URL_$(tr a-z- A-Z_ <<<"$image")
repository=${!variable:?is not set: run npx nx run aws-infra:terraform-output}

there=$(bin/stereospot infra has-image "$image" "$tag")
if [ "$there" = yes ]; then
  echo "$repository:$tag is there already"
  exit
fi
docker tag "$image:$tag" "$repository:$tag"
docker push "$repository:$tag"
