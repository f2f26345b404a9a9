package main

import (
	"fmt"
	"math"

	"github.com/stereospot/stereospot/internal/infra/stack"
)

// How CloudWatch and Application Auto Scaling work, as far as AWS says. Times in seconds.
const (
	period        = 60 // of every metric here
	metricDelay   = 60 // from a minute's end until its value can be read
	trackOut      = 3  // minutes above the target after which target tracking scales out
	trackIn       = 15 // minutes below trackInMargin of it after which it scales in
	trackInMargin = 0.9
)

// feed returns a metric's value of the minute that ended at a time.
type feed func(m stack.Metric, minute int) value

// scaler moves one fleet's desired number as its policies say.
type scaler struct {
	fleet  *fleet
	steps  []*stepper
	tracks []*tracker
}

func newScaler(f *fleet, s stack.Scaling) (*scaler, error) {
	made := &scaler{fleet: f}
	f.least, f.most = s.Min, s.Max
	for _, step := range s.Steps {
		values, err := newSeries(step.Alarm.Expression)
		if err != nil {
			return nil, err
		}
		made.steps = append(made.steps, &stepper{Step: step, values: values, lastAt: -math.MaxInt32})
	}
	for _, track := range s.Tracks {
		values, err := newSeries(track.Expression)
		if err != nil {
			return nil, err
		}
		made.tracks = append(made.tracks, &tracker{Track: track, values: values, lastOut: -math.MaxInt32, lastIn: -math.MaxInt32})
	}
	return made, nil
}

// look is what happens once a minute, when the values of minute have become known at second now.
func (s *scaler) look(now, minute int, metrics feed) error {
	for _, step := range s.steps {
		if err := step.look(s.fleet, now, minute, metrics); err != nil {
			return err
		}
	}
	for _, track := range s.tracks {
		if err := track.look(s.fleet, now, minute, metrics); err != nil {
			return err
		}
	}
	return nil
}

// series are an expression's values by minute, each worked out once.
type series struct {
	formula
	stack.Expression
	known map[int]value
}

func newSeries(e stack.Expression) (*series, error) {
	f, err := parseFormula(e.Text)
	return &series{f, e, map[int]value{}}, err
}

// at returns the value of a minute.
func (s *series) at(minute int, metrics feed) (value, error) {
	if v, ok := s.known[minute]; ok || minute < 0 {
		return v, nil
	}
	v, err := evaluate(s.formula, s.Expression, minute, metrics)
	s.known[minute] = v
	return v, err
}

// evaluate works an expression out for one minute.
func evaluate(f formula, e stack.Expression, minute int, metrics feed) (value, error) {
	values := map[string]value{}
	for id, m := range e.Metrics {
		if m.Period != 0 && int(m.Period.Seconds()) != period {
			return value{}, fmt.Errorf("%s has a period of %v: only minutes are simulated", m.Name, m.Period)
		}
		values[id] = metrics(m, minute)
	}
	return f.at(values)
}

// stepper is a step scaling policy with its alarm.
type stepper struct {
	stack.Step
	values   *series
	alarm    bool
	lastAt   int // second of the last activity
	lastMove int // what it added
}

func (s *stepper) look(f *fleet, now, minute int, metrics feed) error {
	breaches, missing := 0, 0
	var newest value
	for i := range s.Alarm.Periods {
		v, err := s.values.at(minute-i, metrics)
		if err != nil {
			return err
		}
		if i == 0 {
			newest = v
		}
		switch {
		case !v.known && s.Alarm.Missing != "breaching":
			missing++
		case !v.known || breached(s.Alarm, v.number):
			breaches++
		}
	}
	switch keeps := s.Alarm.Missing == "ignore" || s.Alarm.Missing == "missing"; {
	case breaches >= s.Alarm.Datapoints:
		s.alarm = true
	case !keeps || missing < s.Alarm.Periods:
		s.alarm = false
	}
	if s.alarm && newest.known {
		s.act(f, now, newest.number)
	}
	return nil
}

func breached(a stack.Alarm, v float64) bool {
	switch a.Comparison {
	case "GreaterThanOrEqualToThreshold":
		return v >= a.Threshold
	case "GreaterThanThreshold":
		return v > a.Threshold
	case "LessThanOrEqualToThreshold":
		return v <= a.Threshold
	}
	return v < a.Threshold
}

// act takes the step whose interval holds the metric. During the cooldown what was added counts: only a larger step adds
// the difference.
func (s *stepper) act(f *fleet, now int, metric float64) {
	above := metric - s.Alarm.Threshold
	for _, i := range s.Intervals {
		// Intervals below the threshold hold their upper bound, the others their lower one.
		if i.Lower != nil && above < *i.Lower || i.Upper != nil && (above > *i.Upper || above == *i.Upper && i.Lower != nil) {
			continue
		}
		cooling := now < s.lastAt+int(s.Cooldown.Seconds())
		switch {
		case s.Adjustment == "ExactCapacity" && !cooling && f.desired != i.Change:
			f.set(now, i.Change)
			s.lastAt = now
		case s.Adjustment == "ChangeInCapacity" && !cooling:
			f.set(now, f.desired+i.Change)
			s.lastAt, s.lastMove = now, i.Change
		case s.Adjustment == "ChangeInCapacity" && i.Change > s.lastMove:
			f.set(now, f.desired+i.Change-s.lastMove)
			s.lastMove = i.Change
		}
		return
	}
}

// tracker is a target tracking policy, which makes two alarms of its own.
type tracker struct {
	stack.Track
	values          *series
	lastOut, lastIn int
}

func (t *tracker) look(f *fleet, now, minute int, metrics feed) error {
	above, below := 0, 0
	var newest float64
	for i := range trackIn {
		v, err := t.values.at(minute-i, metrics)
		if err != nil {
			return err
		}
		if i == 0 {
			newest = v.number
		}
		if v.known && v.number > t.Target && above == i {
			above++
		}
		if v.known && v.number < t.Target*trackInMargin {
			below++
		}
	}
	// What would bring the metric to the target, if it is inversely proportional to the number.
	wanted := int(math.Ceil(float64(f.running) * newest / t.Target))
	switch {
	case above >= trackOut && now >= t.lastOut+int(t.Out.Seconds()) && wanted > f.desired:
		f.set(now, wanted)
		t.lastOut = now
	case !t.OutOnly && below == trackIn && now >= t.lastIn+int(t.In.Seconds()) && wanted < f.desired:
		f.set(now, wanted)
		t.lastIn = now
	}
	return nil
}
