package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/web"
)

// Sizes of the web server's load.
const (
	webJobs    = 10_000
	webAsks    = 200
	webViewers = 1000
)

// web measures the dashboard over many jobs, and what many viewers of the event stream cost.
func (b *bench) web(ctx context.Context) error {
	dir, err := os.MkdirTemp(b.dir, "web-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := local.Open(ctx, dir, local.Options{})
	if err != nil {
		return err
	}
	err = b.webLoad(ctx, store)
	return errors.Join(err, store.Close())
}

func (b *bench) webLoad(ctx context.Context, store *local.Store) error {
	if err := fillJobs(ctx, store); err != nil {
		return err
	}
	root, stop, err := startWeb(ctx, store)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("### web server, %d jobs\n\n| what | median, ms | 95th percentile, ms |\n|---|--:|--:|\n", webJobs)
	for _, ask := range []struct{ what, path string }{
		{"dashboard", "/"}, {"dashboard, search", "/?q=film+77"}, {"list of all by the API", "/api/v1/jobs"},
		{"list of live by the API", "/api/v1/jobs?state=live"}, {"health", "/readyz"}, {"metrics", "/metrics"},
	} {
		times, err := askOften(ctx, root+ask.path)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.1f | %.1f |\n", ask.what, ms(times[len(times)/2]), ms(times[len(times)*95/100]))
	}
	fmt.Println()
	return viewersMemory(strings.TrimPrefix(root, "http://"))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fillJobs stores jobs of every kind, most of them completed, as a server has after a long time.
func fillJobs(ctx context.Context, store *local.Store) error {
	began := time.Now().Add(-webJobs * time.Minute)
	for i := range webJobs {
		at := began.Add(time.Duration(i) * time.Minute)
		j := job.Job{
			ID: job.NewID(at), Owner: "local", Title: fmt.Sprintf("film %d.mkv", i), Status: job.Completed, Options: job.DefaultOptions(),
			Uploaded: true, StartedAt: at, CreatedAt: at, UpdatedAt: at, CompletedAt: at.Add(time.Hour), TotalSegments: 120,
			CompletedSegments: 120, TotalFrames: 172_800, SourceSize: 4 << 30, Warnings: []string{"subtitles in pictures were left out: choose --container mkv"},
		}
		j.FinalKey = job.FinalKey(j.ID, job.MP4)
		switch {
		case i%20 == 0:
			j.Status, j.Reason, j.FinalKey, j.CompletedAt = job.Failed, "film.mkv is cut off at about 50 %: copy it again", "", time.Time{}
		case i%500 == 1:
			j.Status, j.CompletedSegments, j.FinalKey, j.CompletedAt = job.ChunkingComplete, 60, "", time.Time{}
		}
		if err := store.Jobs().Create(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// startWeb serves on a free port of this machine.
func startWeb(ctx context.Context, store *local.Store) (root string, stop func(), err error) {
	log, p := slog.New(slog.DiscardHandler), store.Platform()
	site, err := web.New(ctx, web.Config{
		Platform: p, Actions: &pipeline.Pipeline{Platform: p, Log: log, Now: time.Now}, Objects: store.Handler(), Log: log, Version: "bench",
	})
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	server, ended := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second}, make(chan error, 2)
	go func() { ended <- site.Run(ctx) }()
	go func() { ended <- server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() {
		cancel()
		_ = server.Close()
		<-ended
		<-ended
	}, nil
}

// askOften returns how long each of many requests took, in order of time, after a few that aren't counted.
func askOften(ctx context.Context, url string) ([]time.Duration, error) {
	var times []time.Duration
	for i := range webAsks + 5 {
		began := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s, %w", url, resp.Status, err)
		}
		if i >= 5 {
			times = append(times, time.Since(began))
		}
	}
	slices.Sort(times)
	return times, nil
}

// viewersMemory opens many event streams and prints how much the process grew, with both ends of every connection in it.
func viewersMemory(host string) error {
	heapBefore := inUse()
	conns := make([]net.Conn, 0, webViewers)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	buffer := make([]byte, 64<<10)
	for range webViewers {
		c, err := net.Dial("tcp", host)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		fmt.Fprintf(c, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	}
	for _, c := range conns {
		if err := firstEvent(c, buffer); err != nil {
			return err
		}
	}
	fmt.Printf("%d viewers of the event stream: %.1f MiB of heap and stacks more\n\n", webViewers, float64(inUse()-heapBefore)/(1<<20))
	return nil
}

func firstEvent(c net.Conn, buffer []byte) error {
	seen := 0
	for !strings.Contains(string(buffer[:seen]), "event: job") {
		if seen == len(buffer) {
			return errors.New("no event in the first bytes of a stream")
		}
		n, err := c.Read(buffer[seen:])
		if err != nil {
			return err
		}
		seen += n
	}
	return nil
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
