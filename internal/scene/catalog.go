package scene

import (
	"fmt"
	"math"
)

// The names of the catalogue's scenes.
const (
	Layers   = "layers"   // translation past fronto-parallel cut-out layers
	Solids   = "solids"   // translation past columns, boxes and spheres
	Slants   = "slants"   // translation past slanted planes
	Dolly    = "dolly"    // the camera moves forward through a corridor
	Handheld = "handheld" // translation with the rotation of an unsteady hand
	Mover    = "mover"    // things move before a still camera
	Still    = "still"    // nothing moves
	Cut      = "cut"      // a hard cut between two moving shots
	Demo     = "demo"     // the picture of the README
)

var builders = []struct {
	name, about string
	shots       func() []shot
}{
	{Layers, "translation past textured layers", layers},
	{Solids, "translation past columns, boxes and spheres", solids},
	{Slants, "translation past slanted planes", slants},
	{Dolly, "forward dolly through a corridor", dolly},
	{Handheld, "translation with an unsteady hand", handheld},
	{Mover, "moving objects before a still camera", mover},
	{Still, "still picture", still},
	{Cut, "hard cut between two moving shots", cut},
	{Demo, "a garden of columns and spheres", demo},
}

// Names lists the catalogue.
func Names() []string {
	var names []string
	for _, b := range builders {
		names = append(names, b.name)
	}
	return names
}

// Catalog returns every scene at width×height, 48 frames at 24 per second, divergence 2 and
// convergence 0.5, without noise (see Noisy). The stages are built for pictures at least 1.6 times as
// wide as high; in a taller one the floor comes nearer than near, and D is clipped to 1 there.
func Catalog(width, height int) []*Scene {
	var all []*Scene
	atlas := newAtlas(max(width, height))
	for _, b := range builders {
		all = append(all, &Scene{
			Name: b.name, About: b.about, Width: width, Height: height, Frames: 48, FPS: 24,
			Divergence: 2, Convergence: 0.5, shots: b.shots(), atlas: atlas,
		})
	}
	return all
}

