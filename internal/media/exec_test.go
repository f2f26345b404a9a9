package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endless is a run that would never end.
func endless(t *testing.T) *process {
	t.Helper()
	return ffmpegCommand("film.mp4", "-re", "-f", "lavfi", "-i", "color=s=16x16", "-f", "null", "-")
}

func TestProcessEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := endless(t)
	if err := p.start(ctx); err != nil {
		t.Fatal(err)
	}
	pid := p.cmd.Process.Pid
	why := errors.New("the person changed their mind")
	cancel(why)
	if err := p.wait(); !errors.Is(err, why) {
		t.Errorf("wait gives %v, want %v", err, why)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}

func TestProcessWorksInADirectoryWithoutAName(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	p := endless(t)
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	where, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.cmd.Process.Pid))
	if err != nil || !strings.HasPrefix(where, tmp+"/") || !strings.HasSuffix(where, " (deleted)") {
		t.Errorf("it works in %q: %v", where, err)
	}
	checkEmpty(t, tmp)
	p.kill(errors.New("enough"))
	_ = p.wait()
	checkEmpty(t, tmp)
}

// checkEmpty fails when the directory holds anything.
func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
}

func TestProcessWithoutProgressIsStopped(t *testing.T) {
	p := ffmpegCommand("film.mp4", "-f", "rawvideo", "-s", "16x16", "-i", "pipe:0", "-f", "null", "-")
	p.stall = time.Nanosecond
	in, err := p.stdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = p.wait() // it waits for frames that never come
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "film.mp4: FFmpeg made no progress") {
		t.Errorf("says %q", err)
	}
}

func TestStallWatchCountsProgressOfEitherKind(t *testing.T) {
	start := time.Unix(0, 0)
	for _, c := range []struct {
		name          string
		read, written func(second int64) int64
		stalledAt     int64 // seconds; -1 = never within 100
	}{
		{"nothing moves", func(int64) int64 { return 5 }, func(int64) int64 { return 5 }, 11},
		{"it reads only", func(s int64) int64 { return s }, func(int64) int64 { return 5 }, 41},
		{"it writes", func(int64) int64 { return 5 }, func(s int64) int64 { return s }, -1},
		{"it stops writing", func(int64) int64 { return 5 }, func(s int64) int64 { return min(s, 30) }, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, at := newStallWatch(start), int64(-1)
			for s := int64(1); s <= 100 && at < 0; s++ {
				if w.stalled(start.Add(time.Duration(s)*time.Second), c.read(s), c.written(s), 10*time.Second, 40*time.Second) {
					at = s
				}
			}
			if at != c.stalledAt {
				t.Errorf("stalled after %d s, want %d", at, c.stalledAt)
			}
		})
	}
}

// TestProcessDiesWithItsParent kills a test process that runs FFmpeg, as kill -9 and the kernel's memory killer do.
func TestProcessDiesWithItsParent(t *testing.T) {
	if os.Getenv("STEREOSPOT_TEST_PARENT") != "" {
		p := endless(t)
		if err := p.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("child %d\n", p.cmd.Process.Pid)
		_ = p.wait()
		return
	}
	parent := exec.Command(os.Args[0], "-test.run", "^TestProcessDiesWithItsParent$")
	tmp := t.TempDir()
	parent.Env = append(os.Environ(), "STEREOSPOT_TEST_PARENT=1", "TMPDIR="+tmp)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscanf(out, "child %d\n", &child); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = parent.Wait()
	deadline := time.Now().Add(time.Minute)
	for running(child) {
		if time.Now().After(deadline) {
			t.Fatalf("ffmpeg %d outlives its parent", child)
		}
		time.Sleep(time.Millisecond)
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "stereospot-ff-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// running reports whether a process exists and is no zombie that waits for init.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestEnvironmentHoldsNothingThatSteersFFmpeg(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	t.Setenv("FFREPORT", "file=report.log")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	for _, v := range environment("/somewhere") {
		name, _, _ := strings.Cut(v, "=")
		if strings.Contains(strings.ToLower(name), "proxy") || name == "FFREPORT" || strings.HasPrefix(name, "AWS") {
			t.Errorf("passes %s on", name)
		}
	}
}

func TestMissingToolSaysHowToInstallIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := CheckTools(t.Context())
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "FFmpeg is not installed: apt-get install ffmpeg") {
		t.Errorf("says %q", err)
	}
}

func TestToolsOfThisMachineAreNewEnough(t *testing.T) {
	if err := CheckTools(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOldVersionsAreTold(t *testing.T) {
	for banner, ok := range map[string]bool{
		"ffmpeg version 5.1.9-0+deb12u1 Copyright": true,
		"ffprobe version n7.0 Copyright":           true,
		"ffmpeg version 5.0.3 Copyright":           false,
		"ffmpeg version 4.4.2-0ubuntu0.22.04.1":    false,
		"ffmpeg version N-113007-g8d24a28d06":      true,
		"ffmpeg version 10.0":                      true,
	} {
		if err := checkVersion(banner); (err == nil) != ok {
			t.Errorf("%s: %v", banner, err)
		}
	}
}

func TestFailuresAreOneLineForPeople(t *testing.T) {
	for _, c := range []struct{ messages, says string }{
		{"[mov,mp4 @ 0x55] moov atom not found\nx.mp4: Invalid data found when processing input\n", "x.mp4 is truncated or not finished: its index (moov) is missing"},
		{"x.mp4: Invalid data found when processing input\n", "x.mp4 is not a video that StereoSpot can read, or it is damaged"},
		{"av_interleaved_write_frame(): No space left on device\nError writing trailer\n", "the disk is full: make room and start again"},
		{"[hls @ 0x1] Format not on whitelist 'mov'\n", "x.mp4 is not a video that StereoSpot can read: its content is a playlist or a format that is not a video container"},
		{"[abc @ 0x1234] first\n[def @ 0xabc] something odd happened\n\n", "x.mp4: FFmpeg failed: something odd happened"},
		{"", "x.mp4: FFmpeg failed: exit status 1"},
	} {
		err := explain("x.mp4", c.messages, errors.New("exit status 1"))
		oneLine(t, err, "")
		if err.Error() != c.says {
			t.Errorf("says %q, want %q", err, c.says)
		}
	}
}

func TestMessagesAreKeptWithinBounds(t *testing.T) {
	var b boundedBuffer
	for i := range 100_000 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	s := b.String()
	if len(s) > stderrHead+stderrTail || !strings.HasPrefix(s, "line 0\n") || !strings.HasSuffix(s, "line 99999\n") {
		t.Errorf("keeps %d bytes from %q to %q", len(s), s[:10], s[len(s)-10:])
	}
}

func TestFullDiskIsSaid(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	w := &segmentWriter{}
	var err error
	if w.file, err = os.OpenFile("/dev/full", os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	if err = w.add(block{data: make([]byte, 10)}); err == nil {
		err = w.close()
	}
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("says %q", err)
	}
}

func TestOddFileNamesAreOnlyNames(t *testing.T) {
	video := readAll(t, caseNamed("one.mp4").source(t))
	for _, name := range []string{"-i.mp4", "concat:a|b.mp4", "100%d.mp4", "http:x.mp4", "a b'c\".mp4"} {
		src, err := Probe(t.Context(), write(t, t.TempDir(), name, string(video)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if filepath.Base(src.Path) != name {
			t.Errorf("%s is called %s", name, src.Path)
		}
	}
}
