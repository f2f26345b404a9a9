package worker

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// activity is what a worker's receiving end is at.
type activity string

// The activities.
const (
	stopped   activity = "stopped"   // not yet begun, or ended
	waiting   activity = "waiting"   // for room on the disk or for work under way; either may take long
	receiving activity = "receiving" // asking the queue
	failing   activity = "failing"   // the queue's last answer was an error
)

// answerSlack is how much longer than Poll a queue may take to answer before the worker counts as stuck.
const answerSlack = 30 * time.Second

// pulse remembers what a worker is at. Its zero value is stopped.
type pulse struct {
	mu    sync.Mutex
	at    activity
	since time.Time
	err   error // of failing
}

func (p *pulse) set(a activity, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.since, p.err = a, time.Now(), err
}

func (p *pulse) get() (activity, time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, time.Since(p.since), p.err
}

// Check returns nil while the worker takes messages, or would if it weren't busy or the disk full. Otherwise the error
// says in one line what is wrong.
func (w *Worker) Check(context.Context) error {
	at, since, err := w.pulse.get()
	switch {
	case at == failing:
		return fmt.Errorf("%s: its messages can't be received: %w", w.Name, err)
	case at == receiving && since > w.Poll+answerSlack:
		return fmt.Errorf("%s: its queue has not answered for %v", w.Name, since.Round(time.Second))
	case at == waiting || at == receiving:
		return nil
	}
	return fmt.Errorf("%s: nobody takes its messages", w.Name)
}
