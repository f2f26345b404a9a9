# Sourced by the scripts that build and push: takes the name of an image, sets $image and $tag. The tag is TAG, or else the
# commit, with -dirty where the tree differs from it.
image=${1:-}
case $image in
  web-ui | media-worker | video-worker | stereo-inference) ;;
  *)
    echo "usage: $(basename "$0") web-ui|media-worker|video-worker|stereo-inference" >&2
    exit 2
    ;;
esac
tag=${TAG:-}
if [ -z "$tag" ]; then
  tag=$(git rev-parse HEAD)
  [ -z "$(git status --porcelain)" ] || tag=$tag-dirty
fi
