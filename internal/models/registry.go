// Package models knows neural depth models: which there are, where they come from, under what licence, and which are
// installed here. It fetches them from a hub, whole and verified, and opens them.
package models

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Model is one entry of the registry: one network in one repository on the hub. docs/models.md names where each figure is
// from.
type Model struct {
	Name     string
	Repo     string // on the hub, owner/name
	Revision string // commit
	File     string // path in the repository
	// Size is the file's, in bytes: exact where SHA256 is known, else as the hub's page rounds it. It is for people, before
	// they fetch; what is fetched is measured by what the hub says.
	Size int64
	// SHA256 is the file's, hexadecimal, where it is known from elsewhere than the hub itself. Otherwise the first
	// download trusts what the hub says, and writes it down.
	SHA256 string
	// Weights is the file beside it that has the network's weights; zero where the network has them itself.
	Weights Weights
	License string // SPDX identifier
	// NonCommercial says that the licence forbids commercial use: a person has to agree before the file is fetched.
	NonCommercial bool
	Parameters    int64
	Quality       string // in a word or two
	// DA2K is the share of point pairs of the DA-2K benchmark that the model puts in the right order, in percent, as its
	// authors publish it; 0 where they don't.
	DA2K float64
	// GPUTime is how long a frame of 518×518 takes on the GPU and with the provider that GPU names, as published; 0 where
	// nobody has published it.
	GPUTime time.Duration
	GPU     string
	// Rank orders models by quality: `auto` takes the highest that is installed.
	Rank int
	Spec depth.Spec
}

// Weights is a network's second file.
type Weights struct {
	File   string // path in the repository: the network's with _data behind it, by which the network knows it
	Size   int64  // bytes
	SHA256 string // hexadecimal
}

// TotalSize is that of all files, in bytes.
func (m Model) TotalSize() int64 { return m.Size + m.Weights.Size }

// Content is the SHA-256 by which the model is told from others, as Store.Content has it; empty where it isn't known.
func (m Model) Content() string {
	switch {
	case m.Weights.File == "":
		return m.SHA256
	case m.SHA256 == "" || m.Weights.SHA256 == "":
		return ""
	}
	return both(m.SHA256, m.Weights.SHA256)
}

// both is the content of a network and its weights, whose hashes are given.
func both(network, weights string) string {
	sum := sha256.Sum256([]byte(network + "\n" + weights))
	return hex.EncodeToString(sum[:])
}

// Recommended is the model to take unless there is a reason for another: the best of those that anyone may use for
// anything, and of the fastest size.
const Recommended = "depth-anything-v2-small"

const (
	apache        = "Apache-2.0"
	nonCommercial = "CC-BY-NC-4.0"

	onCUDA     = "RTX 4080, CUDA"
	onTensorRT = "RTX 4090, TensorRT"
)

