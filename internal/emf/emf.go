// Package emf writes metrics as log lines in CloudWatch's embedded metric format: CloudWatch makes metrics of them when
// they come by the log, so that a process needs neither permissions nor requests for it.
//
// The format is described in "Specification: Embedded metric format" (Amazon CloudWatch User Guide).
package emf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Unit is one of CloudWatch's units.
type Unit string

// The units in use.
const (
	Count   Unit = "Count"
	Seconds Unit = "Seconds"
	None    Unit = "None"
)

// Label is a dimension's name and value. The values of one name must be few: CloudWatch bills every combination.
type Label struct{ Name, Value string }

// Metrics sums what happened until it is written. Safe for concurrent use.
type Metrics struct {
	namespace, service string
	out                io.Writer
	now                func() time.Time

	mu     sync.Mutex
	values map[string]*series // by labels
	order  []string
}

// series is what is known under one set of labels.
type series struct {
	labels []Label
	names  []string
	units  map[string]Unit
	values map[string]float64
}

// New returns metrics of one namespace that carry the service's name, to be written to out.
func New(namespace, service string, out io.Writer, now func() time.Time) *Metrics {
	return &Metrics{namespace: namespace, service: service, out: out, now: now, values: map[string]*series{}}
}

// Add adds to a metric's sum since the last Write.
func (m *Metrics) Add(name string, unit Unit, value float64, labels ...Label) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series(name, unit, labels).values[name] += value
}

// Set gives a metric's newest value.
func (m *Metrics) Set(name string, unit Unit, value float64, labels ...Label) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series(name, unit, labels).values[name] = value
}

// series returns the series with the labels, in which the metric is known.
func (m *Metrics) series(name string, unit Unit, labels []Label) *series {
	key := fmt.Sprint(labels)
	s := m.values[key]
	if s == nil {
		s = &series{labels: labels, units: map[string]Unit{}, values: map[string]float64{}}
		m.values[key] = s
		m.order = append(m.order, key)
	}
	if _, known := s.units[name]; !known {
		s.units[name] = unit
		s.names = append(s.names, name)
	}
	return s
}

// Write writes a line for each set of labels under which something is known, and begins anew.
func (m *Metrics) Write() error {
	m.mu.Lock()
	values, order := m.values, m.order
	m.values, m.order = map[string]*series{}, nil
	m.mu.Unlock()
	var errs []error
	for _, key := range order {
		line, err := m.line(values[key])
		if err == nil {
			_, err = m.out.Write(line)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// line is one event.
func (m *Metrics) line(s *series) ([]byte, error) {
	type metric struct {
		Name string
		Unit Unit
	}
	names := []string{"Service"}
	event := map[string]any{"Service": m.service}
	for _, l := range s.labels {
		names = append(names, l.Name)
		event[l.Name] = l.Value
	}
	var metrics []metric
	for _, name := range s.names {
		metrics = append(metrics, metric{name, s.units[name]})
		event[name] = s.values[name]
	}
	event["_aws"] = map[string]any{
		"Timestamp": m.now().UnixMilli(),
		"CloudWatchMetrics": []map[string]any{{
			"Namespace": m.namespace, "Dimensions": [][]string{names}, "Metrics": metrics,
		}},
	}
	text, err := json.Marshal(event)
	return append(text, '\n'), err
}

// Word makes a label's value of a text: CloudWatch wants plain characters, and few.
func Word(text string) string {
	word := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ':' {
			return '-'
		}
		return r
	}, text)
	return word[:min(len(word), 100)]
}
