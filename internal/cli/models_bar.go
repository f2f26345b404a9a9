package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// pullBar shows how far a download is: a bar on a terminal, a line now and then elsewhere.
type pullBar struct {
	out   io.Writer
	name  string
	quiet bool
	shown time.Time
	bars  *mpb.Progress
	bar   *mpb.Bar
}

func newPullBar(out io.Writer, name string, quiet bool) *pullBar {
	b := &pullBar{out: out, name: name, quiet: quiet}
	if !quiet && isTerminal(out) {
		b.bars = mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh())
		b.bar = b.bars.AddBar(0, mpb.PrependDecorators(decor.Name(name+" ")), mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f")))
	}
	return b
}

// progress is models.Progress.
func (b *pullBar) progress(have, size int64) {
	switch {
	case b.quiet:
	case b.bar != nil:
		b.bar.SetTotal(size+1, false) // never complete by itself: close ends it
		b.bar.SetCurrent(have)
	case have == size || time.Since(b.shown) >= 5*time.Second:
		b.shown = time.Now()
		fmt.Fprintf(b.out, "%s: %.1f of %.1f MB\n", b.name, float64(have)/1e6, float64(size)/1e6)
	}
}

// retrying is models.Hub.Retry: the pause may be minutes, so that silence would look like a hang.
func (b *pullBar) retrying(err error, next time.Duration) {
	if b.quiet {
		return
	}
	var out io.Writer = b.out
	if b.bars != nil {
		out = b.bars // writes above the bar
	}
	fmt.Fprintf(out, "%s: %s; trying again in %s\n", b.name, oneLine(err), next)
}

func (b *pullBar) close() {
	if b.bar != nil {
		b.bar.Abort(false)
		b.bars.Wait()
	}
}
