# The inference service with FFmpeg and ONNX Runtime, answering SageMaker's contract on port 8080. Build from the
# repository's root; VARIANT is cpu or cuda:
#   VARIANT=cuda scripts/docker-build.sh stereo-inference       from pinned digests, tagged with the commit
#   docker run IMAGE serve                                      as SageMaker starts it
ARG VARIANT=cpu
ARG GO_IMAGE=golang:1.26-bookworm
ARG GO_DIGEST
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG DEBIAN_DIGEST
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04
ARG CUDA_DIGEST

# ONNX Runtime is loaded at run time, through cgo.
FROM ${GO_IMAGE}${GO_DIGEST:+@}${GO_DIGEST} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal ./internal
RUN CGO_ENABLED=1 go build -trimpath -ldflags="-s -w" -o /stereospot .

# The library alone, out of the Python package that carries it, checked by its SHA-256.
FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST:+@}${DEBIAN_DIGEST} AS onnxruntime
ARG VARIANT
COPY docker/onnxruntime-cpu.txt docker/onnxruntime-cuda.txt /
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip \
 && pip download --quiet --no-cache-dir --no-deps --require-hashes --dest /wheel --requirement "/onnxruntime-${VARIANT}.txt" \
 && python3 -m zipfile --extract /wheel/*.whl /unpacked \
 && install -d /onnxruntime \
 && mv /unpacked/onnxruntime/capi/libonnxruntime*.so* /onnxruntime/ \
 && ln -s "$(basename /onnxruntime/libonnxruntime.so.1.*)" /onnxruntime/libonnxruntime.so.1 \
 && rm -rf /wheel /unpacked /var/lib/apt/lists/*

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST:+@}${DEBIAN_DIGEST} AS base-cpu

FROM ${CUDA_IMAGE}${CUDA_DIGEST:+@}${CUDA_DIGEST} AS base-cuda
# FFmpeg decodes and encodes on the GPU where this lets the driver's libraries in.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility,video

# hadolint ignore=DL3006
FROM base-${VARIANT} AS stereo-inference
ARG REVISION=unknown
LABEL org.opencontainers.image.title="StereoSpot inference" org.opencontainers.image.revision="${REVISION}"
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates ffmpeg \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin stereospot \
 && install -d -o stereospot -g stereospot -m 700 /scratch /models
COPY --from=onnxruntime /onnxruntime /opt/onnxruntime
COPY --from=build /stereospot /usr/local/bin/stereospot
COPY --chmod=755 docker/inference-entrypoint.sh /usr/local/bin/inference-entrypoint
USER 10001:10001
VOLUME ["/scratch", "/models"]
EXPOSE 8080
ENV ORT_LIB=/opt/onnxruntime/libonnxruntime.so.1 STEREOSPOT_SCRATCH_DIR=/scratch TMPDIR=/scratch STEREOSPOT_MODELS_DIR=/models
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["stereospot", "healthcheck", "http://127.0.0.1:8080/ping"]
ENTRYPOINT ["inference-entrypoint"]
CMD ["serve"]
