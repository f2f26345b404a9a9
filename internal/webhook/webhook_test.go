package webhook

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a sender with a receiver, on a clock of its own.
type stage struct {
	t        *testing.T
	platform platform.Platform
	receiver *httptest.Server
	secret   []byte

	mu     sync.Mutex
	now    time.Time
	answer func(n int) int // the status of the n-th delivery, from 1
	got    []delivery
}

type delivery struct {
	id, signature, body string
}

func (s *stage) clock() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now }

func newStage(t *testing.T, allowPrivate bool) *stage {
	t.Helper()
	s := &stage{t: t, now: time.Now(), answer: func(int) int { return 204 }}
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{Now: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s.platform = store.Platform()
	s.receiver = httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(s.receiver.Close)
	sender, err := New(t.Context(), s.platform.Outbox, s.platform.Secrets, Options{
		AllowPrivate: allowPrivate, Log: slog.New(slog.DiscardHandler), Now: s.clock, LookEvery: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.secret = sender.secret
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = sender.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *stage) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, delivery{r.Header.Get(HeaderID), r.Header.Get(HeaderSignature), string(body)})
	status := s.answer(len(s.got))
	if status == http.StatusFound {
		w.Header().Set("Location", s.receiver.URL)
	}
	w.WriteHeader(status)
}

// end makes a job and moves it to a terminal status.
func (s *stage) end(url string, to job.Status) job.Job {
	s.t.Helper()
	j := job.Job{ID: job.NewID(time.Now()), Title: "a.mp4", Status: job.Created, Webhook: url, CreatedAt: time.Now()}
	if err := s.platform.Jobs.Create(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	j, err := s.platform.Jobs.Update(s.t.Context(), j.ID, func(j *job.Job) error { j.Status, j.Reason = to, "why"; return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

// deliveries waits for n of them; the clock goes on by step at each look.
func (s *stage) deliveries(n int, step time.Duration) []delivery {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		got := append([]delivery{}, s.got...)
		s.now = s.now.Add(step)
		s.mu.Unlock()
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d deliveries came, want %d", len(got), n)
		}
	}
}

// settled waits until the outbox is empty, however far in the future its notices are.
func (s *stage) settled() {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		s.now = s.now.Add(longestWait)
		s.mu.Unlock()
		list, err := s.platform.Outbox.Claim(s.t.Context(), 10, 0)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(list) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the outbox still holds %+v", list)
		}
	}
}

func TestJobsEndIsToldOnceAndSigned(t *testing.T) {
	s := newStage(t, true)
	j := s.end(s.receiver.URL, job.Failed)
	s.end("", job.Failed)
	got := s.deliveries(1, 0)[0]
	var body Body
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Event != "job.failed" || body.Job.ID != j.ID || body.Job.Reason != "why" || body.ID != got.id || got.id == "" {
		t.Errorf("told %+v, %v", got, err)
	}
	stamp, _, _ := strings.Cut(strings.TrimPrefix(got.signature, "t="), ",")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || Sign(s.secret, time.Unix(seconds, 0), []byte(got.body)) != got.signature {
		t.Errorf("signature %q, %v", got.signature, err)
	}
	s.settled()
	if n := len(s.deliveries(1, 0)); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestRefusedDeliveryIsTriedAgainUnderTheSameID(t *testing.T) {
	s := newStage(t, true)
	s.answer = func(n int) int { return []int{500, 302, 404, 200}[n-1] }
	s.end(s.receiver.URL, job.Completed)
	got := s.deliveries(4, time.Hour)
	for _, d := range got {
		if d.id != got[0].id || d.body != got[0].body {
			t.Errorf("attempts differ: %+v", got)
		}
	}
	s.settled()
	if n := len(s.deliveries(4, 0)); n != 4 {
		t.Errorf("tried %d times", n)
	}
}

func TestDeliveryIsGivenUpInTheEnd(t *testing.T) {
	s := newStage(t, true)
	s.answer = func(int) int { return 500 }
	s.end(s.receiver.URL, job.Completed)
	s.deliveries(maxAttempts, longestWait)
	s.settled()
}

func TestThisMachineIsNotToldUnlessAllowed(t *testing.T) {
	s := newStage(t, false)
	s.end(s.receiver.URL, job.Completed)
	s.end(strings.Replace(s.receiver.URL, "127.0.0.1", "localhost", 1), job.Completed)
	s.settled()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) != 0 {
		t.Errorf("it was told %+v", s.got)
	}
}

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for address, public := range map[string]bool{
		"93.184.216.34:443": true, "[2606:4700::1111]:443": true,
		"127.0.0.1:80": false, "10.1.2.3:80": false, "172.16.0.1:80": false, "192.168.0.1:80": false, "169.254.169.254:80": false,
		"0.0.0.0:80": false, "100.64.1.1:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false, "[::1]:80": false, "[::]:80": false,
		"[fe80::1%eth0]:80": false, "[fc00::1]:80": false, "[::ffff:127.0.0.1]:80": false, "[64:ff9b::7f00:1]:80": false, "[2002:7f00:1::]:80": false,
		"nonsense": false,
	} {
		if err := checkAddress(address); (err == nil) != public {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestBackOffDoublesToItsBound(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: firstRetry, 2: 2 * firstRetry, 5: 16 * firstRetry, 14: longestWait, 1000: longestWait} {
		if got := backOff(attempts); got != want {
			t.Errorf("after %d attempts wait %v, want %v", attempts, got, want)
		}
	}
}

func TestAReceiverMayBeAwayForTheTimeThatTheDocumentPromises(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil || !strings.Contains(strings.ReplaceAll(string(page), "\n", " "), "about a day and a half") {
		t.Fatalf("docs/api.md promises another time: %v", err)
	}
	var away time.Duration
	for attempts := 1; attempts < maxAttempts; attempts++ {
		away += backOff(attempts)
	}
	if away < 33*time.Hour || away > 39*time.Hour {
		t.Errorf("the last attempt is after %v", away)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://example.org/hook", "http://[::1]/", "ftp://x", "//x", "https://u:p@x", "https://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckURL(s) != nil {
			return
		}
		if _, err := http.NewRequest("POST", s, nil); err != nil {
			t.Errorf("%q is taken and can't be asked: %v", s, err)
		}
	})
}

// lastAnswer is a transport whose answers end something when they have been read.
type lastAnswer struct{ end func() }

func (l lastAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: l}, nil
}

func (lastAnswer) Read([]byte) (int, error) { return 0, io.EOF }
func (l lastAnswer) Close() error           { l.end(); return nil }

func TestDeliveryThatWasTakenWhileTheSenderStopsIsNotRepeated(t *testing.T) {
	s := &stage{t: t, now: time.Now()}
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{Now: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s.platform = store.Platform()
	s.end("http://receiver.example/", job.Completed)
	ctx, stop := context.WithCancel(t.Context())
	sender := &Sender{
		Options: Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, LookEvery: time.Hour},
		outbox:  s.platform.Outbox, client: &http.Client{Transport: lastAnswer{stop}},
	}
	if err := sender.Run(ctx); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Hour)
	later, err := s.platform.Outbox.Claim(t.Context(), 10, 0)
	if err != nil || len(later) > 0 {
		t.Errorf("it would be told again: %v, %v", later, err)
	}
}
