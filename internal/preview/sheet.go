package preview

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	xdraw "golang.org/x/image/draw"

	"github.com/stereospot/stereospot/internal/stereo"
)

// Sizes of a sheet, in pixels.
const (
	panelWidth = 640
	margin     = 16
	titleLine  = 24
	legend     = 18
)

var (
	paper = color.RGBA{0x16, 0x18, 0x1d, 0xff}
	ink   = color.RGBA{0xe8, 0xea, 0xed, 0xff}
)

// Sheet draws the moment as one picture: frame, depth map with its legend, anaglyph, and the disparity
// range in pixels and percent of the width.
func (m *Moment) Sheet() *image.RGBA {
	w, h := panelWidth, max(1, panelWidth*m.Video.Height*int(m.Video.SAR.Den)/(m.Video.Width*int(m.Video.SAR.Num)))
	sheet := image.NewRGBA(image.Rect(0, 0, 3*w+4*margin, h+2*margin+2*titleLine+legend))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	for i, panel := range []struct {
		title string
		img   image.Image
	}{
		{fmt.Sprintf("frame at %.3f s", m.Seconds), m.Picture},
		{fmt.Sprintf("depth (%s)", m.Options.Depth.Model), m.Depth},
		{fmt.Sprintf("anaglyph, red-cyan (%s)", m.Options.Stereo.Anaglyph), m.Anaglyph},
	} {
		x := margin + i*(w+margin)
		label(sheet, x, margin+12, panel.title)
		at := image.Rect(x, margin+titleLine, x+w, margin+titleLine+h)
		xdraw.CatmullRom.Scale(sheet, at, panel.img, panel.img.Bounds(), draw.Src, nil)
	}
	below := margin + titleLine + h
	m.drawLegend(sheet, image.Rect(2*margin+w, below+6, 2*margin+2*w, below+6+legend/2))
	far, near := m.Disparity()
	percent := 100 / float64(max(m.Video.Width, m.Video.Height))
	label(sheet, margin, below+titleLine, fmt.Sprintf("disparity %+.1f px (%+.2f %%) behind to %+.1f px (%+.2f %%) in front of the screen",
		far, far*percent, near, near*percent))
	return sheet
}

func (m *Moment) drawLegend(sheet *image.RGBA, at image.Rectangle) {
	for x := at.Min.X; x < at.Max.X; x++ {
		c := stereo.DepthColor(float64(x-at.Min.X) / float64(at.Dx()-1))
		draw.Draw(sheet, image.Rect(x, at.Min.Y, x+1, at.Max.Y), image.NewUniform(c), image.Point{}, draw.Src)
	}
	screen := at.Min.X + int(m.Figures.Convergence*float64(at.Dx()-1))
	draw.Draw(sheet, image.Rect(screen, at.Min.Y-3, screen+2, at.Max.Y+3), image.NewUniform(ink), image.Point{}, draw.Src)
	label(sheet, at.Min.X, at.Max.Y+14, "far")
	label(sheet, at.Max.X-28, at.Max.Y+14, "near")
	label(sheet, min(max(screen-20, at.Min.X+40), at.Max.X-90), at.Max.Y+14, "screen")
}

func label(dst draw.Image, x, y int, text string) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(ink), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(text)
}
