package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// The test binary runs itself as another process: the variable holds what to do and the data directory.
const childVariable = "STEREOSPOT_TEST_CHILD"

func TestMain(m *testing.M) {
	if what, dir, ok := strings.Cut(os.Getenv(childVariable), " "); ok {
		if err := child(what, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(what, dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, dir, Options{Notifications: platform.Notifications()})
	if err != nil {
		return err
	}
	switch what {
	case "work":
		return childWorks(ctx, s)
	case "put":
		return childPuts(ctx, s)
	case "upload":
		return childUploads(ctx, s)
	}
	return errors.New("unknown child")
}

func startChild(t *testing.T, what, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+what+" "+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewScanner(out)
}

// childWorks sends and receives until no message is left, and prints what it received.
func childWorks(ctx context.Context, s *Store) error {
	q := s.Queues()[platform.ReassemblyQueue]
	for i := range 60 {
		if err := q.Send(ctx, 0, fmt.Appendf(nil, "%d/%d", os.Getpid(), i)); err != nil {
			return err
		}
	}
	for {
		list, err := q.Receive(ctx, 3, time.Second)
		if err != nil || len(list) == 0 {
			return errors.Join(err, s.Close())
		}
		for _, m := range list {
			fmt.Println(string(m.Body))
			if err := q.Delete(ctx, m.Handle); err != nil {
				return err
			}
		}
	}
}

func TestProcessesShareADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // made by whichever process comes first
	const processes = 4
	lines := make(chan string)
	for range processes {
		cmd, out := startChild(t, "work", dir)
		go func() {
			for out.Scan() {
				lines <- out.Text()
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			lines <- ""
		}()
	}
	times := map[string]int{}
	for ended := 0; ended < processes; {
		if line := <-lines; line == "" {
			ended++
		} else {
			times[line]++
		}
	}
	if len(times) != processes*60 {
		t.Errorf("%d of %d messages arrived", len(times), processes*60)
	}
	for body, n := range times {
		if n != 1 {
			t.Errorf("message %s was handled %d times", body, n)
		}
	}
}

// childPuts writes objects until it is killed, and prints the key of each one that it was told is there.
func childPuts(ctx context.Context, s *Store) error {
	for i := 0; ; i++ {
		key := job.SourceKey(job.NewID(time.Now()))
		if i%5 == 4 {
			key = "input/replaced.mp4"
		}
		if _, err := s.Input().Put(ctx, key, bytes.NewReader(make([]byte, 3000)), platform.PutOptions{}); err != nil {
			return err
		}
		fmt.Println(key)
	}
}

// childUploads uploads objects in parts until it is killed.
func childUploads(ctx context.Context, s *Store) error {
	u := uploads{s.Input()}
	for {
		key := job.SourceKey(job.NewID(time.Now()))
		id, err := u.Begin(ctx, key, platform.PutOptions{PartSize: 1000})
		if err != nil {
			return err
		}
		var parts []platform.Part
		for range 2 { // the second goes to a file of its own
			p, err := u.putPart(ctx, key, id, 1, 1000, bytes.NewReader(make([]byte, 1000)))
			if err != nil {
				return err
			}
			parts = []platform.Part{p}
		}
		if _, err := u.Complete(ctx, key, id, parts); err != nil {
			return err
		}
		fmt.Println(key)
	}
}

func TestKilledWriterLosesNoEventAndLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"put", "upload"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var told []string
			for range 6 {
				cmd, out := startChild(t, what, dir)
				for n := rand.IntN(12); n >= 0 && out.Scan(); n-- {
					told = append(told, out.Text())
				}
				time.Sleep(rand.N(5 * time.Millisecond)) // anywhere in the next write
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				for out.Scan() {
					told = append(told, out.Text())
				}
				_ = cmd.Wait() // killed
			}
			c := newClock()
			s := open(t, dir, c.now)
			checkAfterCrash(t, s, c, told)
		})
	}
}

// checkAfterCrash compares what the processes were told, the objects, their events and the files.
func checkAfterCrash(t *testing.T, s *Store, c *clock, told []string) {
	t.Helper()
	objects, _, err := s.Input().List(t.Context(), "input/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range objects {
		keys = append(keys, o.Key)
		if got := read(t, s.Input(), o.Key, 0, -1); int64(len(got)) != o.Size {
			t.Errorf("%s has %d of %d bytes", o.Key, len(got), o.Size)
		}
	}
	for _, key := range told {
		if !slices.Contains(keys, key) {
			t.Errorf("%s was written and is gone", key)
		}
	}
	events := map[string]string{} // the newest ETag by key
	q := s.Queues()[platform.ChunkingQueue]
	for {
		list, err := q.Receive(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			created, err := job.ParseObjectCreated(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			events[created[0].Key] = created[0].ETag
		}
	}
	for _, o := range objects {
		if events[o.Key] != o.ETag {
			t.Errorf("the event of %s was lost", o.Key)
		}
	}
	if len(events) != len(objects) || len(objects) == 0 {
		t.Errorf("%d events for %d objects", len(events), len(objects))
	}
	c.advance(platform.UploadIdle + time.Hour)
	if _, err := s.Sweep(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, s.Input().root(), len(objects))
}
