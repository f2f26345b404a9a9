# video-worker for deployments whose segments an inference service converts (INFERENCE_BACKEND http or sagemaker): one
# program without FFmpeg, shell or package manager. Build from the repository's root:
#   scripts/docker-build.sh video-worker          from pinned digests, tagged with the commit
ARG GO_IMAGE=golang:1.26-bookworm
ARG GO_DIGEST
ARG DISTROLESS_IMAGE=gcr.io/distroless/static-debian12:latest
ARG DISTROLESS_DIGEST

FROM ${GO_IMAGE}${GO_DIGEST:+@}${GO_DIGEST} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal ./internal
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /stereospot . \
 && install -d -m 700 /empty

FROM ${DISTROLESS_IMAGE}${DISTROLESS_DIGEST:+@}${DISTROLESS_DIGEST} AS video-worker
ARG REVISION=unknown
LABEL org.opencontainers.image.title="StereoSpot video-worker" org.opencontainers.image.revision="${REVISION}"
COPY --from=build /stereospot /usr/local/bin/stereospot
COPY --from=build --chown=10001:10001 /empty /scratch
USER 10001:10001
VOLUME ["/scratch"]
ENV STEREOSPOT_SCRATCH_DIR=/scratch TMPDIR=/scratch STEREOSPOT_METRICS_ADDR=127.0.0.1:9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/stereospot", "healthcheck", "http://127.0.0.1:9090/healthz"]
ENTRYPOINT ["/usr/local/bin/stereospot"]
CMD ["video-worker"]