// depthAnything is the contract of Depth Anything: what its image processor's configuration says. Larger values are
// nearer.
func depthAnything() depth.Spec {
	return depth.Spec{Side: 518, Multiple: 14, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
}

// depthAnything3 is the contract of Depth Anything 3: pictures as for the others, with a side as its authors' code has it,
// and distances in a unit of its own.
func depthAnything3() depth.Spec {
	spec := depthAnything()
	spec.Side, spec.Metric = 504, true
	return spec
}

// Registry returns the known models, the best that anyone may use first.
func Registry() []Model { return slices.Concat(small(), small3(), base(), large()) }

// of completes the files of one repository with what they share.
func of(shared Model, files ...Model) []Model {
	for i := range files {
		f := &files[i]
		f.Repo, f.Revision, f.License, f.NonCommercial = shared.Repo, shared.Revision, shared.License, shared.NonCommercial
		f.Parameters, f.Spec = shared.Parameters, depthAnything()
	}
	return files
}

// small3 ranks behind the second version's: no accuracy of single pictures is published of it.
func small3() []Model {
	return []Model{{
		Name: "depth-anything-v3-small",
		Repo: "onnx-community/depth-anything-v3-small", Revision: "0b6a7f3bf5595f9950b91389e0da3a0de130324c",
		File: "onnx/model.onnx", Size: 640_691, SHA256: "396008798244a074297fd88e450433b1357fc687f534939375c804ded86e7b2a",
		Weights: Weights{
			File: "onnx/model.onnx_data", Size: 104_702_464, SHA256: "802bb24741e67f5bb2b369fc64d40afe11439cc895d676d658d65cfb75c9860f",
		},
		License: apache, Parameters: 26_000_000, Quality: "unmeasured", Rank: 25, Spec: depthAnything3(),
	}}
}

func small() []Model {
	return of(
		Model{
			Repo: "onnx-community/depth-anything-v2-small", Revision: "4472b7362082ad9968fee890ca0f1e5aca36b93d",
			License: apache, Parameters: 24_800_000,
		},
		Model{
			Name: Recommended, File: "onnx/model.onnx", Size: 99_060_839,
			SHA256:  "afb6a5c28f3b6bf1618c6e43f02073ef9dfdc70e937502d51603e57b0a1df10c",
			Quality: "good", DA2K: 95.3, GPUTime: 13300 * time.Microsecond, GPU: onCUDA, Rank: 30,
		},
		Model{
			Name: "depth-anything-v2-small-fp16", File: "onnx/model_fp16.onnx", Size: 49_642_442,
			SHA256:  "2df6223f206b5164e21f664ace61dabeb9bb6a49b8b5a3e00510b4807d0f5b04",
			Quality: "good, for GPUs", GPUTime: 3 * time.Millisecond, GPU: onTensorRT, Rank: 29,
		},
		Model{
			Name: "depth-anything-v2-small-quantized", File: "onnx/model_quantized.onnx", Size: 27_258_801,
			SHA256:  "fcf51f1b230362b28690bb9d1809bf0431f29cad20534e3f589bd7285547f20d",
			Quality: "unmeasured, smallest file", Rank: 20,
		},
	)
}

func base() []Model {
	return of(
		Model{
			Repo: "onnx-community/depth-anything-v2-base", Revision: "70fc6025110462412a23f8f647d2cd708d6ecc2e",
			License: nonCommercial, NonCommercial: true, Parameters: 97_500_000,
		},
		Model{
			Name: "depth-anything-v2-base", File: "onnx/model.onnx", Size: 389_000_000,
			Quality: "better", DA2K: 97.0, GPUTime: 29300 * time.Microsecond, GPU: onCUDA, Rank: 40,
		},
		Model{
			Name: "depth-anything-v2-base-fp16", File: "onnx/model_fp16.onnx", Size: 195_000_000,
			Quality: "better, for GPUs", GPUTime: 6 * time.Millisecond, GPU: onTensorRT, Rank: 39,
		},
	)
}

func large() []Model {
	return of(
		Model{
			Repo: "onnx-community/depth-anything-v2-large", Revision: "58f6f567efd3eacfeddec1dcc21cf77f67e4eaa9",
			License: nonCommercial, NonCommercial: true, Parameters: 335_300_000,
		},
		Model{
			Name: "depth-anything-v2-large", File: "onnx/model.onnx", Size: 1_340_000_000,
			Quality: "best", DA2K: 97.1, GPUTime: 83200 * time.Microsecond, GPU: onCUDA, Rank: 50,
		},
		Model{
			Name: "depth-anything-v2-large-fp16", File: "onnx/model_fp16.onnx", Size: 669_000_000,
			Quality: "best, for GPUs", GPUTime: 12 * time.Millisecond, GPU: onTensorRT, Rank: 49,
		},
	)
}

// find returns the entry of a name.
func find(registry []Model, name string) (Model, bool) {
	i := slices.IndexFunc(registry, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, false
	}
	return registry[i], true
}

// Known reports whether a name is one of the registry's, which are all that auto may take.
func Known(name string) bool {
	_, ok := find(Registry(), name)
	return ok
}
