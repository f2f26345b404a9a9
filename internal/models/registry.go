// Package models knows neural depth models: which there are, where they come from, under what licence, and which are
// installed here. It fetches them from a hub, whole and verified, and opens them.
package models

import (
	"slices"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Model is one entry of the registry: one file of one repository on the hub.
type Model struct {
	Name     string
	Repo     string // on the hub, owner/name
	Revision string // commit or branch
	File     string // path in the repository
	Size     int64  // bytes; 0 where nobody has told
	// SHA256 is the file's, hexadecimal, where it is known from elsewhere than the hub itself. Otherwise the first
	// download trusts what the hub says, and writes it down.
	SHA256  string
	License string // SPDX identifier
	// NonCommercial says that the licence forbids commercial use: a person has to agree before the file is fetched.
	NonCommercial bool
	Parameters    string // as published
	Quality       string // as published; docs/models.md names the source
	// Rank orders models by quality: `auto` takes the highest that is installed.
	Rank int
	Spec depth.Spec
}

// depthAnything is the contract of Depth Anything: what its image processor's configuration says.
func depthAnything(metric bool) depth.Spec {
	return depth.Spec{Side: 518, Multiple: 14, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}, Metric: metric}
}

const (
	apache        = "Apache-2.0"
	nonCommercial = "CC-BY-NC-4.0"

	smallRepo     = "onnx-community/depth-anything-v2-small"
	smallRevision = "4472b7362082ad9968fee890ca0f1e5aca36b93d"
	baseRepo      = "onnx-community/depth-anything-v2-base"
	baseRevision  = "70fc6025110462412a23f8f647d2cd708d6ecc2e"
	largeRepo     = "onnx-community/depth-anything-v2-large"
	largeRevision = "58f6f567efd3eacfeddec1dcc21cf77f67e4eaa9"
	metricRepo    = "yuvraj108c/Depth-Anything-2-Onnx"
)

// Registry returns the known models, the best that anyone may use first.
func Registry() []Model {
	relative, metric := depthAnything(false), depthAnything(true)
	return []Model{
		{
			Name: "depth-anything-v2-small", Repo: smallRepo, Revision: smallRevision, File: "onnx/model.onnx", Size: 99060839,
			SHA256: "afb6a5c28f3b6bf1618c6e43f02073ef9dfdc70e937502d51603e57b0a1df10c", License: apache,
			Parameters: "24.8 M", Quality: "good", Rank: 30, Spec: relative,
		},
		{
			Name: "depth-anything-v2-small-fp16", Repo: smallRepo, Revision: smallRevision, File: "onnx/model_fp16.onnx", Size: 49642442,
			SHA256: "2df6223f206b5164e21f664ace61dabeb9bb6a49b8b5a3e00510b4807d0f5b04", License: apache,
			Parameters: "24.8 M", Quality: "good; made for GPUs", Rank: 29, Spec: relative,
		},
		{
			Name: "depth-anything-v2-small-quantized", Repo: smallRepo, Revision: smallRevision, File: "onnx/model_quantized.onnx",
			License: apache, Parameters: "24.8 M", Quality: "fair; the smallest file", Rank: 20, Spec: relative,
		},
		{
			Name: "depth-anything-v2-base", Repo: baseRepo, Revision: baseRevision, File: "onnx/model.onnx",
			License: nonCommercial, NonCommercial: true, Parameters: "97.5 M", Quality: "better", Rank: 40, Spec: relative,
		},
		{
			Name: "depth-anything-v2-large", Repo: largeRepo, Revision: largeRevision, File: "onnx/model.onnx",
			License: nonCommercial, NonCommercial: true, Parameters: "335.3 M", Quality: "best", Rank: 50, Spec: relative,
		},
		{
			Name: "depth-anything-v2-large-fp16", Repo: largeRepo, Revision: largeRevision, File: "onnx/model_fp16.onnx",
			License: nonCommercial, NonCommercial: true, Parameters: "335.3 M", Quality: "best; made for GPUs", Rank: 49, Spec: relative,
		},
		{
			Name: "depth-anything-v2-metric-indoor-large", Repo: metricRepo, Revision: "main", File: "depth_anything_v2_metric_hypersim_vitl.onnx",
			License: nonCommercial, NonCommercial: true, Parameters: "335.3 M", Quality: "metres, indoors", Rank: 11, Spec: metric,
		},
		{
			Name: "depth-anything-v2-metric-outdoor-large", Repo: metricRepo, Revision: "main", File: "depth_anything_v2_metric_vkitti_vitl.onnx",
			License: nonCommercial, NonCommercial: true, Parameters: "335.3 M", Quality: "metres, outdoors", Rank: 10, Spec: metric,
		},
	}
}

// find returns the entry of a name.
func find(registry []Model, name string) (Model, bool) {
	i := slices.IndexFunc(registry, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, false
	}
	return registry[i], true
}
