package main

import (
	"github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/platform"
)

// scenario is a day's arrivals: seconds at which films are uploaded and started.
type scenario struct {
	name, title string
	arrivals    []int
}

// scenarios: every day is quiet for its first hour.
func scenarios() []scenario {
	const nine = 60 * 60
	burst := make([]int, 500)
	for i := range burst {
		burst[i] = nine
	}
	var trickle []int
	for at := nine; at < 16*60*60; at += 40 * 60 {
		trickle = append(trickle, at)
	}
	return []scenario{
		{"one", "One film", []int{nine}},
		{"burst", "500 films at once", burst},
		{"trickle", "A film every 40 minutes for 15 hours", trickle},
	}
}

// sample is the state at the end of a minute.
type sample struct {
	media, video, instances int
	visible, inFlight       int // messages in all queues
}

// outcome is what a day came to. Times in seconds from the first arrival.
type outcome struct {
	scenario
	samples                         []sample // by minute
	firstTask, firstInstance, done  int      // done: the last film
	films                           int
	mediaPeak, videoPeak, instances int
	taskHours                       [2]float64 // media-worker, video-worker
	instanceHours                   float64
	dollars                         [2]float64 // workers, instances; all on demand
	cutShort, raced                 int        // times that workers' tasks went while there was work: of which metrics told, and of which they couldn't yet
	quiet                           int        // minutes of the day at which nothing ran at all
	wakes                           int        // minutes at which the first task had come
}

// simulate plays a day.
func simulate(s *stack.Stack, c scenario) (outcome, error) {
	w, err := newWorld(s)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{scenario: c}
	next := 0
	for now := range day {
		for ; next < len(c.arrivals) && c.arrivals[next] <= now; next++ {
			w.queues[platform.ChunkingQueue].visible++
		}
		w.second(now)
		if (now+1)%period != 0 {
			continue
		}
		w.minute()
		o.note(w)
		known := (now+1-metricDelay)/period - 1 // the newest minute whose values can be read
		for _, scaler := range w.scalers {
			if err := scaler.look(now+1, known, w.feedFor(scaler)); err != nil {
				return o, err
			}
		}
	}
	o.sum(w)
	return o, nil
}

// note adds a sample.
func (o *outcome) note(w *world) {
	s := sample{media: w.media.running, video: w.video.running, instances: w.endpoint.running}
	for _, q := range w.queues {
		s.visible += q.visible
		s.inFlight += q.inFlight
	}
	if s.media+s.video+s.instances == 0 {
		o.quiet++
	}
	if n := len(o.samples); s.media > 0 && (n == 0 || o.samples[n-1].media == 0) {
		o.wakes++
	}
	o.samples = append(o.samples, s)
}

// sum fills in what the day came to.
func (o *outcome) sum(w *world) {
	begin := o.arrivals[0]
	o.firstTask, o.firstInstance, o.done = w.media.first-begin, w.endpoint.first-begin, w.last-begin
	o.films = w.finished
	o.mediaPeak, o.videoPeak, o.instances = w.media.peak, w.video.peak, w.endpoint.peak
	o.taskHours = [2]float64{w.media.worked / 3600, w.video.worked / 3600}
	o.instanceHours = w.endpoint.worked / 3600
	o.dollars = [2]float64{o.taskHours[0]*w.prices.media + o.taskHours[1]*w.prices.video, o.instanceHours * w.prices.instance}
	o.cutShort, o.raced = w.media.cutShort+w.video.cutShort, w.media.raced+w.video.raced
}
