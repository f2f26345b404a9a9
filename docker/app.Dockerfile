# What needs FFmpeg and no model: web-ui (previews), media-worker (splits and joins), and serve, which is all in one. One
# target each; build from the repository's root:
#   scripts/docker-build.sh web-ui                                    from pinned digests, tagged with the commit
#   docker build -f docker/app.Dockerfile --target serve -t stereospot .
ARG GO_IMAGE=golang:1.26-bookworm
ARG GO_DIGEST
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG DEBIAN_DIGEST

FROM ${GO_IMAGE}${GO_DIGEST:+@}${GO_DIGEST} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal ./internal
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /stereospot .

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST:+@}${DEBIAN_DIGEST} AS ffmpeg
# The distribution's newest FFmpeg with its security fixes; the base's digest says which distribution.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates ffmpeg \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin stereospot \
 && install -d -o stereospot -g stereospot -m 700 /data /scratch
COPY --from=build /stereospot /usr/local/bin/stereospot
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["stereospot"]

# The whole of StereoSpot on one machine. It listens to the container's network, so it wants a password (docs/serve.md).
FROM ffmpeg AS serve
VOLUME ["/data"]
EXPOSE 8080
# Where the password is, not what.
# hadolint ignore=DL3064
ENV STEREOSPOT_ADDR=0.0.0.0:8080 STEREOSPOT_DATA_DIR=/data STEREOSPOT_PASSWORD_FILE=/run/secrets/password
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["stereospot", "healthcheck"]
CMD ["serve"]

FROM ffmpeg AS media-worker
ARG REVISION=unknown
LABEL org.opencontainers.image.title="StereoSpot media-worker" org.opencontainers.image.revision="${REVISION}"
VOLUME ["/scratch"]
ENV STEREOSPOT_SCRATCH_DIR=/scratch TMPDIR=/scratch STEREOSPOT_METRICS_ADDR=127.0.0.1:9090
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["stereospot", "healthcheck", "http://127.0.0.1:9090/healthz"]
CMD ["media-worker"]

FROM ffmpeg AS web-ui
ARG REVISION=unknown
LABEL org.opencontainers.image.title="StereoSpot web-ui" org.opencontainers.image.revision="${REVISION}"
VOLUME ["/scratch"]
EXPOSE 8080
ENV STEREOSPOT_ADDR=0.0.0.0:8080 STEREOSPOT_SCRATCH_DIR=/scratch TMPDIR=/scratch
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["stereospot", "healthcheck"]
CMD ["web-ui"]
