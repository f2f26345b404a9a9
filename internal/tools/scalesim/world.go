package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/platform"
)

// Assumptions about times, in seconds, and about films. docs/aws/scaling.md states them.
const (
	day           = 24 * 60 * 60
	taskStart     = 60  // from the wish for a Fargate task until it works
	instanceStart = 360 // the same of a GPU instance of SageMaker
	segments      = 10  // of a film of ten minutes
	filmHours     = 1.0 / 6
	splitTime     = 60
	convertTime   = 90 // of a segment of 1,440 frames, on one place of an instance
	recordTime    = 1
	joinTime      = 60
	recordsAtOnce = 4 // completions that a media-worker records at a time; it splits one film and joins one
)

// fleet is a service's tasks, or an endpoint's instances.
type fleet struct {
	least, most int
	start       int // seconds until a new one works
	desired     int
	running     int
	coming      map[int]int // how many begin to work at a second
	atWork      func() int  // how many hold messages: a task that does is protected, and stays until it is done

	hasWork func() bool
	since   int // second since which there has been work without a break; -1: there is none

	first    int // second at which the first one worked; -1: none
	peak     int
	worked   float64 // seconds of all together, from start to end
	cutShort int     // times that the number went down although there had been work for longer than metrics lag behind
	raced    int     // times that it went down while work had just come, which no metric can have told
}

func newFleet(start int) *fleet {
	return &fleet{start: start, coming: map[int]int{}, first: -1, since: -1}
}

// set changes the desired number, within bounds.
func (f *fleet) set(now, n int) {
	n = max(f.least, min(f.most, n))
	switch {
	case n > f.desired:
		f.coming[now+f.start] += n - f.desired
	case n < f.desired:
		switch {
		case f.since >= 0 && now-f.since > metricDelay+period:
			f.cutShort++
		case f.since >= 0:
			f.raced++
		}
		f.coming = map[int]int{}
	}
	f.desired = n
}

// tick is one second.
func (f *fleet) tick(now int) {
	f.running = min(f.running+f.coming[now], max(f.desired, f.atWork()))
	delete(f.coming, now)
	switch {
	case !f.hasWork():
		f.since = -1
	case f.since < 0:
		f.since = now
	}
	if f.running > 0 && f.first < 0 {
		f.first = now
	}
	f.peak = max(f.peak, f.running)
	f.worked += float64(max(f.running, f.desired)) // paid from the start on
}

// queue counts messages.
type queue struct{ visible, inFlight int }

// world is a deployment with films in it.
type world struct {
	queues   map[platform.QueueName]*queue
	names    map[string]platform.QueueName // by name in AWS
	media    *fleet
	video    *fleet
	endpoint *fleet
	scalers  []*scaler

	prices       prices
	held, places int // segments that a video-worker holds at most, and that an instance converts at a time

	waiting int                   // segments in the endpoint's own queue
	ends    map[int][]func()      // what ends at a second
	history map[string][]value    // of each metric, by minute
	left    map[int]*filmProgress // films under way

	finished, last int // films, and the second of the last one
}

// filmProgress counts what a film waits for.
type filmProgress struct{ segments int }

func newWorld(s *stack.Stack) (*world, error) {
	w := &world{
		queues: map[platform.QueueName]*queue{}, names: map[string]platform.QueueName{},
		media: newFleet(taskStart), video: newFleet(taskStart), endpoint: newFleet(instanceStart),
		ends: map[int][]func(){}, history: map[string][]value{}, left: map[int]*filmProgress{},
	}
	queues, err := s.Queues()
	if err != nil {
		return nil, err
	}
	for role, q := range queues {
		w.queues[role], w.names[q.Name] = &queue{}, role
	}
	if err := w.limits(s); err != nil {
		return nil, err
	}
	scalings, err := s.Scalings()
	if err != nil {
		return nil, err
	}
	fleets := map[string]*fleet{"media-worker": w.media, "video-worker": w.video, "inference": w.endpoint}
	for _, service := range slices.Sorted(maps.Keys(fleets)) {
		f := fleets[service]
		scaling, ok := scalings[service]
		if !ok {
			return nil, fmt.Errorf("%s doesn't scale", service)
		}
		by, err := s.ScaledBy(scaling)
		if err != nil {
			return nil, err
		}
		f.hasWork = func() bool { return w.hasWork(by) }
		made, err := newScaler(f, scaling)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
		w.scalers = append(w.scalers, made)
	}
	w.media.atWork = func() int {
		return max(w.queues[platform.ChunkingQueue].inFlight, w.queues[platform.ReassemblyQueue].inFlight, perTask(w.queues[platform.SegmentOutputQueue], recordsAtOnce))
	}
	w.video.atWork = func() int { return perTask(w.queues[platform.VideoWorkerQueue], w.held) }
	w.endpoint.atWork = func() int { return 0 }
	w.endpoint.hasWork = func() bool { return w.queues[platform.VideoWorkerQueue].inFlight > 0 }
	return w, nil
}

// perTask returns how many tasks hold the messages in flight, if each holds as many as it can.
func perTask(q *queue, most int) int { return (q.inFlight + most - 1) / most }

