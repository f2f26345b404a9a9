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
	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Config says how a Host keeps its child. Program and Log are required.
type Config struct {
	// Program, Args and Env are those of a process that calls Serve.
	Program   string
	Args, Env []string
	// Warm are networks, the best first. Every child opens the first that it can, and runs it once, before it counts as
	// ready. With none, the first child is started when a network is asked for.
	Warm []job.DepthOptions
	// The zero value of each is its default.
	Run      time.Duration // how long one run of a network may take; 15 minutes, for TensorRT builds its engines in the first
	Patience time.Duration // how long an inference waits for a child; 2 minutes
	Pause    time.Duration // before a new child in the place of one that died early, doubled with each to 100 times; 200 ms
	// Idle is how long a child may be asked for nothing: then it is ended, and its memory is free until a network is asked for
	// again. 0 keeps it. Where there are Warm networks it is kept, too.
	Idle time.Duration
	Log  *slog.Logger
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
	depth   string        // the model that the last ready child had warm; empty where it could open none
	trouble error         // why there is no child, as far as known
	changed chan struct{} // closed, and made anew, when child changes
	deaths  int
	idle    idleness
}

var _ clip.Models = (*Host)(nil)

// New returns a Host whose child works until ctx ends or the Host is closed.
func New(ctx context.Context, c Config) *Host {
	c.Run, c.Patience, c.Pause = orElse(c.Run, 15*time.Minute), orElse(c.Patience, 2*time.Minute), orElse(c.Pause, 200*time.Millisecond)
	h := &Host{Config: c, changed: make(chan struct{}), ended: make(chan struct{}), idle: newIdleness()}
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

// Begin has every child open the first of these networks that it can, and run it once, before it counts as ready, and
// starts the first child. It comes before any Open.
func (h *Host) Begin(warm ...job.DepthOptions) {
	h.mu.Lock()
	h.Warm = warm
	h.mu.Unlock()
	h.begin()
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
	case h.child != nil || len(h.Warm) == 0 && h.trouble == nil:
		return nil
	case h.trouble != nil:
		return h.trouble
	}
	return errWarming
}

// Depth is the model that is kept warm: the first that could be used. Empty before that is known, and where none could.
func (h *Host) Depth() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.depth
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
	for wait := h.Pause; h.needed(); {
		begin := time.Now()
		err := h.keep()
		if h.ctx.Err() != nil {
			return
		}
		if err == nil || time.Since(begin) >= steady || errors.As(err, new(*brokenError)) {
			wait = h.Pause
		}
		if err == nil { // it was idle
			continue
		}
		h.lost(err)
		h.Log.Error("the process that computes depth is replaced", "error", err, "lived", time.Since(begin).Round(time.Millisecond).String())
		if pause.For(h.ctx, wait) != nil {
			return
		}
		wait = min(2*wait, 100*h.Pause)
	}
}

func (h *Host) command() *exec.Cmd {
	cmd := exec.Command(h.Program, h.Args...)
	cmd.Env = h.Env
	return cmd
}

// keep starts a child, warms it, and lends it until it dies, and then says how that came, or until it is idle.
func (h *Host) keep() error {
	p, model, err := h.prepare()
	if err != nil {
		return err
	}
	cut := context.AfterFunc(h.ctx, p.kill)
	defer cut()
	h.become(p, model, nil)
	if h.lend(p) {
		return p.close()
	}
	h.died()
	err = errors.New(p.how())
	if call := p.call.Load(); call != 0 && call != nobodys {
		err = &brokenError{err}
	}
	return errors.Join(err, p.close())
}

// brokenError says that a child died of pictures. The next one doesn't see them unless somebody asks again, so nobody else has
// to wait long for it.
type brokenError struct{ error }

// prepare returns a child that has run the first of Warm that can be used, and the model's name. A network that failed may
// hold memory, so each is tried in a process of its own. Where all fail the child has none, and whoever asks for one hears
// why; but where a process died of one that is the error, because want of memory may pass.
func (h *Host) prepare() (p *process, model string, err error) {
	var fatal error
	for i, d := range h.Warm {
		if p, err = start(h.command(), h.Run); err != nil {
			return nil, "", err
		}
		if err = h.warm(p, d); err == nil {
			return p, d.Model, nil
		}
		if err = errors.Join(err, p.close()); h.ctx.Err() != nil {
			return nil, "", err
		}
		if fatal == nil && errors.As(err, new(*DiedError)) {
			fatal = err
		}
		if i+1 < len(h.Warm) {
			h.Log.Warn("a depth model can't be used: the next is tried", "model", d.Model, "error", err, "next", h.Warm[i+1].Model)
		} else {
			h.Log.Warn("a depth model can't be used", "model", d.Model, "error", err)
		}
	}
	if fatal != nil {
		return nil, "", fatal
	}
	p, err = start(h.command(), h.Run)
	return p, "", err
}

// warm has a child open a network and run it once. A *DiedError where it didn't survive that.
func (h *Host) warm(p *process, d job.DepthOptions) error {
	begin := time.Now()
	var o Opened
	err := p.do(h.ctx, "Warm", d, &o)
	if errors.Is(err, errLost) {
		h.died()
		return &DiedError{How: p.how(), Opening: d.Model}
	}
	if err == nil {
		h.Log.Info("depth is ready", "model", o.Model.Model, "by", o.By, "took", time.Since(begin).Round(time.Millisecond).String())
	}
	return err
}

// died counts a death.
func (h *Host) died() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaths++
}

// lost takes the child back, and says why there is none.
func (h *Host) lost(err error) {
	h.become(nil, h.Depth(), fmt.Errorf("the process that computes depth is started anew: %w", err))
}

// become changes which child is lent.
func (h *Host) become(p *process, model string, trouble error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(p, model, trouble)
}

// set is become where the mutex is held.
func (h *Host) set(p *process, model string, trouble error) {
	h.child, h.depth, h.trouble = p, model, trouble
	if p != nil {
		h.idle.begin()
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// await returns a child that is ready and isn't known to be dead, waiting for Patience at most. It isn't idle until leave
// is called.
func (h *Host) await(ctx context.Context) (*process, error) {
	h.begin()
	late := time.NewTimer(h.Patience)
	defer late.Stop()
	for {
		if ctx.Err() != nil { // or what is asked for might come to the child after word that nobody waits for it
			return nil, context.Cause(ctx)
		}
		p, changed, trouble := h.enter()
		if p != nil {
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
		h.leave()
		if number != 0 && ctx.Err() != nil {
			p.forget(number)
		}
		if !errors.Is(err, errLost) {
			return err
		}
		own := number != 0 && p.call.Load() == number
		if own || try == tries {
			return &DiedError{How: p.how(), Beside: !own}
		}
	}
}

// Open implements clip.Models. The network's runs end when ctx does.
func (h *Host) Open(ctx context.Context, d job.DepthOptions) (depth.Net, error) {
	var o Opened
	err := h.call(ctx, "Open", 0, d, &o)
	if died := new(DiedError); errors.As(err, &died) {
		return nil, &DiedError{How: died.How, Opening: d.Model}
	}
	if err != nil {
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
