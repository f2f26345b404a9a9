# The commands a newcomer needs:
#   make serve                  set up, build, start the page at http://127.0.0.1:8080
#   make convert IN=film.mp4    set up, build, convert (without IN: a demo scene)
#   make test                   set up what the tests need, run them all

SHELL := /bin/bash
.DEFAULT_GOAL := build
BIN := bin/stereospot
SOURCES := $(shell find main.go internal -type f -not -name '*_test.go' -not -path '*/testdata/*' -not -path '*/node_modules/*') go.mod go.sum

.PHONY: neural crash e2e emulator image-check nx-test build assets setup setup-test serve demo convert test lint race nocgo-test fuzz bench bench-inference sim quality infra-scan licences scaling clean

build: $(BIN)

$(BIN): $(SOURCES)
	@mkdir -p bin
	go build -trimpath -o $@ .

# The pages' scripts and styles, whose built form is committed: only a change in internal/web/assets needs this, and npm.
assets:
	cd internal/web/assets && npm ci --ignore-scripts && npm run build

setup:
	@scripts/setup.sh ffmpeg

setup-test:
	@scripts/setup.sh ffmpeg mediainfo mkvinfo chromium moto onnxruntime

# Films and results go to DATA; ARGS adds any option of `stereospot serve`, such as ARGS="--addr 127.0.0.1:9000".
DATA ?= data
serve: setup build
	$(BIN) serve --data-dir "$(DATA)" $(ARGS)

# Takes a made-up film through the server at STEREOSPOT_SERVER, or through one of its own.
demo: setup build
	@scripts/demo.sh $(BIN) "$(DATA)"

# ARGS adds any option of `stereospot convert`, such as ARGS="--format anaglyph".
convert: setup build
ifdef IN
	$(BIN) convert $(ARGS) "$(IN)"
else
	@mkdir -p work
	@test -f work/demo.mp4 || $(BIN) scene demo -o work/demo.mp4
	$(BIN) convert -y $(ARGS) work/demo.mp4
endif

# ONNX Runtime and the model that anybody may use, 99 MB from the hub: far better depth from then on. MODEL names another.
MODEL ?= depth-anything-v2-small
neural: setup build
	@scripts/setup.sh onnxruntime
	$(BIN) models pull $(MODEL)

lint:
	@files=$$(gofmt -l main.go internal); test -z "$$files" || { echo "gofmt: $$files"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

# The table of docs/licences.md, out of go.mod and the modules' licence files.
licences:
	go test ./internal -run TestLicences -count=1 -update

# The race detector slows pixel loops tenfold, so it runs where goroutines meet.
race:
	go test -timeout 40m -race ./internal/job/... ./internal/platform/local ./internal/platform/memory ./internal/platform/gather ./internal/pipeline/... ./internal/worker/... ./internal/clip/... ./internal/client/... ./internal/web/hub ./internal/webhook ./internal/inference/child
	go test -race ./internal/inference/sagemaker ./internal/inference/service -run 'Loop|Looks|Found|Full|Waits|Caller|Drain'

# The crash test of `make test` with 200 kills instead of 20; minutes on two cores.
crash: setup-test
	STEREOSPOT_TEST_KILLS=200 go test ./internal/cli -run TestKilledWorkersLoseNothing -v -count=1 -timeout 60m

# The program without cgo, and so without neural depth: a minute to compile.
nocgo-test: setup-test
	STEREOSPOT_TEST_NOCGO=1 go test ./internal/cli -run TestProgramWithoutCgo -v -count=1

# The services on an emulated AWS under kills, bad lines, repeated events and a moody endpoint, in rounds for SOAK.
SOAK ?= 10m
e2e: setup-test
	STEREOSPOT_TEST_SOAK=$(SOAK) go test ./internal/cli -run TestFilmsOutlastRoughWeather -v -count=1 -timeout 120m

test: setup-test lint
	go test -timeout 40m ./...
	CGO_ENABLED=0 go test ./internal/stereo/depth/onnx
	$(MAKE) race

# A deployment on AWS on this machine, empty, in an emulator; it prints what web-ui and the workers need to find it.
emulator:
	@scripts/setup.sh moto
	go run ./internal/tools/emulator

# The Dockerfiles linted, their images built and started; without a container engine, as root.
image-check:
	scripts/check-images.sh

# The Nx targets, by Nx itself: AWS is an emulator, terraform and docker write down how they were called.
nx-test:
	@scripts/setup.sh moto
	npm ci
	node --test tools/nx-plugin/
	STEREOSPOT_TEST_NX=1 go test ./internal/infra -run TestNxTargets -count=1

# A security scanner over the Terraform projects. Findings are fixed, or waived beside the resource with their reason.
CHECKOV_VERSION := 3.3.30
infra-scan: work/checkov/$(CHECKOV_VERSION)
	work/checkov/bin/checkov --directory infra --framework terraform --compact --quiet --skip-download

work/checkov/$(CHECKOV_VERSION):
	rm -rf work/checkov
	python3 -m venv work/checkov
	work/checkov/bin/pip install --quiet --disable-pip-version-check checkov==$(CHECKOV_VERSION)
	touch $@

# Hours on two cores; `go run ./internal/tools/bench -only chunk` and so on measure one part.
bench: setup build
	go run ./internal/tools/bench

# The inference service under eight clients for ten minutes: throughput, latency, and whether its memory grows.
LOAD ?= 10m
bench-inference: setup build
	@scripts/setup.sh onnxruntime
	go run ./internal/tools/bench -only inference -load $(LOAD)

# What the scaling of infra/aws-infra does with three days of arrivals: the table and pictures of docs/aws/scaling.md.
scaling:
	go run ./internal/tools/scalesim

# The tables of docs/scale.md: 10,000 films in 1,000,000 segments, in virtual time.
sim:
	GOGC=40 go test ./internal/tools/sim -run TestScale -count=1 -timeout 60m -v -full

# The true architecture of a model at its real size, and golden values of what is done before and after it, by Python from PyPI.
models-check: setup
	@scripts/setup.sh onnxruntime
	@scripts/models/check.sh

# The tables of docs/quality.md.
quality:
	go run ./internal/tools/quality depth views edges fill every

# Every fuzz target for a little while.
FUZZTIME ?= 20s
fuzz:
	@grep -rlE '^func Fuzz' --include='*_test.go' internal | while read -r file; do \
	  for target in $$(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$file" | cut -d' ' -f2); do \
	    echo "$$file $$target"; go test "./$$(dirname $$file)" -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) || exit 1; \
	  done; done

clean:
	rm -rf bin work
