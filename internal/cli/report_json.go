package cli

import (
	"encoding/json"
	"math"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

// jsonEvent is one line of --json. docs/convert.md describes it; a test holds the two together.
type jsonEvent struct {
	Event    string     `json:"event"` // plan, submitted, progress, warning, done, error, note
	Stage    string     `json:"stage,omitempty"`
	Frames   *int       `json:"frames,omitempty"`
	Total    int        `json:"total,omitempty"`
	Kept     int        `json:"kept,omitempty"`
	Bytes    *int       `json:"bytes,omitempty"` // of a transfer
	Size     int        `json:"total_bytes,omitempty"`
	Rate     float64    `json:"bytes_per_second,omitempty"`
	Segments int        `json:"segments,omitempty"`
	FPS      float64    `json:"fps,omitempty"`
	Left     float64    `json:"left_seconds,omitempty"`
	Width    int        `json:"width,omitempty"`
	Height   int        `json:"height,omitempty"`
	Lossless string     `json:"lossless,omitempty"`
	Text     string     `json:"text,omitempty"`
	Output   string     `json:"output,omitempty"`
	Job      string     `json:"job,omitempty"`
	Title    string     `json:"title,omitempty"`
	Page     string     `json:"page,omitempty"`
	Format   job.Format `json:"format,omitempty"`
	Seconds  float64    `json:"seconds,omitempty"`
}

type jsonView struct{ out *json.Encoder }

// emit ignores a write error: a reader that went away must not end a conversion.
func (v *jsonView) emit(e jsonEvent) { _ = v.out.Encode(e) }

func (v *jsonView) plan(p *media.Plan) {
	n := p.Frames()
	v.emit(jsonEvent{
		Event: "plan", Frames: &n, Segments: len(p.Segments), Lossless: p.Lossless,
		Width: p.Source.Video.Width, Height: p.Source.Video.Height,
	})
}

func (v *jsonView) interval() time.Duration { return time.Second }

func (v *jsonView) progress(s snapshot) {
	if s.measure == inBytes {
		v.emit(jsonEvent{
			Event: "progress", Stage: string(s.stage), Bytes: &s.frames, Size: s.total, Rate: tenth(s.fps), Left: tenth(s.left.Seconds()),
		})
		return
	}
	v.emit(jsonEvent{
		Event: "progress", Stage: string(s.stage), Frames: &s.frames, Total: s.total, Kept: s.kept,
		FPS: tenth(s.fps), Left: tenth(s.left.Seconds()),
	})
}

func (v *jsonView) warning(text string) { v.emit(jsonEvent{Event: "warning", Text: text}) }
func (v *jsonView) note(text string)    { v.emit(jsonEvent{Event: "note", Text: text}) }
func (v *jsonView) close()              {}
func (v *jsonView) submitted(title, id, page string) {
	v.emit(jsonEvent{Event: "submitted", Job: id, Title: title, Page: page})
}

func (v *jsonView) done(r published, took time.Duration) {
	v.emit(jsonEvent{
		Event: "done", Job: r.remote, Output: r.path, Frames: &r.job.TotalFrames, Segments: r.job.TotalSegments,
		Format: r.job.Options.Format, Seconds: tenth(took.Seconds()),
	})
}

func (v *jsonView) failed(reason string) { v.emit(jsonEvent{Event: "error", Text: reason}) }

func tenth(x float64) float64 { return math.Round(x*10) / 10 }
