package child_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/inference/child/childtest"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// beService has TestMain be a service that is about to be killed.
const beService = "STEREOSPOT_TEST_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(beService) != "" {
		doomedService()
	}
	childtest.Main(m)
}

func newHost(t *testing.T, c child.Config) *child.Host {
	t.Helper()
	h := child.New(t.Context(), c)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func open(t *testing.T, h *child.Host, name string) depth.Net {
	t.Helper()
	n, err := h.Open(t.Context(), childtest.Options(name))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// picture is one of noise.
func picture(seed uint64) depth.Input {
	const w, h = 42, 28
	random := rand.New(rand.NewPCG(seed, 0))
	plane := func() []float32 {
		v := make([]float32, w*h)
		for i := range v {
			v[i] = random.Float32()
		}
		return v
	}
	return depth.Input{Picture: &depth.Picture{W: w, H: h, Y: plane(), Cb: plane(), Cr: plane(), Weights: depth.Weights{R: 0.3, B: 0.1}}, Mirrored: seed%2 == 1}
}

// same compares what a network apart says with what it says here.
func same(n depth.Net, pictures ...depth.Input) error {
	got, err := n.Infer(pictures)
	if err != nil {
		return err
	}
	want, err := childtest.Network(childtest.Luma).Infer(pictures)
	if err != nil {
		return err
	}
	for i, m := range want {
		if g := got[i]; g.W != m.W || g.H != m.H || !slices.Equal(g.D, m.D) {
			return fmt.Errorf("map %d of %d is another", i, len(want))
		}
	}
	return nil
}

// within waits for a condition.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestNetworkApartSaysWhatItSaysHere(t *testing.T) {
	h := newHost(t, childtest.Config(""))
	if err := h.Ready(); err != nil {
		t.Errorf("a host that needs no child yet: %v", err)
	}
	n := open(t, h, childtest.Luma)
	if n.Spec() != childtest.Network("").Spec() || n.Batch() != 2 {
		t.Errorf("%+v, batch %d", n.Spec(), n.Batch())
	}
	if err := same(n, picture(1), picture(2)); err != nil {
		t.Error(err)
	}
	if _, err := open(t, h, childtest.Refuses).Infer([]depth.Input{picture(1)}); err == nil || !strings.Contains(err.Error(), "can't see") {
		t.Errorf("a network's own error became %v", err)
	}
	if h.Deaths() != 0 {
		t.Errorf("%d children died", h.Deaths())
	}
}

// lastWords are how people hear of what the networks die of: without registers and stacks.
var lastWords = map[string]string{
	childtest.Fault: ": SIGSEGV: segmentation violation", childtest.Killed: "signal: killed", childtest.Panic: ": panic: a network's own fault",
}

func TestDeathIsItsOwnCallsAlone(t *testing.T) {
	c := childtest.Config("")
	c.Run = 3 * time.Second // which only the endless network takes, and those beside it don't
	h := newHost(t, c)
	luma := open(t, h, childtest.Luma)
	for _, name := range append(childtest.Deadly(), childtest.Endless) {
		deadly := open(t, h, name)
		var others sync.WaitGroup
		over := make(chan struct{})
		for i := range uint64(4) {
			others.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-over:
						return
					default:
					}
					if err := same(luma, picture(i)); err != nil {
						t.Errorf("%s: beside it, inference %d: %v", name, n, err)
						return
					}
				}
			})
		}
		_, err := deadly.Infer([]depth.Input{picture(9)})
		var died *child.DiedError
		if !errors.As(err, &died) || died.How == "" || strings.Contains(died.How, "\n") || !strings.HasSuffix(died.How, lastWords[name]) {
			t.Errorf("%s: %v", name, err)
		}
		if err := same(luma, picture(7)); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
		close(over)
		others.Wait()
	}
	if h.Deaths() != 4 {
		t.Errorf("%d children died of 4", h.Deaths())
	}
}

func TestNetworkThatCannotBeOpenedIsNoPicturesFault(t *testing.T) {
	h := newHost(t, childtest.Config(""))
	luma := open(t, h, childtest.Luma)
	over := make(chan struct{})
	var others sync.WaitGroup
	for i := range uint64(4) {
		others.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				died := new(child.DiedError)
				if err := same(luma, picture(i)); err != nil && (!errors.As(err, &died) || died.OfPictures()) {
					t.Errorf("beside it: %v", err)
					return
				}
			}
		})
	}
	for range 3 {
		_, err := h.Open(t.Context(), childtest.Options(childtest.Heavy))
		died := new(child.DiedError)
		if !errors.As(err, &died) || died.OfPictures() || died.Opening != childtest.Heavy || !strings.Contains(err.Error(), "died while heavy was opened: signal: killed") {
			t.Errorf("it ended with %v", err)
		}
	}
	close(over)
	others.Wait()
	if err := same(luma, picture(7)); err != nil {
		t.Error(err)
	}
}

func TestReadyOnlyWhileAWarmChildLives(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	h := newHost(t, childtest.Config(gate, childtest.Luma))
	openGate := func() {
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Ready(); err == nil {
		t.Error("ready before its network is open")
	}
	openGate()
	within(t, "it is ready", func() bool { return h.Ready() == nil })
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "the death is noticed", func() bool { return h.Ready() != nil })
	waiting := make(chan error, 1)
	go func() {
		n, err := h.Open(t.Context(), childtest.Options(childtest.Luma))
		if err == nil {
			err = same(n, picture(1))
		}
		waiting <- err
	}()
	if err := h.Ready(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("while the next child warms: %v", err)
	}
	openGate()
	if err := <-waiting; err != nil {
		t.Errorf("who waited for the next child: %v", err)
	}
	if h.Ready() != nil || h.Deaths() != 1 {
		t.Errorf("%v, %d deaths", h.Ready(), h.Deaths())
	}
}

