//go:build !cgo

package onnx

import (
	"errors"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

func TestBuildWithoutCgoSaysSo(t *testing.T) {
	_, opened := Open("model.onnx", depth.Spec{}, Config{})
	_, loaded := Runtime("")
	for _, err := range []error{opened, loaded} {
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "built without cgo") || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	}
}
