package child

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is one run of the child.
type process struct {
	cmd    *exec.Cmd
	client *rpc.Client
	limit  time.Duration // of one run of a network
	words  tail
	call   atomic.Uint64 // which it computes; 0 is none
	hung   atomic.Bool   // it was ended because a run took too long
	dead   chan struct{} // closed when it is reaped
	exit   error         // valid after dead
}

// start starts a child that ends with this process, however this process ends.
func start(cmd *exec.Cmd, limit time.Duration) (*process, error) {
	socket, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	marks, marksW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	defer marksW.Close()
	p := &process{cmd: cmd, limit: limit, dead: make(chan struct{})}
	cmd.ExtraFiles = []*os.File{theirs, marksW} // socketFD, marksFD
	cmd.Stderr = &p.words
	// A group of its own: what a terminal sends to the service is the service's alone to answer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go p.runLocked(started, marks)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start the process that computes depth: %w", err), socket.Close(), marks.Close())
	}
	p.client = rpc.NewClient(socket)
	return p, nil
}

// socketPair returns the two ends of a socket.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	file := os.NewFile(uintptr(fds[0]), "socket")
	defer file.Close() // FileConn has its own
	theirs = os.NewFile(uintptr(fds[1]), "socket")
	if ours, err = net.FileConn(file); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// runLocked starts and reaps the child on one locked thread: the parent-death signal is bound to the thread that forked
// (golang.org/issue/27505).
func (p *process) runLocked(started chan<- error, marks *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	var read sync.WaitGroup
	read.Go(func() { p.follow(marks) })
	p.exit = p.cmd.Wait()
	read.Wait() // the last mark says what it died of
	close(p.dead)
}

// follow reads the marks to their end, and ends a child whose run takes too long.
func (p *process) follow(marks io.ReadCloser) {
	defer marks.Close()
	watch := time.AfterFunc(p.limit, func() { p.hung.Store(true); p.kill() })
	defer watch.Stop()
	watch.Stop()
	for mark := make([]byte, 8); ; {
		if _, err := io.ReadFull(marks, mark); err != nil {
			return // it has died
		}
		call := binary.LittleEndian.Uint64(mark)
		p.call.Store(call)
		if watch.Stop(); call != 0 {
			watch.Reset(p.limit)
		}
	}
}

func (p *process) kill() { _ = p.cmd.Process.Kill() } // only fails if it is gone already

// close ends the child and waits for its end.
func (p *process) close() error {
	err := p.client.Close()
	p.kill()
	<-p.dead
	if errors.Is(err, rpc.ErrShutdown) { // it had died
		return nil
	}
	return err
}

// how says of what the child died, once it has.
func (p *process) how() string {
	how := "it ended"
	if p.exit != nil {
		how = p.exit.Error()
	}
	if p.hung.Load() {
		how = fmt.Sprintf("it made no progress for %v and was ended", p.limit)
	}
	if words := p.words.String(); words != "" {
		how += ": " + words
	}
	return how
}

// do calls a method of the child. errLost when it died before it answered; then dead is closed. Where ctx ends first, args
// and reply may be in use for a while.
func (p *process) do(ctx context.Context, method string, args, reply any) error {
	answered := make(chan error, 1)
	go func() { answered <- p.client.Call(service+"."+method, args, reply) }() // which blocks while the socket is full
	var err error
	select {
	case err = <-answered:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var said rpc.ServerError
	if err == nil || errors.As(err, &said) {
		return err
	}
	p.kill() // whatever broke the connection
	<-p.dead
	return errLost
}

// forget tells the child that nobody waits for a call.
func (p *process) forget(call uint64) {
	go func() { _ = p.client.Call(service+".Forget", call, new(bool)) }() // a child that is gone has forgotten
}

var errLost = errors.New("the process that computes depth died")

// tail keeps the last words of the child before the stacks that Go prints of a program that crashes.
type tail struct {
	mu      sync.Mutex
	text    []byte
	crashed bool // the stacks have begun
}

// maxWords bounds a tail, in bytes, maxLine what a person reads of it.
const (
	maxWords = 2 << 10
	maxLine  = 200
)

// stacks begins the first line of what only programmers read of a crash: registers and stacks.
var stacks = regexp.MustCompile(`(?m)^(PC=0x|goroutine |runtime stack:)`)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.crashed {
		return len(b), nil
	}
	t.text = append(t.text, b...)
	if at := stacks.FindIndex(t.text); at != nil {
		t.text, t.crashed = t.text[:at[0]], true
	}
	if over := len(t.text) - maxWords; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// String returns the words as one line, of which a person reads the end.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := strings.Join(strings.Fields(string(t.text)), " ")
	if over := len(line) - maxLine; over > 0 {
		line = "…" + line[over:]
	}
	return strings.ToValidUTF8(line, "")
}
