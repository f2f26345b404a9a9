package web

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// fresh is how long a segment's last report counts as what happens now; workers report every few seconds.
const fresh = 30 * time.Second

// framesPerSecond returns a job's own rate: of the segments under way, all together, else of its last completions; 0
// when neither says anything.
func framesPerSecond(now time.Time, progress []platform.SegmentProgress, done []platform.Completion) float64 {
	rate := 0.0
	for _, p := range progress {
		if took := p.Updated.Sub(p.Started).Seconds(); took > 0 && now.Sub(p.Updated) < fresh {
			rate += float64(p.Frames) / took
		}
	}
	if rate > 0 {
		return rate
	}
	return completionRate(done)
}

// completionRate returns frames per second between the first and the last of the newest few completions.
func completionRate(done []platform.Completion) float64 {
	const few = 8
	newest := byTime(done)
	newest = newest[max(0, len(newest)-few):]
	if len(newest) < 2 {
		return 0
	}
	frames := 0
	for _, c := range newest[1:] {
		frames += c.Frames
	}
	took := newest[len(newest)-1].Completed.Sub(newest[0].Completed).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(frames) / took
}

// secondsLeft rounds up: a person would rather be early. nil when unknown.
func secondsLeft(frames int, rate float64) *int {
	left := math.Ceil(float64(frames) / rate)
	if !(rate > 0) || left > 1e8 {
		return nil
	}
	n := int(left)
	return &n
}

// recentRate is the rate of the jobs that were completed last, for jobs that have no rate of their own yet.
type recentRate struct {
	jobs platform.Jobs
	mu   sync.Mutex
	asOf time.Time
	rate float64
}

// recentFor is how long the recent jobs' rate is kept.
const recentFor = time.Minute

// get returns frames per second from start to end, 0 when no job has been completed.
func (r *recentRate) get(ctx context.Context, now time.Time) (float64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asOf.IsZero() && now.Sub(r.asOf) < recentFor {
		return r.rate, nil
	}
	list, _, err := r.jobs.List(ctx, platform.JobQuery{Statuses: []job.Status{job.Completed}, Limit: 10})
	if err != nil {
		return 0, err
	}
	frames, took := 0, 0.0
	for _, j := range list {
		if s := j.CompletedAt.Sub(j.StartedAt).Seconds(); s > 0 && !j.StartedAt.IsZero() {
			frames, took = frames+j.TotalFrames, took+s
		}
	}
	r.asOf, r.rate = now, 0
	if took > 0 {
		r.rate = float64(frames) / took
	}
	return r.rate, nil
}
