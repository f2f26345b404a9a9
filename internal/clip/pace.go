package clip

import "time"

// pace settles how many goroutines render a frame: one, where frames come so slowly that it is done long before the next.
// It ends later so, but whoever makes the frames, a network mostly, has the other cores all the while.
type pace struct {
	workers int // at most
	used    int // for the last frame
	begun   time.Time
	ended   time.Time     // zero before the first frame has
	work    time.Duration // of one goroutine for the last frame, about
}

// begin returns how many goroutines render the frame that has come now.
func (p *pace) begin(now time.Time) int {
	waited := now.Sub(p.ended)
	p.begun, p.used = now, p.workers
	if !p.ended.IsZero() && waited > p.work {
		p.used = 1
	}
	return p.used
}

// end says that the frame is rendered.
func (p *pace) end(now time.Time) {
	p.ended, p.work = now, now.Sub(p.begun)*time.Duration(p.used)
}
