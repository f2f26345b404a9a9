package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/stereospot/stereospot/internal/media"
)

// barView draws a live bar on a terminal.
type barView struct {
	out  io.Writer
	bars *mpb.Progress
	bar  *mpb.Bar

	mu      sync.Mutex
	current snapshot
}

func newBarView(std streams) *barView {
	v := &barView{out: std.out}
	v.bars = mpb.New(mpb.WithOutput(std.err), mpb.WithRefreshRate(150*time.Millisecond))
	v.bar = v.bars.New(0, mpb.BarStyle().Rbound("|").Lbound("|").Filler("━").Tip("━").Padding(" "),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%-12s", v.get().stage) })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return v.tail() })),
	)
	return v
}

func (v *barView) get() snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.current
}

// tail is the text after the bar.
func (v *barView) tail() string {
	s := v.get()
	if s.total == 0 {
		return ""
	}
	return " " + amounts(s)
}

func (v *barView) plan(p *media.Plan) { v.say(describePlan(p)) }

func (v *barView) interval() time.Duration { return 100 * time.Millisecond }

func (v *barView) progress(s snapshot) {
	v.mu.Lock()
	v.current = s
	v.mu.Unlock()
	// One more than there is, so that the bar never completes by itself: close ends it.
	v.bar.SetTotal(int64(s.total)+1, false)
	v.bar.SetCurrent(int64(s.frames))
}

func (v *barView) warning(text string) { v.say("warning: " + text) }

func (v *barView) note(text string) { v.say(text) }

func (v *barView) submitted(title, id, page string) { v.say(describeSubmitted(title, id, page)) }

// say writes a line above the bar.
func (v *barView) say(line string) { _, _ = fmt.Fprintln(v.bars, line) }

func (v *barView) close() {
	v.bar.Abort(true)
	v.bars.Wait()
}

func (v *barView) failed(string) {}

func (v *barView) done(r published, took time.Duration) { fmt.Fprintln(v.out, describeResult(r, took)) }
