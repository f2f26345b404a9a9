// Package onnx runs depth networks in ONNX format on ONNX Runtime, whose library is loaded when the first model is
// opened: the program itself runs without it, and a build without cgo has no neural depth.
package onnx

import "errors"

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
