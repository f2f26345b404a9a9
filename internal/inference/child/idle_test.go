package child_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/inference/child/childtest"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

func newIdleHost(t *testing.T, idle time.Duration) *child.Host {
	t.Helper()
	c := childtest.Config("")
	c.Idle = idle
	return newHost(t, c)
}

func TestIdleChildIsEndedAndStartedWhenItIsNeeded(t *testing.T) {
	h := newIdleHost(t, 50*time.Millisecond)
	if h.PID() != 0 {
		t.Error("a child that nobody needs was started")
	}
	n := open(t, h, childtest.Luma)
	for i := range uint64(3) {
		if err := same(n, picture(i)); err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		within(t, "the child is ended", func() bool { return h.PID() == 0 })
		if err := h.Ready(); err != nil {
			t.Errorf("round %d: at rest: %v", i, err)
		}
	}
	if h.Deaths() != 0 {
		t.Errorf("%d children died", h.Deaths())
	}
}

func TestChildThatComputesIsNotIdle(t *testing.T) {
	c := childtest.Config("")
	c.Idle, c.Run = time.Millisecond, 300*time.Millisecond
	h := newHost(t, c)
	_, err := open(t, h, childtest.Endless).Infer([]depth.Input{picture(1)})
	if err == nil || !strings.Contains(err.Error(), "no progress for 300ms") {
		t.Errorf("a run that takes long ended with %v", err)
	}
	within(t, "its death is counted", func() bool { return h.Deaths() == 1 })
}

func TestUseAtEveryMomentOfAChildsEndIsAnswered(t *testing.T) {
	h := newIdleHost(t, time.Millisecond)
	n := open(t, h, childtest.Luma)
	var clients sync.WaitGroup
	for i := range uint64(4) {
		clients.Go(func() {
			for round := range 20 {
				if err := same(n, picture(i)); err != nil {
					t.Errorf("client %d, round %d: %v", i, round, err)
					return
				}
				time.Sleep(time.Duration(round) * 100 * time.Microsecond) // around the end of a rest
			}
		})
	}
	clients.Wait()
}

func TestChildThatDiedIsReplacedWhenItIsNeeded(t *testing.T) {
	h := newIdleHost(t, time.Hour)
	for deaths := 1; deaths < 3; deaths++ {
		if _, err := open(t, h, childtest.Fault).Infer([]depth.Input{picture(1)}); err == nil {
			t.Error("a network that ends its process answered")
		}
		if err := same(open(t, h, childtest.Luma), picture(1)); err != nil {
			t.Error(err)
		}
		if h.Deaths() != deaths {
			t.Errorf("%d children died of %d", h.Deaths(), deaths)
		}
	}
}
