package job

import (
	"fmt"
	"slices"
)

// Preset names a set of stereo options that go well together.
type Preset string

// The presets.
const (
	Comfort  Preset = "comfort"  // for long films and tired eyes
	Standard Preset = "standard" // what a person gets who chooses nothing
	Strong   Preset = "strong"   // for effect
)

// Presets lists every Preset, from flat to deep.
func Presets() []Preset { return []Preset{Comfort, Standard, Strong} }

// ParsePreset returns the Preset named s, or an error that lists the names.
func ParsePreset(s string) (Preset, error) {
	if p := Preset(s); slices.Contains(Presets(), p) {
		return p, nil
	}
	return "", fmt.Errorf("unknown preset %q: use comfort, standard or strong", s)
}

// Stereo returns o with what the preset sets: strength, screen plane, limits and window. The rest stays.
func (p Preset) Stereo(o StereoOptions) StereoOptions {
	o.Divergence, o.Convergence, o.AutoConvergence = 2, 0.5, false
	o.MaxNear, o.MaxFar, o.FloatingWindow = 0, 0, false
	switch p {
	case Comfort:
		o.Divergence, o.AutoConvergence = 1.5, true
		o.MaxNear, o.MaxFar, o.FloatingWindow = 0.75, 1, true
	case Strong:
		o.Divergence, o.Convergence = 3.5, 0.45
		o.MaxNear, o.MaxFar, o.FloatingWindow = 2, 2, true
	}
	return o
}

// About says in one sentence what the preset is for.
func (p Preset) About() string {
	switch p {
	case Comfort:
		return "Gentle depth with the subject on the screen: restful through a whole film."
	case Strong:
		return "Deep space and things that come out of the screen: for short films and big effects."
	}
	return "Balanced depth, half of it in front of the screen: suits most films and screens."
}
