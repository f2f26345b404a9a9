// Package stereo turns a picture and its depth into two views and lays them out in one frame. It is
// pure computation on planar YUV 4:2:0, 8 bits and more alike, and deterministic: the same inputs
// give the same bytes whatever the number of workers.
//
// A frame goes through four steps, row by row:
//
//  1. upsampling: the depth map, at its own resolution, follows the picture's edges (guide.go);
//  2. disparity: depth becomes a shift in pixels, zero in the screen plane (disparity.go);
//  3. synthesis: each view's row becomes a list of places in the source row, which luma and chroma
//     are then sampled at (synthesis.go, sample.go);
//  4. packing: the rows go straight to their place in the output frame (pack.go, anaglyph.go, vr180.go).
package stereo

import (
	"fmt"
	"math"
	"slices"

	"github.com/stereospot/stereospot/internal/job"
)

// Config says what the output looks like.
type Config struct {
	Format job.Format
	// Divergence is the total disparity between depth 0 and depth 1, in percent of max(width, height). [0, 10]
	Divergence float64
	// Convergence is the depth in [0, 1], bent, that lies in the screen plane.
	Convergence float64
	// AutoConvergence has a Stereographer lay the subject in the screen plane instead.
	AutoConvergence bool
	// ForegroundScale bends depth before it becomes disparity; see bend. [-3, 3]
	ForegroundScale float64
	// MaxNear and MaxFar hold the disparity in front of and behind the screen below so many percent of
	// max(width, height), smoothly; see soften. 0 is no limit. [0, 10]
	MaxNear, MaxFar float64
	// FloatingWindow has a Stereographer move the window's edges forward, where near things are cut by them.
	FloatingWindow bool
	// EdgeDilation is how much further near surfaces reach over far ones than their silhouette in the depth
	// map, in cells of the map. [0, 8]
	EdgeDilation float64
	// RightOnly leaves the left view as the source is and gives the right view all of the disparity.
	RightOnly bool
	Anaglyph  job.AnaglyphMethod // used by job.Anaglyph; empty means job.Dubois

	// What the code values mean, in FFmpeg's names; empty is unknown. Views need the chroma location
	// alone (unknown counts as "left"); grey maps and anaglyphs need the rest.
	FullRange      bool   // "pc" range instead of "tv"
	Matrix         string // such as "bt709"; unknown follows the picture's size
	Transfer       string // such as "smpte2084"; unknown counts as BT.1886
	ChromaLocation string // "left", "topleft": on the even columns; "center", "top": between them

	// VR180Side limits the side of one eye's square, in pixels; 0 means DefaultVR180Side.
	VR180Side int
}

// maxSide bounds the source: beyond it positions in 1/256 pixel would leave 32 bits.
const maxSide = 1 << 16

func (c *Config) validate(w, h, bits, sampleBits int) error {
	if !c.Format.Valid() {
		return fmt.Errorf("unknown format %q", c.Format)
	}
	if c.Anaglyph == "" {
		c.Anaglyph = job.Dubois
	}
	if !slices.Contains(job.AnaglyphMethods(), c.Anaglyph) {
		return fmt.Errorf("unknown anaglyph method %q", c.Anaglyph)
	}
	// Written so that NaN fails too.
	if !(c.Divergence >= 0 && c.Divergence <= 10) || !(c.Convergence >= 0 && c.Convergence <= 1) ||
		!(math.Abs(c.ForegroundScale) <= 3) {
		return fmt.Errorf("divergence %v, convergence %v or foreground scale %v is out of range",
			c.Divergence, c.Convergence, c.ForegroundScale)
	}
	if !(c.MaxNear >= 0 && c.MaxNear <= 10) || !(c.MaxFar >= 0 && c.MaxFar <= 10) || !(c.EdgeDilation >= 0 && c.EdgeDilation <= 8) {
		return fmt.Errorf("parallax limits %v and %v or edge dilation %v are out of range", c.MaxNear, c.MaxFar, c.EdgeDilation)
	}
	if w < 1 || h < 1 || w > maxSide || h > maxSide {
		return fmt.Errorf("frame size %d×%d is not from 1×1 to %d×%d", w, h, maxSide, maxSide)
	}
	if bits < 8 || bits > sampleBits {
		return fmt.Errorf("%d bits don't fit samples of %d", bits, sampleBits)
	}
	if c.VR180Side == 0 {
		c.VR180Side = DefaultVR180Side
	}
	return nil
}

// bend maps depth d in [0, 1] to [0, 1] with both ends fixed, monotonically:
//
//	bend(d) = (exp(k·d) - 1) / (exp(k) - 1),   bend(d) = d for k = 0
//
// The slope at d = 1 is exp(k) times that at d = 0, so a positive k spreads what is near over more
// disparity and flattens what is far, and a negative k does the opposite.
func bend(d, k float64) float64 {
	if math.Abs(k) < 1e-6 {
		return d
	}
	return math.Expm1(k*d) / math.Expm1(k)
}

// limitKnee is the share of a limit from which on disparity is held back.
const limitKnee = 0.6

// soften maps v ≥ 0 to [0, limit), monotonically and with a slope that never jumps: what is below the knee stays as it
// is, what is beyond approaches the limit as a hyperbolic tangent does. A limit of 0 is none.
func soften(v, limit float64) float64 {
	knee := limitKnee * limit
	if limit == 0 || v <= knee {
		return v
	}
	rest := limit - knee
	return knee + rest*math.Tanh((v-knee)/rest)
}

// Parallax returns the total disparity of bent depth b, in percent of max(width, height): how much further right the left
// view shows it than the right view.
func (c *Config) Parallax(b float64) float64 {
	p := c.asked(b)
	if p < 0 {
		return -soften(-p, c.MaxFar)
	}
	return soften(p, c.MaxNear)
}

// asked is Parallax without the limits.
func (c *Config) asked(b float64) float64 { return c.Divergence * (b - c.Convergence) }

// Disparity returns the total disparity in pixels of depth d, not bent.
func (c *Config) Disparity(d float64, w, h int) float64 {
	return c.Parallax(bend(d, c.ForegroundScale)) / 100 * float64(max(w, h))
}

// left centres chroma on the even luma columns, as H.264 and HEVC do unless told otherwise.
func (c *Config) chromaLeft() bool { return c.ChromaLocation != "center" && c.ChromaLocation != "top" }
