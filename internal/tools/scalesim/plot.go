package main

import (
	"errors"
	"fmt"
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	pictureWidth  = 22 * vg.Centimeter
	pictureHeight = 14 * vg.Centimeter
)

// line is one curve of a panel.
type line struct {
	name  string
	color color.Color
	of    func(sample) int
}

// picture writes a day as a picture of two panels, one above the other: messages, and what runs.
func picture(o outcome, path string) error {
	messages, err := panel(o, "messages", []line{
		{"visible", color.RGBA{R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}, func(s sample) int { return s.visible }},
		{"in flight", color.RGBA{R: 0x75, G: 0x70, B: 0xb3, A: 0xff}, func(s sample) int { return s.inFlight }},
	})
	if err != nil {
		return err
	}
	messages.Title.Text = o.title
	running, err := panel(o, "running", []line{
		{"media-worker", color.RGBA{R: 0x1b, G: 0x9e, B: 0x77, A: 0xff}, func(s sample) int { return s.media }},
		{"video-worker", color.RGBA{R: 0xe7, G: 0x29, B: 0x8a, A: 0xff}, func(s sample) int { return s.video }},
		{"inference instances", color.RGBA{R: 0x33, G: 0x33, B: 0x33, A: 0xff}, func(s sample) int { return s.instances }},
	})
	if err != nil {
		return err
	}
	canvas := vgsvg.New(pictureWidth, pictureHeight)
	whole := draw.New(canvas)
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Millimeter * 4, PadTop: vg.Millimeter * 2, PadBottom: vg.Millimeter * 2, PadRight: vg.Millimeter * 4}
	for row, p := range plot.Align([][]*plot.Plot{{messages}, {running}}, tiles, whole) {
		[]*plot.Plot{messages, running}[row].Draw(p[0])
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(file)
	return errors.Join(err, file.Close())
}

// panel draws curves over the hours of the day.
func panel(o outcome, label string, lines []line) (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = color.White
	p.X.Label.Text, p.Y.Label.Text = "hours", label
	p.X.Tick.Marker = plot.TickerFunc(hours)
	p.Legend.Top, p.Legend.Padding = true, vg.Points(2)
	p.Add(plotter.NewGrid())
	for _, l := range lines {
		curve, err := plotter.NewLine(steps(o.samples[:int(o.end()*60)], l.of))
		if err != nil {
			return nil, err
		}
		curve.StepStyle, curve.Color, curve.Width = plotter.PostStep, l.color, vg.Points(1.2)
		p.Add(curve)
		p.Legend.Add(l.name, curve)
	}
	p.X.Min, p.X.Max = 0, o.end()
	p.Y.Min, p.Y.Max = 0, max(p.Y.Max, 1)*1.35 // room for the legend
	return p, nil
}

// steps returns the minutes at which a value changes, in hours, and the last one.
func steps(samples []sample, of func(sample) int) plotter.XYs {
	var points plotter.XYs
	for minute, s := range samples {
		if minute == 0 || of(s) != of(samples[minute-1]) || minute == len(samples)-1 {
			points = append(points, plotter.XY{X: float64(minute+1) / 60, Y: float64(of(s))})
		}
	}
	return points
}

// end is the hour at which a picture ends: half an hour after the last thing that happens.
func (o outcome) end() float64 {
	last := 0
	for minute, s := range o.samples {
		if s != (sample{}) {
			last = minute + 1
		}
	}
	return min(float64(last)/60+0.5, 24)
}

// hours marks every third hour of a long day, and every half of a short one.
func hours(from, to float64) []plot.Tick {
	every := 0.5
	if to-from > 6 {
		every = 3
	}
	var ticks []plot.Tick
	for h := from; h <= to; h += every {
		ticks = append(ticks, plot.Tick{Value: h, Label: fmt.Sprint(h)})
	}
	return ticks
}