func TestFirstNetworkThatCanBeUsedIsKeptWarm(t *testing.T) {
	c := childtest.Config("", append(childtest.Deadly(), childtest.Endless, childtest.Refuses, childtest.Luma, childtest.Fault)...)
	c.Run = 2 * time.Second // which only the endless network takes
	h := newHost(t, c)
	for deaths := 4; deaths < 10; deaths += 5 {
		within(t, "it is ready", func() bool { return h.Ready() == nil })
		if h.Depth() != childtest.Luma || h.Deaths() != deaths {
			t.Errorf("%q is warm after %d deaths, want luma after %d", h.Depth(), h.Deaths(), deaths)
		}
		if err := same(open(t, h, childtest.Luma), picture(1)); err != nil {
			t.Error(err)
		}
		if err := syscall.Kill(h.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		within(t, "the death is noticed", func() bool { return h.Ready() != nil })
		if h.Depth() != childtest.Luma {
			t.Errorf("%q is to be warm again", h.Depth())
		}
	}
}

func TestHostWithoutANetworkThatCanBeUsedIsReadyUnlessAProcessDied(t *testing.T) {
	h := newHost(t, childtest.Config("", childtest.Refuses, childtest.Refuses))
	within(t, "it is ready", func() bool { return h.Ready() == nil })
	if h.Depth() != "" || h.Deaths() != 0 {
		t.Errorf("%q is warm, %d deaths", h.Depth(), h.Deaths())
	}
	if err := same(open(t, h, childtest.Luma), picture(1)); err != nil {
		t.Errorf("another network: %v", err)
	}
	h = newHost(t, childtest.Config("", childtest.Killed, childtest.Refuses))
	within(t, "it was tried twice", func() bool { return h.Deaths() >= 2 })
	if err := h.Ready(); err == nil || !strings.Contains(err.Error(), "killed") || !strings.Contains(err.Error(), "while killed was opened") {
		t.Errorf("while its only hope dies: %v", err)
	}
}

func TestChildThatNeverStartsIsTriedMoreAndMoreSeldom(t *testing.T) {
	c := childtest.Config("", childtest.Luma)
	c.Program, c.Pause, c.Patience = "/bin/false", 20*time.Millisecond, 100*time.Millisecond
	begin := time.Now()
	h := newHost(t, c)
	within(t, "one has been tried", func() bool { return strings.Contains(fmt.Sprint(h.Ready()), "exit status 1") })
	if _, err := h.Open(t.Context(), childtest.Options(childtest.Luma)); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("no child: %v", err)
	}
	if h.Ready() == nil {
		t.Error("ready without a child")
	}
	within(t, "another has been tried", func() bool { return h.Deaths() >= 4 })
	n := h.Deaths()
	if took, least := time.Since(begin), c.Pause<<(n-1)-c.Pause; took < least { // pauses of 20, 40, 80, 160 … ms between n children
		t.Errorf("%d children in %v, want pauses of %v", n, took, least)
	}
}

func TestDeathsOfPicturesKeepNobodyWaiting(t *testing.T) {
	c := childtest.Config("")
	c.Pause, c.Patience = 200*time.Millisecond, 15*time.Second // ever longer pauses would come to 20 s each
	h := newHost(t, c)
	for range 9 {
		if _, err := open(t, h, childtest.Fault).Infer([]depth.Input{picture(1)}); err == nil {
			t.Fatal("a network that ends its process answered")
		}
	}
	if err := same(open(t, h, childtest.Luma), picture(1)); err != nil {
		t.Error(err)
	}
}

func TestConversionThatEndsWaitsForNothing(t *testing.T) {
	h := newHost(t, childtest.Config(""))
	ctx, leave := context.WithCancel(t.Context())
	n, err := h.Open(ctx, childtest.Options(childtest.Endless))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := n.Infer([]depth.Input{picture(1)}); ended <- err }()
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNothingIsComputedForAConversionThatHasEnded(t *testing.T) {
	c := childtest.Config("")
	c.Run = 3 * time.Second // which only the endless network takes
	h := newHost(t, c)
	ctx, leave := context.WithCancel(t.Context())
	n, err := h.Open(ctx, childtest.Options(childtest.Endless))
	if err != nil {
		t.Fatal(err)
	}
	leave()
	for range 10 {
		if _, err := n.Infer([]depth.Input{picture(1)}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if err := same(open(t, h, childtest.Luma), picture(1)); err != nil || h.Deaths() != 0 {
		t.Errorf("somebody else's pictures: %v, after %d deaths", err, h.Deaths())
	}
}

// doomedService computes something endless, and says which process does.
func doomedService() {
	if err := os.Unsetenv(beService); err != nil { // the child is another thing
		panic(err)
	}
	h := child.New(context.Background(), childtest.Config(""))
	n, err := h.Open(context.Background(), childtest.Options(childtest.Endless))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(h.PID())
	_, _ = n.Infer([]depth.Input{picture(1)})
}

func TestChildEndsWithAServiceThatIsKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), beService+"=1")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, notNumber := strconv.Atoi(strings.TrimSpace(line))
	if err := errors.Join(err, notNumber, cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	within(t, "the child is gone", func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(state), ") Z ")
	})
}
