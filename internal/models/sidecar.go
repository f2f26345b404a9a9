package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// processorConfig is what counts of a preprocessor_config.json, as the transformers library writes it.
type processorConfig struct {
	Size       processorSize `json:"size"`
	KeepAspect *bool         `json:"keep_aspect_ratio"`
	Multiple   int           `json:"ensure_multiple_of"`
	Mean       []float32     `json:"image_mean"`
	Std        []float32     `json:"image_std"`
}

// processorSize is a picture's; older files have one number for both.
type processorSize struct {
	Height int `json:"height"`
	Width  int `json:"width"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *processorSize) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &s.Height) == nil {
		s.Width = s.Height
		return nil
	}
	type plain processorSize
	return json.Unmarshal(text, (*plain)(s))
}

// sidecar reads what lies beside a model: preprocessor_config.json and config.json, in its directory or, where that is
// called onnx, in the one above. What neither says is as for Depth Anything.
func sidecar(path string) (depth.Spec, error) {
	spec := depthAnything()
	dirs := []string{filepath.Dir(path)}
	if filepath.Base(dirs[0]) == "onnx" {
		dirs = append(dirs, filepath.Dir(dirs[0]))
	}
	for _, dir := range dirs {
		processor, err := read(filepath.Join(dir, "preprocessor_config.json"))
		if err != nil {
			return spec, err
		}
		config, err := read(filepath.Join(dir, "config.json"))
		if err != nil {
			return spec, err
		}
		if processor == nil && config == nil {
			continue
		}
		if err := configure(&spec, processor, config); err != nil {
			return spec, fmt.Errorf("configuration in %s: %w", dir, err)
		}
		break
	}
	return spec, nil
}

// maxSidecar bounds such a file, in bytes: it is a page of text.
const maxSidecar = 1 << 20

// read returns a file's text, nil where there is none.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxSidecar:
		return nil, fmt.Errorf("%s is no file of a model's configuration", path)
	}
	return os.ReadFile(path)
}

// configure changes what the two files name; nil is no file.
func configure(spec *depth.Spec, processor, config []byte) error {
	var p processorConfig
	if processor != nil {
		if err := json.Unmarshal(processor, &p); err != nil {
			return err
		}
	}
	if side := min(p.Size.Height, p.Size.Width); side != 0 {
		spec.Side = side
	}
	if p.Multiple != 0 {
		spec.Multiple = p.Multiple
	}
	if p.KeepAspect != nil && !*p.KeepAspect { // every picture is brought to one size
		spec.FixedW, spec.FixedH = p.Size.Width, p.Size.Height
	}
	if len(p.Mean) == 3 && len(p.Std) == 3 {
		spec.Mean, spec.Std = [3]float32(p.Mean), [3]float32(p.Std)
	}
	var c struct {
		Kind string `json:"depth_estimation_type"`
	}
	if config != nil {
		if err := json.Unmarshal(config, &c); err != nil {
			return err
		}
	}
	spec.Metric = c.Kind == "metric"
	if spec.Multiple < 1 || spec.Multiple > 256 || spec.Side < spec.Multiple || max(spec.Side, spec.FixedW, spec.FixedH) > 4096 {
		return fmt.Errorf("pictures of %d pixels in multiples of %d", max(spec.Side, spec.FixedW, spec.FixedH), spec.Multiple)
	}
	for _, v := range spec.Std {
		if !(v > 0) {
			return fmt.Errorf("deviation %v", spec.Std)
		}
	}
	return nil
}
