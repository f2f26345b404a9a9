package child

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/rpc"
	"os"
	"sync"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Models are the networks of the child. Open may be called concurrently, and gives the same network for the same choice.
type Models interface {
	clip.Models
	// Resolve gives a choice its content: "auto" becomes the best that is here.
	Resolve(d job.DepthOptions) (job.DepthOptions, error)
}

// service is the name of the child's methods on the wire.
const service = "Networks"

// Serve answers the Host that started this process, and returns nil when that hangs up.
func Serve(ctx context.Context, models Models) error {
	socket, marks := os.NewFile(socketFD, "socket"), os.NewFile(marksFD, "marks")
	if socket == nil || marks == nil {
		return errors.New("this command is started by other commands alone")
	}
	conn, err := net.FileConn(socket)
	if err != nil {
		return fmt.Errorf("this command is started by other commands alone: %w", err)
	}
	defer conn.Close()
	if err := errors.Join(socket.Close(), preferDeath()); err != nil {
		return err
	}
	server := rpc.NewServer()
	n := &networks{ctx: ctx, models: models, marks: marks, opened: map[job.DepthOptions]depth.Net{}, waiting: map[uint64]context.CancelFunc{}}
	if err := server.RegisterName(service, n); err != nil {
		return err
	}
	server.ServeConn(conn)
	return nil
}

// preferDeath has the system end this process before the service when memory runs out (proc(5), oom_score_adj).
func preferDeath() error {
	err := os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil // a system without, or a process that has been given a higher one
	}
	return err
}

// networks are the methods of the child.
type networks struct {
	ctx    context.Context
	models Models
	marks  *os.File
	turn   sync.Mutex // runs and the opening of networks take turns, so that a death has one cause

	mu      sync.Mutex
	opened  map[job.DepthOptions]depth.Net
	waiting map[uint64]context.CancelFunc // by calls that aren't answered yet
}

// Open opens a network.
func (n *networks) Open(d job.DepthOptions, o *Opened) error {
	net, d, err := n.open(d)
	if err != nil {
		return err
	}
	*o = Opened{Model: d, Spec: net.Spec(), Batch: net.Batch(), By: fmt.Sprint(net)}
	return nil
}

// open settles a choice and returns its network.
func (n *networks) open(d job.DepthOptions) (depth.Net, job.DepthOptions, error) {
	d, err := n.models.Resolve(d)
	if err != nil {
		return nil, d, err
	}
	if d.Model == job.Classic {
		return nil, d, errors.New("classic needs no network")
	}
	net, err := n.network(d)
	return net, d, err
}

// network returns a network that was settled on.
func (n *networks) network(d job.DepthOptions) (depth.Net, error) {
	n.mu.Lock()
	net, ok := n.opened[d]
	n.mu.Unlock()
	if ok {
		return net, nil
	}
	n.turn.Lock()
	net, err := n.openMarked(d)
	n.turn.Unlock()
	return net, err
}

// openMarked opens a network between two marks. It takes a turn, so that who dies of it, of want of memory perhaps, isn't
// thought to have died of the pictures that are computed meanwhile.
func (n *networks) openMarked(d job.DepthOptions) (depth.Net, error) {
	if err := n.mark(nobodys); err != nil {
		return nil, err
	}
	net, err := n.models.Open(n.ctx, d)
	if err == nil {
		n.mu.Lock()
		n.opened[d] = net
		n.mu.Unlock()
	}
	return net, errors.Join(err, n.mark(0))
}

// Warm opens a network and runs it once, so that what it needs is there and its first clip doesn't wait.
func (n *networks) Warm(d job.DepthOptions, o *Opened) error {
	if err := n.Open(d, o); err != nil {
		return err
	}
	net, err := n.network(o.Model)
	if err != nil {
		return err
	}
	w, h := warmSize(net)
	grey := depth.Input{Picture: &depth.Picture{W: w, H: h, Y: make([]float32, w*h), Cb: make([]float32, w*h), Cr: make([]float32, w*h)}}
	args := pack(o.Model, []depth.Input{grey})
	args.Call = nobodys
	return n.Infer(args, &Inferred{})
}

// nobodys marks what is no call of a Host's: opening a network, and the run that warms it. It isn't 0, so that one that hangs
// is noticed.
const nobodys = math.MaxUint64

// sizeBound is a network whose first run of each size takes longer than those that follow, as a GPU's does.
type sizeBound interface {
	SizeBound() bool
}

// The frame size whose pictures a network is warmed with.
const usualW, usualH = 1920, 1080

// warmUnits is the shorter side, in multiples, of the picture that warms a network whose size doesn't matter.
const warmUnits = 5

// warmSize is the size of the picture that a network is warmed with.
func warmSize(net depth.Net) (w, h int) {
	spec := net.Spec()
	if b, ok := net.(sizeBound); !ok || !b.SizeBound() {
		spec.Side = min(spec.Side, warmUnits*spec.Multiple)
	}
	return spec.Size(usualW, usualH)
}

// Infer computes the maps of pictures, unless the call is forgotten meanwhile.
func (n *networks) Infer(a InferArgs, r *Inferred) error {
	ctx := n.await(a.Call)
	defer n.leave(a.Call)
	net, err := n.network(a.Model)
	if err != nil {
		return err
	}
	pictures, err := a.unpack()
	if err != nil {
		return err
	}
	maps, err := n.run(ctx, net, a.Call, pictures)
	if err != nil {
		return err
	}
	*r = Inferred{Batch: net.Batch(), W: maps[0].W, H: maps[0].H, Maps: make([][]byte, len(maps))}
	for i, m := range maps {
		r.Maps[i] = bytesOf(m.D)
	}
	return nil
}

// run runs a network when its turn has come. A run that panics keeps its turn: the process is about to end of it, and
// another call that began meanwhile would be blamed.
func (n *networks) run(ctx context.Context, net depth.Net, call uint64, pictures []depth.Input) ([]depth.Map, error) {
	n.turn.Lock()
	maps, err := n.runMarked(ctx, net, call, pictures)
	n.turn.Unlock()
	return maps, err
}

// runMarked runs a network between two marks.
func (n *networks) runMarked(ctx context.Context, net depth.Net, call uint64, pictures []depth.Input) ([]depth.Map, error) {
	if ctx.Err() != nil {
		return nil, errors.New("nobody waits for these pictures")
	}
	if err := n.mark(call); err != nil {
		return nil, err
	}
	maps, err := depth.Until(ctx, net).Infer(pictures)
	if err == nil && len(maps) != len(pictures) {
		err = fmt.Errorf("%d maps of %d pictures", len(maps), len(pictures))
	}
	return maps, errors.Join(err, n.mark(0))
}

// Forget ends a call whose conversion has ended, before its turn or in it, where the network can be cut off.
func (n *networks) Forget(call uint64, _ *bool) error {
	n.leave(call)
	return nil
}

// await returns the context of a call, which ends when somebody leaves it.
func (n *networks) await(call uint64) context.Context {
	ctx, cancel := context.WithCancel(n.ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting[call] = cancel
	return ctx
}

func (n *networks) leave(call uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if cancel, ok := n.waiting[call]; ok {
		cancel()
		delete(n.waiting, call)
	}
}

// mark tells which call is computed from now on; 0 is none.
func (n *networks) mark(call uint64) error {
	_, err := n.marks.Write(binary.LittleEndian.AppendUint64(nil, call))
	return err
}
