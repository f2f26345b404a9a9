package web

import (
	"testing"

	"github.com/stereospot/stereospot/internal/job"
)

func TestPresetGoesBehindWhatIsNamedBesideIt(t *testing.T) {
	o, err := optionsPatch(`{"preset":"comfort","format":"anaglyph","stereo":{"divergence":3}}`).over(job.DefaultOptions())
	want := job.Comfort.Stereo(job.DefaultOptions().Stereo)
	want.Divergence = 3
	if err != nil || o.Stereo != want || o.Format != job.Anaglyph {
		t.Errorf("%+v, %v", o, err)
	}
	for _, text := range []string{`{"preset":"wild"}`, `{"presets":"comfort"}`, `{"preset":7}`, `{"stereo":{"preset":"comfort"}}`} {
		if _, err := optionsPatch(text).over(job.DefaultOptions()); err == nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	same, err := optionsPatch(`{"preset":"standard"}`).over(job.DefaultOptions())
	if err != nil || same != job.DefaultOptions() {
		t.Errorf("standard isn't what a person gets who chooses nothing: %+v, %v", same, err)
	}
}