// limits reads how much a task and an instance take on.
func (w *world) limits(s *stack.Stack) error {
	tasks, err := s.Tasks()
	if err != nil {
		return err
	}
	if w.held, err = strconv.Atoi(tasks["video-worker"].Environment["INFERENCE_MAX_IN_FLIGHT"]); err != nil {
		return err
	}
	w.prices, err = pricesOf(tasks["media-worker"].Environment, tasks["video-worker"].Environment)
	if err != nil {
		return err
	}
	w.places, err = s.InferenceConcurrency()
	return err
}

// prices are dollars an hour of a task or an instance, as the services are told them for their metrics.
type prices struct{ media, video, instance float64 }

func pricesOf(media, video map[string]string) (p prices, err error) {
	for _, of := range []struct {
		into *float64
		text string
	}{
		{&p.media, media["STEREOSPOT_PRICE_TASK_HOUR"]}, {&p.video, video["STEREOSPOT_PRICE_TASK_HOUR"]}, {&p.instance, video["STEREOSPOT_PRICE_GPU_HOUR"]},
	} {
		if *of.into, err = strconv.ParseFloat(of.text, 64); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (w *world) hasWork(queues []platform.QueueName) bool {
	for _, role := range queues {
		if q := w.queues[role]; q.visible+q.inFlight > 0 {
			return true
		}
	}
	return false
}

func (w *world) after(now, seconds int, do func()) {
	w.ends[now+seconds] = append(w.ends[now+seconds], do)
}

// take receives messages up to room and does what is done with each.
func (w *world) take(role platform.QueueName, room int, each func(done func())) {
	q := w.queues[role]
	for room -= q.inFlight; room > 0 && q.visible > 0; room-- {
		q.visible--
		q.inFlight++
		each(func() { q.inFlight-- })
	}
}

// second lets one second pass: what ends, who comes, who takes what.
func (w *world) second(now int) {
	for _, end := range w.ends[now] {
		end()
	}
	delete(w.ends, now)
	for _, f := range []*fleet{w.media, w.video, w.endpoint} {
		f.tick(now)
	}
	w.take(platform.ChunkingQueue, w.media.running, func(done func()) {
		w.after(now, splitTime, func() {
			done()
			w.queues[platform.VideoWorkerQueue].visible += segments
		})
	})
	w.take(platform.VideoWorkerQueue, w.video.running*w.held, func(done func()) {
		w.waiting++
		w.ends[-1] = append(w.ends[-1], done) // in order; see convert
	})
	w.convert(now)
	w.take(platform.SegmentOutputQueue, w.media.running*recordsAtOnce, func(done func()) {
		w.after(now, recordTime, func() { done(); w.recorded() })
	})
	w.take(platform.ReassemblyQueue, w.media.running, func(done func()) {
		w.after(now, joinTime, func() { done(); w.finished++; w.last = now + joinTime })
	})
}

// convert lets the endpoint's instances take segments that wait.
func (w *world) convert(now int) {
	converting := w.queues[platform.VideoWorkerQueue].inFlight - w.waiting
	for room := w.endpoint.running*w.places - converting; room > 0 && w.waiting > 0; room-- {
		done := w.ends[-1][0]
		w.ends[-1] = w.ends[-1][1:]
		w.waiting--
		w.after(now, convertTime, func() {
			done()
			w.queues[platform.SegmentOutputQueue].visible++
		})
	}
}

// recorded counts a converted segment; films are converted one after the other.
func (w *world) recorded() {
	p := w.left[0]
	if p == nil {
		p = &filmProgress{}
		w.left[0] = p
	}
	if p.segments++; p.segments%segments == 0 {
		w.queues[platform.ReassemblyQueue].visible++
	}
}

// minute notes the values of the minute that ends, as AWS publishes them: SQS says how many messages are in flight or
// delayed only where there are some, ECS counts one sample a running task, SageMaker has no value per no instance.
func (w *world) minute() {
	for role, q := range w.queues {
		w.note("ApproximateNumberOfMessagesVisible "+string(role), of(float64(q.visible)))
		w.note("ApproximateNumberOfMessagesNotVisible "+string(role), value{float64(q.inFlight), q.inFlight > 0})
		w.note("ApproximateNumberOfMessagesDelayed "+string(role), value{})
	}
	w.note("media", value{float64(w.media.running), w.media.running > 0})
	w.note("video", value{float64(w.video.running), w.video.running > 0})
	backlog, instances := float64(w.queues[platform.VideoWorkerQueue].inFlight), float64(w.endpoint.running)
	alone := 0.0
	if backlog > 0 && instances == 0 {
		alone = 1
	}
	w.note("HasBacklogWithoutCapacity", of(alone))
	w.note("ApproximateBacklogSizePerInstance", value{backlog / math.Max(instances, 1), instances > 0})
}

func (w *world) note(metric string, v value) { w.history[metric] = append(w.history[metric], v) }

// feedFor returns what a scaler's metrics are read from.
func (w *world) feedFor(s *scaler) feed {
	return func(m stack.Metric, minute int) value {
		name := m.Name
		switch {
		case m.Queue != "":
			name += " " + string(w.names[m.Queue])
		case m.Namespace == "AWS/ECS" && s.fleet == w.media:
			name = "media"
		case m.Namespace == "AWS/ECS":
			name = "video"
		}
		values := w.history[name]
		if minute < 0 || minute >= len(values) {
			return value{}
		}
		return values[minute]
	}
}
