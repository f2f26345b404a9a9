//go:build !cgo

package onnx

import "github.com/stereospot/stereospot/internal/stereo/depth"

// Model is a network that is ready to run; there is none in a build without cgo.
type Model struct{}

var _ depth.Net = (*Model)(nil)

// Open fails: this build has no neural depth.
func Open(string, depth.Spec, Config) (*Model, error) {
	return nil, unavailable("this stereospot was built without cgo; build it with CGO_ENABLED=1 and a C compiler, or use --depth classic")
}

// Runtime fails as Open does.
func Runtime(string) (string, error) {
	_, err := Open("", depth.Spec{}, Config{})
	return "", err
}

// Spec implements depth.Net.
func (*Model) Spec() depth.Spec { return depth.Spec{} }

// Batch implements depth.Net.
func (*Model) Batch() int { return 1 }

// Infer implements depth.Net.
func (*Model) Infer([]depth.Input) ([]depth.Map, error) { return nil, ErrUnavailable }

// Provider returns what computes the network.
func (*Model) Provider() Provider { return CPU }

// String says what computes the network.
func (*Model) String() string { return "nothing" }

// Close frees the network.
func (*Model) Close() error { return nil }
