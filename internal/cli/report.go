package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
)

// view shows a conversion's progress in one way: bar, plain lines, JSON, or nothing.
type view interface {
	// plan is called when the plan is known, again if it changes.
	plan(p *media.Plan)
	// progress is called at most every interval, and at every change of stage.
	progress(s snapshot)
	interval() time.Duration
	warning(text string)
	// note is something worth knowing that isn't wrong.
	note(text string)
	// submitted is called when a server has taken a film.
	submitted(title, id, page string)
	// close ends live drawing; nothing but done follows.
	close()
	done(r published, took time.Duration)
	// failed is called instead of done. The line for people goes to standard error by itself.
	failed(reason string)
}

// reporter feeds a view from the pipeline's events.
type reporter struct {
	tally *tally
	mu    sync.Mutex
	view  view
	shown time.Time
	stage pipeline.Stage
	said  map[string]bool
}

func newReporter(std streams, asJSON, quiet bool) *reporter {
	return &reporter{tally: newTally(time.Now), said: map[string]bool{}, view: newView(std, asJSON, quiet)}
}

// newView chooses the view for the process's streams.
func newView(std streams, asJSON, quiet bool) view {
	switch {
	case asJSON:
		return &jsonView{out: json.NewEncoder(std.out)}
	case quiet:
		return quietView{std.err}
	case isTerminal(std.err):
		return newBarView(std)
	}
	return &lineView{out: std.out, log: std.err}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// observe is the pipeline's observer. It is called for every frame, so it mostly only counts.
func (r *reporter) observe(e pipeline.Event) {
	s := r.tally.add(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Plan != nil && e.Stage == pipeline.Splitting {
		r.view.plan(e.Plan)
	}
	if e.Encoder != "" {
		r.view.note("encoding: " + e.Encoder)
	}
	for _, w := range e.Warnings {
		if !r.said[w] {
			r.said[w] = true
			r.view.warning(w)
		}
	}
	now := r.tally.now()
	if e.Stage == r.stage && now.Sub(r.shown) < r.view.interval() {
		return
	}
	r.stage, r.shown = e.Stage, now
	r.view.progress(s)
}

func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view.close()
}

// note says something worth knowing.
func (r *reporter) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view.note(text)
}

func (r *reporter) done(p published, took time.Duration) { r.view.done(p, took) }

func (r *reporter) failed(err error) { r.view.failed(oneLine(err)) }

// quietView says nothing but warnings: what is lost must not be lost in silence.
type quietView struct{ log io.Writer }

func (quietView) plan(*media.Plan)              {}
func (quietView) progress(snapshot)             {}
func (quietView) interval() time.Duration       { return time.Hour }
func (quietView) note(string)                   {}
func (v quietView) warning(text string)         { fmt.Fprintln(v.log, "warning:", text) }
func (quietView) submitted(_, _, _ string)      {}
func (quietView) failed(string)                 {}
func (quietView) close()                        {}
func (quietView) done(published, time.Duration) {}

// lineView is for pipes and logs: a line now and then.
type lineView struct{ out, log io.Writer }

func (v *lineView) plan(p *media.Plan)      { fmt.Fprintln(v.log, describePlan(p)) }
func (v *lineView) interval() time.Duration { return 5 * time.Second }
func (v *lineView) warning(text string)     { fmt.Fprintln(v.log, "warning:", text) }
func (v *lineView) note(text string)        { fmt.Fprintln(v.log, text) }
func (v *lineView) failed(string)           {}
func (v *lineView) submitted(title, id, page string) {
	fmt.Fprintln(v.out, describeSubmitted(title, id, page))
}
func (v *lineView) close()              {}
func (v *lineView) progress(s snapshot) { fmt.Fprintln(v.log, describe(s)) }
func (v *lineView) done(r published, took time.Duration) {
	fmt.Fprintln(v.out, describeResult(r, took))
}

func describePlan(p *media.Plan) string {
	v := p.Source.Video
	text := fmt.Sprintf("%d×%d, %s in %s", v.Width, v.Height, number(p.Frames(), "frame"), number(len(p.Segments), "segment"))
	if p.Lossless != "" {
		text += "; segments go through a lossless re-encode (" + p.Lossless + ")"
	}
	return text
}

// number writes how many there are of something.
func number(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// describe writes a snapshot as one line.
func describe(s snapshot) string {
	if s.stage != pipeline.Converting && s.measure == inFrames {
		return string(s.stage)
	}
	return string(s.stage) + "  " + amounts(s)
}

// amounts writes what a snapshot counts, how fast, and how long it will take.
func amounts(s snapshot) string {
	if s.measure == inBytes {
		text := fmt.Sprintf("%.1f/%.1f MB", float64(s.frames)/1e6, float64(s.total)/1e6)
		if s.fps > 0 {
			text += fmt.Sprintf("  %.1f MB/s  %s left", s.fps/1e6, clock(s.left))
		}
		return text
	}
	text := fmt.Sprintf("%d/%d frames", s.frames, s.total)
	if s.kept > 0 {
		text += fmt.Sprintf(" (%d kept)", s.kept)
	}
	if s.fps > 0 {
		text += fmt.Sprintf("  %.1f fps  %s left", s.fps, clock(s.left))
	}
	return text
}

func describeSubmitted(title, id, page string) string {
	return fmt.Sprintf("%s: job %s, at %s", title, id, page)
}

func describeResult(r published, took time.Duration) string {
	return fmt.Sprintf("%s: %s in %s", r.path, number(r.job.TotalFrames, "frame"), clock(took))
}
