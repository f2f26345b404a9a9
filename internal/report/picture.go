package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/stereospot/stereospot/internal/stereo"
)

// Sizes of the picture, in pixels.
const (
	pictureW, pictureH = 1120, 520
	plotLeft, plotTop  = 110, 64
	plotW, plotH       = 960, 320
	stripH             = 10 // of the line of window violations
	// brightest is the thousandths of a frame in one bin from which on it is drawn as bright as can be.
	brightest = 150
)

var (
	paper  = color.RGBA{0x16, 0x18, 0x1d, 0xff}
	ink    = color.RGBA{0xe8, 0xea, 0xed, 0xff}
	soft   = color.RGBA{0x9a, 0xa0, 0xa8, 0xff}
	empty  = color.RGBA{0x26, 0x29, 0x30, 0xff}
	strain = color.RGBA{0xff, 0x6b, 0x5e, 0xff}
)

// Picture draws the report: parallax over time, as bright as many points have it, with the limits, the cuts and the
// window violations; below it the figures in words.
func (r *Report) Picture() *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, pictureW, pictureH))
	fill(img, img.Bounds(), paper)
	label(img, plotLeft, 26, ink, "Parallax over time, in percent of the width")
	label(img, plotLeft, 40, soft, "brighter: more of the picture   white line: the screen   red lines: comfort limits   numbers: scenes, each from its cut on")
	fill(img, image.Rect(plotLeft, plotTop, plotLeft+plotW, plotTop+plotH), empty)
	p := plot{img: img, low: r.From, high: r.To}
	p.widen()
	for x := range plotW {
		if len(r.Columns) > 0 {
			p.column(x, r, &r.Columns[x*len(r.Columns)/plotW])
		}
	}
	p.axis()
	p.line(0, ink)
	p.line(r.Comfort.Near, strain)
	p.line(-r.Comfort.Far, strain)
	p.cuts(r)
	p.times(r)
	for i, text := range r.words() {
		label(img, plotLeft, plotTop+plotH+stripH+52+18*i, ink, text)
	}
	return img
}

// PNG returns the picture encoded.
func (r *Report) PNG() ([]byte, error) {
	var out bytes.Buffer
	err := png.Encode(&out, r.Picture())
	return out.Bytes(), err
}

// words are the figures below the picture.
func (r *Report) words() []string {
	p, c := r.Parallax, r.Comfort
	lines := []string{
		fmt.Sprintf("Frames: %d, scenes: %d. Parallax: from %s to %s; 98%% of all points from %+.2f to %+.2f, half below %+.2f.",
			r.Frames, len(r.Scenes), sided(p.Least), sided(p.Most), p.Low, p.High, p.Median),
		fmt.Sprintf("Comfort: %.1f%% of the frames %s %.2f in front of the screen, %.1f%% %s %.2f behind it.",
			100*c.OverNear, reach(r.Stereo.MaxNear), c.Near, 100*c.OverFar, reach(r.Stereo.MaxFar), c.Far),
		fmt.Sprintf("Borders: in %.1f%% of the frames the left or right one cuts something in front of the window, marked red below the plot.",
			100*c.Violations),
	}
	if len(r.Missing) > 0 {
		lines = append(lines, fmt.Sprintf("figures of %d segments are missing", len(r.Missing)))
	}
	return lines
}

// reach says how frames stand to a limit of the job's own, or to the guide where that is 0.
func reach(limit float64) string {
	if limit > 0 {
		return "were held back at"
	}
	return "exceed the advised"
}

// sided writes a parallax with the side of the screen that it lies on.
func sided(parallax float64) string {
	switch {
	case parallax > 0:
		return fmt.Sprintf("%+.2f (in front)", parallax)
	case parallax < 0:
		return fmt.Sprintf("%+.2f (behind)", parallax)
	}
	return "0 (the screen)"
}

// plot is the drawing's coordinate system: time to the right, parallax upwards.
type plot struct {
	img       *image.RGBA
	low, high float64 // parallax at the bottom and the top
}

// widen gives the data some room, and a flat film a height.
func (p *plot) widen() {
	room := max(0.08*(p.high-p.low), 0.1)
	p.low, p.high = p.low-room, p.high+room
}

func (p *plot) y(parallax float64) int {
	return plotTop + int(math.Round(float64(plotH-1)*(p.high-parallax)/(p.high-p.low)))
}

// column draws what some frames have, at x from the plot's left.
func (p *plot) column(x int, r *Report, c *Column) {
	if c.Known == 0 {
		return
	}
	for y := range plotH {
		parallax := p.high - (p.high-p.low)*float64(y)/(plotH-1)
		if parallax < r.From || parallax > r.To || r.To <= r.From {
			continue
		}
		bin := min(int((parallax-r.From)/(r.To-r.From)*stereo.FigureBins), stereo.FigureBins-1)
		if n := c.Histogram[bin]; n > 0 {
			p.img.SetRGBA(plotLeft+x, plotTop+y, stereo.DepthColor(math.Sqrt(float64(n)/brightest)))
		}
	}
	if c.Violations > 0 {
		fill(p.img, image.Rect(plotLeft+x, plotTop+plotH+2, plotLeft+x+1, plotTop+plotH+2+stripH), strain)
	}
}

// line draws a parallax across the plot, if it lies in it.
func (p *plot) line(parallax float64, c color.RGBA) {
	y := p.y(parallax)
	if y < plotTop || y >= plotTop+plotH {
		return
	}
	for x := 0; x < plotW; x += 6 {
		fill(p.img, image.Rect(plotLeft+x, y, plotLeft+x+3, y+1), c)
	}
}

// axis labels about eight round parallaxes.
func (p *plot) axis() {
	step := 0.1
	for _, s := range []float64{0.1, 0.25, 0.5, 1, 2, 5} {
		if step = s; (p.high-p.low)/s <= 10 {
			break
		}
	}
	for i := math.Ceil(p.low / step); i*step <= p.high; i++ {
		v := i * step
		label(p.img, plotLeft-62, p.y(v)+4, soft, fmt.Sprintf("%6.2f", v))
		fill(p.img, image.Rect(plotLeft-6, p.y(v), plotLeft, p.y(v)+1), soft)
	}
	label(p.img, 8, plotTop-8, soft, "in front")
	label(p.img, 8, plotTop+plotH-2, soft, "behind")
	label(p.img, 8, plotTop+plotH+12, soft, "border cuts")
}

// cuts marks where scenes begin, with their numbers where these have room.
func (p *plot) cuts(r *Report) {
	free := plotLeft
	for _, s := range r.Scenes {
		x := plotLeft + s.First*plotW/max(r.Frames, 1)
		if s.First > 0 {
			fill(p.img, image.Rect(x, plotTop-8, x+1, plotTop), ink)
		}
		if x >= free {
			text := fmt.Sprint(s.Number)
			label(p.img, x+4, plotTop-3, soft, text)
			free = x + 7*len(text) + 12
		}
	}
}

// times labels five moments.
func (p *plot) times(r *Report) {
	for i := range 5 {
		text := timecode(r.Seconds * float64(i) / 4)
		x := plotLeft + i*plotW/4 - 7*len(text)/2
		label(p.img, x, plotTop+plotH+stripH+20, soft, text)
	}
}

func fill(dst draw.Image, at image.Rectangle, c color.Color) {
	draw.Draw(dst, at, image.NewUniform(c), image.Point{}, draw.Src)
}

func label(dst draw.Image, x, y int, c color.Color, text string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(text)
}
