package child

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Config says how a Host keeps its child. Program and Log are required.
type Config struct {
	// Program, Args and Env are those of a process that calls Serve.
	Program   string
	Args, Env []string
	// Warm are networks that every child opens and runs once before it counts as ready. With none, the first child is
	// started when a network is asked for.
	Warm []job.DepthOptions
	// The zero value of each is its default.
	Run      time.Duration // how long one run of a network may take; 15 minutes, for TensorRT builds its engines in the first
	Patience time.Duration // how long an inference waits for a child; 2 minutes
	Pause    time.Duration // before a new child in the place of one that died early, doubled with each to 100 times; 200 ms
	Log      *slog.Logger
}

// Host keeps one child alive. Close it after use.
type Host struct {
	Config
	calls atomic.Uint64
	begun sync.Once
	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{} // closed when the last child is gone

	mu      sync.Mutex
	child   *process      // nil while there is none that is ready
	trouble error         // why there is none, as far as known
	changed chan struct{} // closed, and made anew, when child changes
	deaths  int
}

var _ clip.Models = (*Host)(nil)

// New returns a Host whose child works until ctx ends or the Host is closed.
func New(ctx context.Context, c Config) *Host {
	c.Run, c.Patience, c.Pause = orElse(c.Run, 15*time.Minute), orElse(c.Patience, 2*time.Minute), orElse(c.Pause, 200*time.Millisecond)
	h := &Host{Config: c, changed: make(chan struct{}), ended: make(chan struct{})}
	h.ctx, h.stop = context.WithCancel(ctx)
	if len(c.Warm) > 0 {
		h.begin()
	}
	return h
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// begin has children started from now on.
func (h *Host) begin() { h.begun.Do(func() { go h.supervise() }) }

// Close ends the child. What it computes fails.
func (h *Host) Close() error {
	h.stop()
	h.begun.Do(func() { close(h.ended) }) // none was ever started
	<-h.ended
	return nil
}

var errWarming = errors.New("the process that computes depth is starting: try again in a moment")

// Ready returns nil when depth can be computed at once, or needs no child. The error is for people.
func (h *Host) Ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.child != nil || len(h.Warm) == 0 && h.deaths == 0 && h.trouble == nil:
		return nil
	case h.trouble != nil:
		return h.trouble
	}
	return errWarming
}

// Deaths counts the children that died.
func (h *Host) Deaths() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.deaths
}

// PID is the number of the child's process, 0 while there is none that is ready.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.child == nil {
		return 0
	}
	return h.child.cmd.Process.Pid
}

// steady is how long a child lives that counts as a good one.
const steady = time.Minute

// supervise keeps a child alive until the Host is closed.
func (h *Host) supervise() {
	defer close(h.ended)
	for pause := h.Pause; h.ctx.Err() == nil; {
		begin := time.Now()
		err := h.keep()
		if h.ctx.Err() != nil {
			return
		}
		h.lost(err)
		h.Log.Error("the process that computes depth is replaced", "error", err, "lived", time.Since(begin).Round(time.Millisecond).String())
		if time.Since(begin) >= steady {
			pause = h.Pause
		}
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
		}
		pause = min(2*pause, 100*h.Pause)
	}
}

func (h *Host) command() *exec.Cmd {
	cmd := exec.Command(h.Program, h.Args...)
	cmd.Env = h.Env
	return cmd
}

// keep starts a child, warms it, lends it until it dies, and says how that came.
func (h *Host) keep() error {
	p, err := start(h.command(), h.Run)
	if err != nil {
		return err
	}
	cut := context.AfterFunc(h.ctx, p.kill)
	defer cut()
	if err := h.warm(p); err != nil {
		return errors.Join(err, p.close())
	}
	h.become(p, nil)
	<-p.dead
	return errors.Join(errors.New(p.how()), p.close())
}

// warm opens the networks that are wanted. One that can't be opened is logged, and whoever asks for it hears why.
func (h *Host) warm(p *process) error {
	for _, d := range h.Warm {
		begin := time.Now()
		var o Opened
		err := p.do(h.ctx, "Warm", d, &o)
		switch {
		case errors.Is(err, errLost):
			return fmt.Errorf("it died while %s was opened: %s", d.Model, p.how())
		case h.ctx.Err() != nil:
			return context.Cause(h.ctx)
		case err != nil:
			h.Log.Warn("a depth model can't be used", "model", d.Model, "error", err)
		default:
			h.Log.Info("depth is ready", "model", o.Model.Model, "by", o.By, "took", time.Since(begin).Round(time.Millisecond).String())
		}
	}
	return nil
}

// lost notes a death.
func (h *Host) lost(err error) {
	h.mu.Lock()
	h.deaths++
	h.mu.Unlock()
	h.become(nil, fmt.Errorf("the process that computes depth is started anew: %w", err))
}

// become changes which child is lent.
func (h *Host) become(p *process, trouble error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.child, h.trouble = p, trouble
	close(h.changed)
	h.changed = make(chan struct{})
}

// await returns a child that is ready and isn't known to be dead, waiting for Patience at most.
func (h *Host) await(ctx context.Context) (*process, error) {
	h.begin()
	late := time.NewTimer(h.Patience)
	defer late.Stop()
	for {
		h.mu.Lock()
		p, trouble, changed := h.child, h.trouble, h.changed
		h.mu.Unlock()
		if p != nil && !p.isDead() {
			return p, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return nil, errors.Join(errWarming, trouble)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-h.ctx.Done():
			return nil, context.Cause(h.ctx)
		}
	}
}

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// tries bounds how often a call is sent whose children died of something else.
const tries = 5

// call has a child answer, another one where the first dies of something else. A *DiedError where it was this call, or
// where every child dies.
func (h *Host) call(ctx context.Context, method string, number uint64, args, reply any) error {
	for try := 1; ; try++ {
		p, err := h.await(ctx)
		if err != nil {
			return err
		}
		err = p.do(ctx, method, args, reply)
		if number != 0 && ctx.Err() != nil {
			p.forget(number)
		}
		if !errors.Is(err, errLost) {
			return err
		}
		if number != 0 && p.call.Load() == number || try == tries {
			return &DiedError{How: p.how()}
		}
	}
}

// Open implements clip.Models. The network's runs end when ctx does.
func (h *Host) Open(ctx context.Context, d job.DepthOptions) (depth.Net, error) {
	var o Opened
	if err := h.call(ctx, "Open", 0, d, &o); err != nil {
		return nil, err
	}
	n := &network{host: h, ctx: ctx, model: o.Model, spec: o.Spec}
	n.batch.Store(int64(o.Batch))
	return n, nil
}

// network is a network of the child, as one conversion uses it.
type network struct {
	host  *Host
	ctx   context.Context // of the conversion
	model job.DepthOptions
	spec  depth.Spec
	batch atomic.Int64
}

var _ depth.Net = (*network)(nil)

// Spec implements depth.Net.
func (n *network) Spec() depth.Spec { return n.spec }

// Batch implements depth.Net.
func (n *network) Batch() int { return int(n.batch.Load()) }

// Infer implements depth.Net.
func (n *network) Infer(pictures []depth.Input) ([]depth.Map, error) {
	if len(pictures) == 0 {
		return nil, nil
	}
	args := pack(n.model, pictures)
	args.Call = n.host.calls.Add(1)
	var r Inferred
	if err := n.host.call(n.ctx, "Infer", args.Call, args, &r); err != nil {
		return nil, err
	}
	n.batch.Store(int64(max(r.Batch, 1)))
	return r.maps(len(pictures))
}
