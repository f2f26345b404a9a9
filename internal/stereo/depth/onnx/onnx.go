// Package onnx runs depth networks in ONNX format on ONNX Runtime, whose library is loaded when the first model is
// opened: the program itself runs without it, and a build without cgo has no neural depth.
package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Provider is what computes the network.
type Provider string

// The providers. Auto is the first of TensorRT, CUDA and CPU that works here.
const (
	Auto     Provider = "auto"
	CPU      Provider = "cpu"
	CUDA     Provider = "cuda"
	TensorRT Provider = "tensorrt"
)

// Providers returns all of them.
func Providers() []Provider { return []Provider{Auto, CPU, CUDA, TensorRT} }

// Config says how models are run.
type Config struct {
	Library  string   // path of ONNX Runtime's library; empty looks for it, see FindLibrary
	Provider Provider // empty is Auto
	// Threads is how many threads compute one network on a CPU; 0 is one per processor that this process may use.
	Threads int
	// Batch is how many pictures a GPU computes at once; 0 is defaultBatch. A CPU computes one.
	Batch int
	// GPUMemory bounds the runtime's memory on the GPU, in bytes; 0 is no bound.
	GPUMemory int64
	// Cache is a directory for the engines that TensorRT builds; empty keeps none.
	Cache string
}

// defaultBatch keeps a GPU busy between two transfers.
const defaultBatch = 4

// ErrUnavailable says that this build or machine can't run networks; its text says what to do.
var ErrUnavailable = errors.New("no neural depth here")

// howToGet is the way to a library.
const howToGet = "get it with `pip install onnxruntime` (onnxruntime-gpu for NVIDIA) or from ONNX Runtime's releases, version 1.24 or newer, " +
	"and name it with --ort-lib or ORT_LIB"

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnavailable, fmt.Sprintf(format, args...))
}

// libraryName is the file's name, without a version.
func libraryName() string {
	if runtime.GOOS == "darwin" {
		return "libonnxruntime.dylib"
	}
	return "libonnxruntime.so"
}

// FindLibrary returns the path of ONNX Runtime's library: the one that is asked for, else ORT_LIB's, else one that came
// with this program, else one of the system.
func FindLibrary(asked string) (string, error) {
	if asked == "" {
		asked = os.Getenv("ORT_LIB")
	}
	if asked != "" {
		if info, err := os.Stat(asked); err != nil || info.IsDir() {
			return "", unavailable("%s is no ONNX Runtime library: %s", asked, howToGet)
		}
		return asked, nil
	}
	for _, dir := range libraryPlaces() {
		if path := newestLibrary(dir); path != "" {
			return path, nil
		}
	}
	return "", unavailable("ONNX Runtime's library isn't installed: %s", howToGet)
}

// libraryPlaces are the directories where a library may be, the program's own first.
func libraryPlaces() []string {
	var places []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dir := filepath.Dir(exe)
			places = append(places, dir, filepath.Join(dir, "lib"), filepath.Join(dir, "../lib/stereospot"), filepath.Join(dir, "../work/onnxruntime"))
		}
	}
	places = append(places, "/usr/lib/stereospot", "/usr/local/lib/stereospot", "/opt/onnxruntime/lib", "/usr/local/lib", "/usr/lib")
	if triple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]; triple != "" {
		places = append(places, "/usr/lib/"+triple)
	}
	return append(places, "/usr/lib64", "/opt/homebrew/lib")
}

// newestLibrary returns the library in a directory, "" if there is none. The plain name wins over names with a
// version, of which the last in order does.
func newestLibrary(dir string) string {
	plain := filepath.Join(dir, libraryName())
	if info, err := os.Stat(plain); err == nil && !info.IsDir() {
		return plain
	}
	pattern := plain + ".*"
	if runtime.GOOS == "darwin" {
		pattern = filepath.Join(dir, "libonnxruntime.*.dylib")
	}
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
