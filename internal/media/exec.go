package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of one FFmpeg process.
const (
	// stallTimeout is how long a process may neither read nor write while somebody waits for it.
	stallTimeout = 2 * time.Minute
	// barrenTimeout is how long it may read without writing anything: a seek through a huge file takes
	// a while, a file that loops for ever must not.
	barrenTimeout = 15 * time.Minute
	// watchInterval is how often a process is looked at.
	watchInterval = 500 * time.Millisecond
	// stderrHead and stderrTail are how many bytes of its messages are kept.
	stderrHead, stderrTail = 8 << 10, 8 << 10
	// yielding is by how much nicer than this program a process is that yields: enough to leave a busy core to others,
	// little enough to get on with its work beside them.
	yielding = 5
	// pipeSize is the kernel buffer asked for each pipe; frames are megabytes.
	pipeSize = 1 << 20
)

// process is one run of ffmpeg or ffprobe: build it, ask for its pipes, start it, wait for it. It runs
// in a process group and an empty directory of its own, in which nothing can be made, with almost no
// environment, and is killed when the context ends, when it stalls and when this program dies.
type process struct {
	tool  string
	args  []string
	about string // the file that messages to people speak of
	// yields has the process leave the processor to this program and others of its priority.
	yields bool

	cmd           *exec.Cmd
	dir           string   // empty once the process has started in it
	stdin, stdout *pipeEnd // our ends
	childIn       *os.File // the child's ends, nil when not asked for
	childOut      *os.File
	messages      boundedBuffer
	done          chan struct{} // closed when the process is reaped
	exit          error         // valid after done
	stop          error         // why we killed it; guarded by mu
	reaped        bool          // guarded by mu
	mu            sync.Mutex
	waiting       atomic.Int32 // calls of ours that wait for the process
	moved         atomic.Int64 // bytes through our pipes
	stall, barren time.Duration
}

// ffmpegCommand prepares a run of ffmpeg. about is the file name that error messages speak of.
func ffmpegCommand(about string, args ...string) *process {
	return newProcess("ffmpeg", about, append([]string{"-nostdin", "-hide_banner", "-v", "error"}, args...))
}

// ffprobeCommand prepares a run of ffprobe.
func ffprobeCommand(about string, args ...string) *process {
	return newProcess("ffprobe", about, append([]string{"-hide_banner", "-v", "error"}, args...))
}

func newProcess(tool, about string, args []string) *process {
	return &process{
		tool: tool, args: args, about: filepath.Base(about), done: make(chan struct{}),
		stall: stallTimeout, barren: barrenTimeout,
	}
}

// stdinPipe returns the writing end of the process's standard input; close it to end the input.
// Call it before start.
func (p *process) stdinPipe() (io.WriteCloser, error) {
	r, w, err := bigPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = &pipeEnd{file: w, p: p}
	p.childIn = r
	return p.stdin, nil
}

// stdoutPipe returns the reading end of the process's standard output. Read it to the end (or close
// it, which makes the process fail) before wait. Call it before start.
func (p *process) stdoutPipe() (io.ReadCloser, error) {
	r, w, err := bigPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = &pipeEnd{file: r, p: p}
	p.childOut = w
	return p.stdout, nil
}

// start starts the process. After an error nothing is left behind; otherwise wait must be called.
func (p *process) start(ctx context.Context) error {
	if err := p.prepare(); err != nil {
		p.discard()
		return err
	}
	started := make(chan error)
	go p.runLocked(started)
	if err := <-started; err != nil {
		p.discard()
		return fmt.Errorf("start %s: %w", p.tool, err)
	}
	p.closeChildEnds()
	if p.yields {
		p.yield()
	}
	go p.watch(ctx)
	p.removeDirectory()
	return nil
}

// yield lowers the priority of the process and of all threads that it has or will have.
func (p *process) yield() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	// The system call counts from 20 downwards. A process that can't be made nicer works as well.
	if own, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		_ = unix.Setpriority(unix.PRIO_PGRP, p.cmd.Process.Pid, 20-own+yielding)
	}
}

// removeDirectory takes the directory's name away. The process keeps it as its working directory, and a
// StereoSpot that is killed from here on leaves nothing behind.
func (p *process) removeDirectory() {
	if p.dir != "" {
		os.Remove(p.dir) // it is empty: nothing else is in there to lose
		p.dir = ""
	}
}

