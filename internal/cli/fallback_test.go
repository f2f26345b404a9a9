//go:build cgo && linux

package cli

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// hubModels are the models whose content the registry doesn't know, so that any file may have their names, the best first.
func hubModels(t *testing.T) []models.Model {
	t.Helper()
	list := slices.DeleteFunc(models.Registry(), func(m models.Model) bool { return m.SHA256 != "" })
	slices.SortFunc(list, func(a, b models.Model) int { return b.Rank - a.Rank })
	if len(list) < 2 {
		t.Fatal("the registry knows the content of nearly every model")
	}
	return list
}

// The best model that is installed is no network: the next one is warm before the service is well, and is what "auto" means.
func TestInferenceKeepsTheBestModelWarmThatCanBeUsed(t *testing.T) {
	list := hubModels(t)
	best, next := list[0].Name, list[1].Name
	network := onnxtest.Bytes(onnxtest.Kind{})
	x := newExchangeOf(t, map[string][]byte{best: []byte("no network"), next: network, "mine": network})
	if _, depth := x.ping(); depth != next {
		t.Errorf("/ping says %q", depth)
	}
	if said := get(t, x.address+"/version"); !strings.Contains(said, `"depth":"`+next+`"`) {
		t.Errorf("/version: %s", said)
	}
	if n := strings.Count(x.log.text(), "a depth model can't be used: the next is tried"); n != 1 {
		t.Errorf("%d lines about it in the log: %s", n, x.log.text())
	}
	sameFrames(t, x.mustConvert("auto", "auto.mp4"), x.mustConvert(next, "named.mp4"), inferencetest.SegmentFrames)
	if res, text := x.convert(best, "broken.mp4"); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("the broken one by its name: %d %s", res.StatusCode, text)
	}
}

// A person's own model is kept warm where no other can be used, and converts only what names it.
func TestAutoIsNeverAPersonsOwnModel(t *testing.T) {
	best := hubModels(t)[0].Name
	x := newExchangeOf(t, map[string][]byte{best: []byte("no network"), "mine": onnxtest.Bytes(onnxtest.Kind{})})
	if _, depth := x.ping(); depth != "mine" {
		t.Errorf("/ping says %q", depth)
	}
	auto, named := x.mustConvert("auto", "auto.mp4"), x.mustConvert("mine", "named.mp4")
	sameFrames(t, auto, x.mustConvert("classic", "classic.mp4"), inferencetest.SegmentFrames)
	if slices.Equal(auto, named) {
		t.Error("classic and a network that sees brightness give the same film")
	}
	if status, err := x.invoke(t.Context(), "auto", "small.mp4"); err != nil || status != http.StatusInternalServerError {
		t.Errorf("auto with a size, which needs a network: %d, %v", status, err)
	}
}
