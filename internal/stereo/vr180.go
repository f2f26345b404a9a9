package stereo

import (
	"math"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// VR180Angle is how much of the 180 degrees a film's longer side fills, in degrees: a flat screen
// seen from the middle of a cinema's front rows, which no head has to turn to follow.
const VR180Angle = 90

// DefaultVR180Side keeps both eyes within 4096×2048, which every headset's decoder takes, H.264 too.
const DefaultVR180Side = 2048

// dome shows each view on a flat screen in front of the viewer, projected onto a square that spans
// 180 degrees of longitude and of latitude. Around the screen it is black. The views are rendered
// whole first.
type dome[T yuv.Sample] struct {
	side        int // of one eye's square
	eyes        [2]*yuv.Frame[T]
	luma, color lens
	black, grey T
}

// lens finds, for a sample of the square, the place on a plane of the view. It looks through n×n
// points of each sample, as many as the view has samples there.
type lens struct {
	n        int
	w, h     int       // samples of the view's plane
	cx, cy   float64   // the view's centre, in samples
	along    []float64 // by point column: distance from the centre, in samples
	secant   []float64 // by point column: 1/cos of the longitude
	down     []float64 // by point row: distance from the centre at longitude 0, in samples
	from, to int       // columns that may see the screen
}

func newDome[T yuv.Sample](r *Renderer[T]) *dome[T] {
	half := math.Tan(VR180Angle / 2 * math.Pi / 180) // of the screen's longer side at distance 1
	perUnit := float64(max(r.w, r.h)) / 2 / half     // pixels for a unit of the screen
	side := min(int(math.Round(math.Pi*perUnit/2))*2, r.cfg.VR180Side&^1)
	side = max(side, 2)
	black, _ := lumaRange(r.cfg.FullRange, r.bits)
	d := &dome[T]{
		side: side, black: T(black), grey: T(1) << (r.bits - 1),
		eyes: [2]*yuv.Frame[T]{yuv.New[T](r.ew, r.eh, r.bits), yuv.New[T](r.ew, r.eh, r.bits)},
	}
	shift := 0.0 // of chroma from the middle of its two luma columns, in chroma columns
	if r.cfg.chromaLeft() {
		shift = -0.25
	}
	d.luma = newLens(side, r.w, r.h, 1, perUnit, 0)
	d.color = newLens(side/2, r.w, r.h, 2, perUnit, shift)
	return d
}

// newLens serves a plane that has one sample for every sub×sub pixels of a w×h view.
func newLens(side, w, h, sub int, perUnit, shift float64) lens {
	perUnit /= float64(sub)
	l := lens{
		n: min(int(math.Ceil(math.Pi*perUnit/float64(side)-0.05)), 4),
		w: (w + sub - 1) / sub, h: (h + sub - 1) / sub,
		cx: float64(w)/2/float64(sub) - 0.5 - shift, cy: float64(h)/2/float64(sub) - 0.5,
	}
	l.n = max(l.n, 1)
	l.from, l.to = side, 0
	for i := range side * l.n {
		at := (float64(i)+0.5)/float64(l.n) - 0.5
		longitude := ((at+0.5+shift)/float64(side) - 0.5) * math.Pi
		latitude := ((at+0.5)/float64(side) - 0.5) * math.Pi
		l.along = append(l.along, perUnit*math.Tan(longitude))
		l.secant = append(l.secant, 1/math.Cos(longitude))
		l.down = append(l.down, perUnit*math.Tan(latitude))
		if math.Abs(l.along[i]) < float64(l.w)/2+1 && math.Abs(longitude) < math.Pi/2 {
			l.from, l.to = min(l.from, i/l.n), i/l.n+1
		}
	}
	return l
}

func (d *dome[T]) size() (int, int) { return 2 * d.side, d.side }

// finish counts pairs of luma rows with their chroma row.
func (d *dome[T]) finish() int { return d.side / 2 }

func (d *dome[T]) rows(r *Renderer[T], k *desk[T], j int) {
	left, right := at(d.eyes[0], 0, 0, r.ew, j), at(d.eyes[1], 0, 0, r.ew, j)
	r.views(k, j, &left, &right)
}

func (d *dome[T]) piece(r *Renderer[T], _ *desk[T], j int) {
	for eye, view := range d.eyes {
		x := eye * d.side
		for i := range 2 {
			project(&d.luma, r.dst.Y.Row(2*j + i)[x:x+d.side], &view.Y, 2*j+i, d.black)
		}
		x /= 2
		project(&d.color, r.dst.U.Row(j)[x:x+d.side/2], &view.U, j, d.grey)
		project(&d.color, r.dst.V.Row(j)[x:x+d.side/2], &view.V, j, d.grey)
	}
}

// project draws row y of the square; outside is what lies around the screen.
func project[T yuv.Sample](l *lens, dst []T, view *yuv.Plane[T], y int, outside T) {
	for x := range dst {
		dst[x] = outside
	}
	if math.Abs(l.down[y*l.n+l.n/2]) > float64(l.h)/2+float64(l.n)+1 {
		return
	}
	weight := 1 / float64(l.n*l.n)
	for x := l.from; x < l.to; x++ {
		sum := 0.0
		for b := range l.n {
			for a := range l.n {
				sum += see(l, view, x*l.n+a, y*l.n+b, outside)
			}
		}
		dst[x] = T(sum*weight + 0.5)
	}
}

// see returns the view's value at a point of the lens, interpolated between four samples.
func see[T yuv.Sample](l *lens, view *yuv.Plane[T], column, row int, outside T) float64 {
	x, y := l.cx+l.along[column], l.cy+l.down[row]*l.secant[column]
	if !(x > -0.5 && y > -0.5 && x < float64(l.w)-0.5 && y < float64(l.h)-0.5) {
		return float64(outside)
	}
	x, y = min(max(x, 0), float64(l.w-1)), min(max(y, 0), float64(l.h-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, l.w-1), min(y0+1, l.h-1)
	u, v := x-float64(x0), y-float64(y0)
	upper, lower := view.Row(y0), view.Row(y1)
	a, b := float64(upper[x0]), float64(upper[x1])
	c, d := float64(lower[x0]), float64(lower[x1])
	return (a+(b-a)*u)*(1-v) + (c+(d-c)*u)*v
}
