# An AWS emulator with an empty deployment in it, for compose.yaml's profile aws; nothing for production.
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
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /emulator ./internal/tools/emulator

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST:+@}${DEBIAN_DIGEST} AS emulator
WORKDIR /stereospot
COPY scripts/setup.sh scripts/setup.sh
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3-venv \
 && bash scripts/setup.sh moto \
 && rm -rf /var/lib/apt/lists/* /root/.cache \
 && useradd --uid 10001 --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin stereospot
# The deployment is laid out as Terraform describes it.
COPY go.mod ./
COPY infra/aws-infra ./infra/aws-infra
COPY --from=build /emulator /usr/local/bin/emulator
USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=10 CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/moto-api/data.json')"]
ENTRYPOINT ["emulator"]
CMD ["--addr", "0.0.0.0:5000"]
