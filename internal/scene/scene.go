// Package scene renders small synthetic films whose depth is known exactly at every pixel: textured
// planes and solids before a pinhole camera. Tests, the quality report and the demo measure depth and
// view synthesis against them. A scene is a pure function of its name, size, frame number and eye.
//
// # Geometry
//
// The cameras of a stereo pair are parallel, side by side, with shifted sensors. A point at distance
// Z along the optical axis, seen by the centre camera in column x, is seen by the camera at eye (in
// baselines from the centre, right positive) in column
//
//	x(eye) = x - eye · Divergence/100 · W · (D - Convergence),   W = max(Width, Height)
//	D      = (1/Z - 1/far) / (1/near - 1/far)
//
// and in the same row. near and far belong to the shot and bound everything visible in it, so D, the
// normalised inverse depth, lies in [0, 1]. The left view is eye -0.5 and the right view +0.5; with an
// untouched left view as the source (eye 0), the right view is eye +1. A point nearer than the screen
// plane (D > Convergence) lies further right in the left view than in the right: crossed disparity.
package scene

import (
	"fmt"
	"math"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Scene is one synthetic film. Its exported fields may be changed before the first Render.
type Scene struct {
	Name          string
	About         string // one line for reports
	Width, Height int    // pixels
	Frames        int
	FPS           int // frames per second
	// Divergence (percent of max(Width, Height)) and Convergence ([0, 1]) set the baseline and the
	// sensor shift of the eyes, as in the package's formula.
	Divergence, Convergence float64
	// Noise is the standard deviation of Gaussian sensor noise, in 8-bit code values, drawn anew for
	// every frame and eye; 0 is none.
	Noise float64

	shots []shot
	atlas *atlas
}

// shot is a part of a scene without a cut.
type shot struct {
	first     int     // frame number
	near, far float64 // distances that bound what is visible, world units; far may be +Inf
	stage     func(seconds float64) stage
}

// stage is everything that stands before the camera at one moment.
type stage struct {
	camera pose
	things []thing
	// haze is the distance at which the air hides 63% of a thing; 0 is clear air.
	haze    float64
	horizon rgb // colour of haze and of the sky's lower edge
	zenith  rgb
}

// pose is where the camera is and where it looks: world x is right, y down, z forward.
type pose struct {
	at               vec
	yaw, pitch, roll float64 // radians: right, down, clockwise
}

// focal is the focal length in units of max(width, height): 58 degrees across that side.
const focal = 0.9

// Cuts returns the frames at which a new shot starts, without frame 0.
func (s *Scene) Cuts() []int {
	var cuts []int
	for _, sh := range s.shots[1:] {
		cuts = append(cuts, sh.first)
	}
	return cuts
}

// Noisy returns the same scene filmed with a noisier sensor: sigma in 8-bit code values.
func (s *Scene) Noisy(sigma float64) *Scene {
	c := *s
	c.Name = fmt.Sprintf("%s+noise%g", s.Name, sigma)
	c.Noise = sigma
	return &c
}

// Disparity returns by how many pixels the left view (eye -0.5) shows a point of normalised inverse
// depth d further right than the right view (eye +0.5) does.
func (s *Scene) Disparity(d float64) float64 {
	return s.Divergence / 100 * float64(max(s.Width, s.Height)) * (d - s.Convergence)
}

// Frame renders frame t as eye sees it into a new 8-bit frame, with the map of D (Width×Height).
func (s *Scene) Frame(t int, eye float64) (*yuv.Frame[uint8], []float32) {
	dst := yuv.New[uint8](s.Width, s.Height, 8)
	inv := make([]float32, s.Width*s.Height)
	Render(s, t, eye, dst, inv)
	return dst, inv
}

func (s *Scene) shotAt(t int) shot {
	current := s.shots[0]
	for _, sh := range s.shots[1:] {
		if t >= sh.first {
			current = sh
		}
	}
	return current
}

// camera casts the rays of one eye's view of one frame.
type camera struct {
	origin             vec
	right, down, ahead vec
	f                  float64 // focal length, pixels
	cx, cy             float64 // principal point, pixels
	invNear, invFar    float64
}

func (s *Scene) camera(p pose, sh shot, eye float64) camera {
	side := float64(max(s.Width, s.Height))
	c := camera{f: focal * side, invNear: 1 / sh.near, invFar: 1 / sh.far}
	c.right, c.down, c.ahead = p.axes()
	total := s.Divergence / 100 * side // pixels between D = 0 and D = 1
	baseline := total / (c.f * (c.invNear - c.invFar))
	c.origin = p.at.add(c.right.mul(eye * baseline))
	// The sensor's shift turns inverse depth 0 into D = 0 and puts D = Convergence on the screen.
	screen := c.invFar + s.Convergence*(c.invNear-c.invFar)
	c.cx = float64(s.Width)/2 + eye*c.f*baseline*screen
	c.cy = float64(s.Height) / 2
	return c
}

// ray returns the direction through image point (x, y), scaled so that a distance along it is Z.
func (c *camera) ray(x, y float64) vec {
	return c.ahead.add(c.right.mul((x - c.cx) / c.f)).add(c.down.mul((y - c.cy) / c.f))
}

// inverse returns D of a point at distance z.
func (c *camera) inverse(z float64) float32 {
	d := (1/z - c.invFar) / (c.invNear - c.invFar)
	return float32(min(max(d, 0), 1))
}

func (p pose) axes() (right, down, ahead vec) {
	sy, cy := math.Sincos(p.yaw)
	sp, cp := math.Sincos(p.pitch)
	sr, cr := math.Sincos(p.roll)
	r, d := vec{cy, 0, -sy}, vec{-sp * sy, cp, -sp * cy}
	ahead = vec{cp * sy, sp, cp * cy}
	return r.mul(cr).add(d.mul(sr)), d.mul(cr).add(r.mul(-sr)), ahead
}
