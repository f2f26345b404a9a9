package clip

import (
	"testing"
	"time"
)

// A frame is 400 ms of work for one goroutine.
func TestOneGoroutineRendersWhereFramesComeSlowly(t *testing.T) {
	const work = 400 * time.Millisecond
	p := pace{workers: 4}
	now := time.Unix(0, 0)
	for i, frame := range []struct {
		wait time.Duration
		want int
	}{
		{time.Second, 4}, // the first: nothing is known
		{time.Second, 1},
		{time.Second, 1},
		{401 * time.Millisecond, 1},
		{400 * time.Millisecond, 4}, // it would only just be done
		{0, 4},
		{401 * time.Millisecond, 1},
	} {
		now = now.Add(frame.wait)
		used := p.begin(now)
		if used != frame.want {
			t.Errorf("frame %d after %v: %d goroutines, want %d", i, frame.wait, used, frame.want)
		}
		now = now.Add(work / time.Duration(used))
		p.end(now)
	}
}
