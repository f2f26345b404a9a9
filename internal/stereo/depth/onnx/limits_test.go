//go:build cgo && linux

package onnx

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// roomVariable makes TestBatchIsHalvedWhereMemoryIsShort the process that has no more memory than it says, in bytes.
const roomVariable = "STEREOSPOT_TEST_ROOM"

// roomy is a network whose layer takes 56 MB for each of these pictures.
var roomy = onnxtest.Kind{Wide: 256}

func eight() []depth.Input {
	var pictures []depth.Input
	for i := range 8 {
		pictures = append(pictures, scene(280, 196, i))
	}
	return pictures
}

func sumOf(maps []depth.Map) string {
	h := sha256.New()
	for _, m := range maps {
		_ = binary.Write(h, binary.LittleEndian, m.D) // a hash takes everything
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestBatchIsHalvedWhereMemoryIsShort(t *testing.T) {
	if room := os.Getenv(roomVariable); room != "" {
		inferInRoom(t, room)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", roomVariable, 300<<20), "MALLOC_ARENA_MAX=1")
	out, err := cmd.CombinedOutput()
	var batch int
	var sum string
	if _, scanned := fmt.Sscanf(string(out), "batch %d, %s", &batch, &sum); err != nil || scanned != nil || batch < 1 || batch > 4 {
		t.Fatalf("%v: %s", err, out)
	}
	m := open(t, roomy, Config{Provider: CPU})
	m.batch.Store(int64(batch))
	if want := sumOf(infer(t, m, eight()...)); sum != want {
		t.Errorf("after halving to %d the maps are %s, in that batch from the start %s", batch, sum, want)
	}
}

// inferInRoom has eight pictures computed at once, as on a GPU, by a process that can't grow by more than room.
func inferInRoom(t *testing.T, room string) {
	m := open(t, roomy, Config{Provider: CPU, Threads: 1})
	m.batch.Store(8)
	pictures := eight()
	heap := make([]byte, 256<<20) // the room that Go's own memory needs
	runtime.KeepAlive(heap)
	heap = nil
	runtime.GC()
	var pages, more uint64
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &pages)
	}
	if _, notNumber := fmt.Sscan(room, &more); err != nil || notNumber != nil {
		t.Fatal(err, notNumber)
	}
	limit := pages*uint64(os.Getpagesize()) + more
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	maps, err := m.Infer(pictures)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("batch %d, %s\n", m.Batch(), sumOf(maps))
}

// computed is the processor time that this process has used: the machine may be busy with something else.
func computed(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestRunIsCutOffWithItsContext(t *testing.T) {
	m := open(t, onnxtest.Kind{Wide: 256, Deep: 100}, Config{Provider: CPU})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { _, err := m.Until(ctx).Infer([]depth.Input{scene(112, 70, 1)}); ended <- err }()
	for m.mu.TryLock() {
		m.mu.Unlock()
		runtime.Gosched()
	}
	if m.Batch() != 1 { // which doesn't wait for the run's end
		t.Error("a CPU computes several pictures at once")
	}
	before := computed(t)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if took := computed(t) - before; took > 5*time.Second {
		t.Errorf("it computed for another %v", took)
	}
	if _, err := m.Until(ctx).Infer([]depth.Input{scene(14, 14, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run after its context's end: %v", err)
	}
	plain := open(t, onnxtest.Kind{}, Config{Provider: CPU})
	p := scene(14, 14, 1)
	if got, want := infer(t, m, p)[0], infer(t, plain, p)[0]; !slices.Equal(got.D, want.D) {
		t.Error("the network is another since it was cut off")
	}
}

func TestEveryWordForAShortageOfMemoryIsKnown(t *testing.T) {
	for _, said := range []string{
		"Non-zero status code returned while running Conv node. Status Message: std::bad_alloc",
		"Failed to allocate memory for requested buffer of size 469762048",
		"Available memory of 1024 is smaller than requested bytes of 4096",
		"CUDA failure 2: out of memory ; GPU=0", "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED", "CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED",
	} {
		if !outOfMemory(errors.New(said)) {
			t.Errorf("%q passes for another trouble", said)
		}
	}
	if outOfMemory(errors.New(strings.ToUpper("invalid dimensions for input"))) {
		t.Error("every trouble is a shortage")
	}
}