// New returns the scene with that name, as Catalog does.
func New(name string, width, height int) (*Scene, error) {
	for _, s := range Catalog(width, height) {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no scene is named %q: use one of %v", name, Names())
}

var (
	inf       = math.Inf(1)
	across    = vec{1, 0, 0}
	downwards = vec{0, 1, 0}
	ahead     = vec{0, 0, 1}
	white     = rgb{1, 1, 1}
)

// wall is an infinite fronto-parallel plane at distance z.
func wall(z float64, t texture, tile float64, tint rgb) thing {
	return thing{shape: newSheet(vec{0, 0, z}, across, downwards, inf, inf), texture: t, tile: tile, tint: tint}
}

// floor is an infinite horizontal plane at height y (positive is below the camera).
func floor(y float64, t texture, tile float64, tint rgb) thing {
	return thing{shape: newSheet(vec{0, y, 0}, across, ahead, inf, inf), texture: t, tile: tile, tint: tint, ground: true}
}

func sphere(at vec, r, rolled float64, t texture, tint rgb) thing {
	return thing{shape: &ball{at: at, r: r, rolled: rolled}, texture: t, tile: 2 * math.Pi * r / math.Ceil(2*math.Pi*r/1.6), tint: tint}
}

func pillar(x, z, r, top, foot float64, t texture, tint rgb) thing {
	return thing{shape: &column{x: x, z: z, r: r, top: top, foot: foot}, texture: t, tile: 2 * math.Pi * r / math.Ceil(2*math.Pi*r/1.6), tint: tint}
}

func crate(at, half vec, yaw float64, t texture, tint rgb) thing {
	return thing{shape: newBox(at, half, yaw), texture: t, tile: 1.6, tint: tint}
}

// hedge is a fronto-parallel layer at distance z whose outline is ragged: solid where noise plus
// cover, which falls from foot to top, is positive.
func hedge(z, top, foot, period float64, seed uint32, t texture, tint rgb) thing {
	shape := newSheet(vec{0, (top + foot) / 2, z}, across, downwards, inf, (foot-top)/2)
	shape.cutout = func(u, v float64) bool {
		rise := 0.5 - v/(foot-top) // 0 at the foot, 1 at the top
		x, y := wrap(u/period), wrap(v/period)
		return fractal(x, y, 3, 64, 0.65, seed) > 0.15+0.75*rise
	}
	return thing{shape: shape, texture: t, tile: 1.2 * z / 4, tint: tint}
}

func wrap(x float64) float64 { return x - math.Floor(x) }

func layers() []shot {
	return []shot{{near: 3.4, far: 21, stage: func(s float64) stage {
		return stage{
			camera: pose{at: vec{0.9 * s, 0, 0}},
			things: []thing{
				wall(20, bricks, 6, white),
				hedge(11, -2.6, 3.6, 12, 21, stone, rgb{1.1, 1.05, 1}),
				hedge(6.5, -1.0, 2.2, 8, 22, leaves, rgb{1.2, 1.2, 1.1}),
				hedge(3.6, -0.3, 1.25, 5, 23, grass, white),
			},
		}
	}}}
}

func solids() []shot {
	return []shot{{near: 3.2, far: 19, stage: func(s float64) stage {
		return stage{camera: pose{at: vec{0.8*s - 0.8, 0, 0}}, things: hall()}
	}}}
}

// hall is a room with a floor, a far wall and solids at many distances.
func hall() []thing {
	things := []thing{wall(18, plaster, 5, white), floor(1.6, checker, 4, white)}
	for i := range 7 {
		x := float64(i-3) * 3.1
		things = append(things, pillar(x+0.7, 12.5, 0.55, -9, 1.6, stone, rgb{1.05, 1, 0.95}))
	}
	return append(things,
		pillar(-2.6, 6.2, 0.42, -9, 1.6, marble, white),
		pillar(2.9, 7.4, 0.42, -9, 1.6, marble, rgb{1, 0.9, 0.8}),
		crate(vec{0.9, 1.0, 5.2}, vec{0.6, 0.6, 0.6}, 0.6, bricks, white),
		crate(vec{-1.1, 1.2, 8.6}, vec{0.9, 0.4, 0.5}, -0.3, leaves, rgb{1.3, 1, 0.9}),
		sphere(vec{-0.8, 1.0, 4.0}, 0.6, 0, marble, rgb{1, 0.75, 0.6}),
		sphere(vec{4.0, 0.6, 10}, 1.0, 0, stone, rgb{0.8, 0.95, 1.2}),
	)
}

func slants() []shot {
	return []shot{{near: 4.2, far: 26, stage: func(s float64) stage {
		tilt := func(at vec, yaw, halfU, halfV float64, t texture, tint rgb) thing {
			sn, cs := math.Sincos(yaw)
			return thing{shape: newSheet(at, vec{cs, 0, sn}, downwards, halfU, halfV), texture: t, tile: 2.2, tint: tint}
		}
		return stage{
			camera: pose{at: vec{0.7*s - 0.7, 0, 0}},
			things: []thing{
				wall(24, stone, 7, white),
				floor(1.7, grass, 4, white),
				tilt(vec{-3.2, -0.4, 8}, 1.0, 4, 2.1, bricks, white),
				tilt(vec{4.2, -0.2, 9}, -0.9, 4, 1.9, plaster, white),
				tilt(vec{0.4, 0.5, 5}, 0.5, 0.9, 0.9, checker, white),
			},
		}
	}}}
}

func dolly() []shot {
	return []shot{{near: 3.3, far: 44, stage: func(s float64) stage {
		side := func(x float64) thing {
			return thing{shape: newSheet(vec{x, 0, 0}, ahead, downwards, inf, inf), texture: bricks, tile: 3, tint: white}
		}
		things := []thing{wall(40, plaster, 8, white), floor(1.5, stone, 3, white), floor(-2.2, plaster, 4, white), side(-2.8), side(2.8)}
		for i := range 8 {
			z := 5 + 4*float64(i)
			things = append(things, pillar(-2.1, z, 0.3, -2.2, 1.5, marble, white), pillar(2.1, z+2, 0.3, -2.2, 1.5, marble, white))
		}
		things = append(things, sphere(vec{0.5, 1.0, 12}, 0.5, 0, leaves, rgb{1.5, 1, 0.8}))
		return stage{camera: pose{at: vec{0, 0, 1.2 * s}}, things: things}
	}}}
}

func handheld() []shot {
	return []shot{{near: 3.1, far: 20, stage: func(s float64) stage {
		return stage{
			camera: pose{
				at:    vec{0.6*s - 0.6, 0.03 * math.Sin(5*s), 0.05 * math.Sin(3*s)},
				yaw:   0.02*math.Sin(2.3*s) - 0.01*s,
				pitch: 0.012 * math.Sin(3.1*s+1),
				roll:  0.008 * math.Sin(1.7*s),
			},
			things: hall(),
		}
	}}}
}

func mover() []shot {
	return []shot{{near: 3.4, far: 19, stage: func(s float64) stage {
		roll := 1.5*s - 1.8
		return stage{things: []thing{
			wall(18, bricks, 5, white),
			floor(1.6, stone, 4, white),
			pillar(-3.4, 10, 0.6, -9, 1.6, marble, white),
			pillar(4.4, 12, 0.6, -9, 1.6, marble, white),
			crate(vec{2.6 - 1.1*s, 0.9, 7.5}, vec{0.7, 0.7, 0.7}, 0.5, leaves, rgb{1.4, 1.1, 0.9}),
			sphere(vec{roll, 1.0, 4.2}, 0.6, roll/0.6, checker, rgb{1.1, 0.8, 0.7}),
		}}
	}}}
}

func still() []shot {
	return []shot{{near: 3.2, far: 19, stage: func(float64) stage { return stage{things: hall()} }}}
}

func cut() []shot {
	first, second := solids()[0], layers()[0]
	second.first = 24
	return []shot{first, second}
}

func demo() []shot {
	return []shot{{near: 3.2, far: inf, stage: func(s float64) stage {
		things := []thing{floor(1.5, grass, 5, rgb{1.15, 1.15, 1.1})}
		for i := range 6 {
			z := 6.5 + 4.5*float64(i)
			things = append(things,
				pillar(-3.0, z, 0.45, -2.4, 1.5, marble, white), crate(vec{-3.0, 1.35, z}, vec{0.65, 0.15, 0.65}, 0, stone, white),
				pillar(3.0, z, 0.45, -2.4, 1.5, marble, white), crate(vec{3.0, 1.35, z}, vec{0.65, 0.15, 0.65}, 0, stone, white))
		}
		things = append(things,
			sphere(vec{-0.3 - 0.3*s, 0.9, 4.6}, 0.6, -s*0.3/0.6, bricks, rgb{1.25, 1, 0.95}),
			sphere(vec{1.4, 1.0 - 0.5*math.Abs(math.Sin(2.5*s)), 6.4}, 0.5, 0, checker, rgb{1.2, 1.1, 0.8}),
			sphere(vec{0.2, 0.3, 15}, 1.2, 0, leaves, rgb{1.4, 1.3, 1.2}),
			crate(vec{0.2, 1.3, 15}, vec{1, 0.2, 1}, 0.4, stone, white),
			hedge(42, -3, 12, 30, 24, leaves, rgb{1.1, 1.2, 1}),
		)
		return stage{
			camera: pose{at: vec{0.5*s - 0.5, -0.1, 0.25 * s}}, things: things,
			haze: 60, horizon: rgb{0.80, 0.86, 0.92}, zenith: rgb{0.28, 0.50, 0.82},
		}
	}}}
}