// prepare finds the program and makes its directory and command.
func (p *process) prepare() error {
	path, err := exec.LookPath(p.tool)
	if err != nil {
		return missingTool(err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "stereospot-ff-"); err != nil {
		return diskError(err)
	}
	p.cmd = exec.Command(path, p.args...)
	p.cmd.Dir = p.dir
	p.cmd.Env = environment(p.dir)
	p.cmd.Stderr = &p.messages
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// A nil *os.File in the interface would not be nil.
	if p.childIn != nil {
		p.cmd.Stdin = p.childIn
	}
	if p.childOut != nil {
		p.cmd.Stdout = p.childOut
	}
	return nil
}

// environment is all that FFmpeg needs: no proxies, no FFREPORT, no home to read settings from. What
// GPU drivers look for is passed on.
func environment(dir string) []string {
	env := []string{"HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "LIBVA_DRIVER_NAME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// runLocked starts and reaps the process on one locked thread. The parent-death signal is bound to
// the thread that forked, so that thread has to outlive the child (golang.org/issue/27505).
func (p *process) runLocked(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	awaitExit(p.cmd.Process.Pid)
	p.mu.Lock()
	p.reaped = true // from here on the process group's number may belong to somebody else
	p.mu.Unlock()
	p.exit = p.cmd.Wait()
	close(p.done)
}

// awaitExit blocks until the child has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// kill ends the whole process group, once, and keeps why.
func (p *process) kill(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.stop != nil {
		return
	}
	p.stop = why
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // only fails if it is gone already
}

// watch kills the process when ctx ends or when it makes no progress although somebody waits for it.
func (p *process) watch(ctx context.Context) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	w := newStallWatch(time.Now())
	for {
		select {
		case <-p.done:
			return
		case <-ctx.Done():
			p.kill(context.Cause(ctx))
			return
		case now := <-ticker.C:
			if p.waiting.Load() == 0 {
				w = newStallWatch(now)
				continue
			}
			read, written := ioCounters(p.cmd.Process.Pid)
			if w.stalled(now, read, written+p.moved.Load(), p.stall, p.barren) {
				p.kill(&Error{Reason: fmt.Sprintf("%s: FFmpeg made no progress for %v and was stopped", p.about, p.stall), Transient: true})
				return
			}
		}
	}
}

// stallWatch remembers when a process last read and last wrote.
type stallWatch struct {
	read, written     int64
	readAt, writtenAt time.Time
}

func newStallWatch(now time.Time) stallWatch {
	return stallWatch{read: -1, written: -1, readAt: now, writtenAt: now}
}

// stalled takes the counters of bytes read and written so far, and reports whether either has stood still for too long.
func (w *stallWatch) stalled(now time.Time, read, written int64, stall, barren time.Duration) bool {
	if written != w.written {
		w.written, w.writtenAt = written, now
	}
	if read != w.read {
		w.read, w.readAt = read, now
	}
	idle := now.Sub(w.writtenAt)
	return idle >= barren || idle >= stall && now.Sub(w.readAt) >= stall
}

// ioCounters returns the bytes a process has read and written by system calls so far (proc(5), /proc/pid/io), or zeros
// where the kernel doesn't say; then the bytes through our pipes alone count as progress.
func ioCounters(pid int) (read, written int64) {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
	for line := range bytes.Lines(data) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		n, _ := strconv.ParseInt(string(value), 10, 64)
		switch string(name) {
		case "rchar":
			read = n
		case "wchar":
			written = n
		}
	}
	return read, written
}

// wait waits for the end of the process and returns nil, the context's cause, or an *Error for people.
// It may be called again.
func (p *process) wait() error {
	p.waiting.Add(1)
	<-p.done
	p.waiting.Add(-1)
	p.discard()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit == nil {
		return nil
	}
	if p.stop != nil {
		return p.stop
	}
	return explain(p.about, p.messages.String(), p.exit)
}

// fail ends a process whose output is refused, and returns why, or what it failed with by itself. It may have ended well
// before that: what it wrote waited in the pipe.
func (p *process) fail(why error) error {
	p.kill(why)
	if err := p.wait(); err != nil {
		return err
	}
	return why
}

// output runs the process and returns what it wrote to its standard output, or an error when that is
// more than limit bytes.
func (p *process) output(ctx context.Context, limit int) ([]byte, error) {
	out, err := p.stdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	data, readErr := io.ReadAll(io.LimitReader(out, int64(limit)+1))
	if len(data) > limit {
		return nil, p.fail(&Error{Reason: fmt.Sprintf("%s has more to describe than StereoSpot can take (%d bytes)", p.about, limit)})
	}
	if err := p.wait(); err != nil {
		return nil, err
	}
	return data, readErr
}

// warnings returns the messages of a process that has been waited for; they may exist without an error.
func (p *process) warnings() string { return p.messages.String() }

// closeChildEnds closes the child's ends of the pipes in this process; the child has its own copies.
func (p *process) closeChildEnds() {
	for _, f := range []*os.File{p.childIn, p.childOut} {
		if f != nil {
			f.Close() // a second close is harmless
		}
	}
}

// discard closes what is open, and removes the directory of a process that didn't start.
func (p *process) discard() {
	p.closeChildEnds()
	for _, end := range []*pipeEnd{p.stdin, p.stdout} {
		if end != nil {
			end.Close()
		}
	}
	p.removeDirectory()
}

// pipeEnd is our end of a pipe to or from a process; it counts what passes as progress.
type pipeEnd struct {
	file *os.File
	p    *process
}

func (e *pipeEnd) Read(b []byte) (int, error)  { return e.count(e.file.Read, b) }
func (e *pipeEnd) Write(b []byte) (int, error) { return e.count(e.file.Write, b) }

// Close may be called twice.
func (e *pipeEnd) Close() error {
	if err := e.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (e *pipeEnd) count(transfer func([]byte) (int, error), b []byte) (int, error) {
	e.p.waiting.Add(1)
	n, err := transfer(b)
	e.p.waiting.Add(-1)
	e.p.moved.Add(int64(n))
	return n, err
}

// bigPipe returns a pipe with a large buffer where the system allows it.
func bigPipe() (r, w *os.File, err error) {
	r, w, err = os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	conn, err := w.SyscallConn()
	if err == nil {
		// The default size works too, so an unprivileged limit is no error.
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
	return r, w, nil
}

// boundedBuffer keeps the first and the last bytes written to it.
type boundedBuffer struct {
	mu         sync.Mutex
	head, tail []byte
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(p)
	if room := stderrHead - len(b.head); room > 0 {
		k := min(room, len(p))
		b.head, p = append(b.head, p[:k]...), p[k:]
	}
	b.tail = append(b.tail, p...)
	if over := len(b.tail) - stderrTail; over > 0 {
		b.tail = append(b.tail[:0], b.tail[over:]...)
	}
	return n, nil
}

func (b *boundedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.head) + string(b.tail)
}
