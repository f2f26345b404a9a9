package models

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/models/modelstest"
)

// pair is a hub with a model of two files, and a store that asks it.
type pair struct {
	*modelstest.Hub
	asking           *Hub
	store            *Store
	network, weights modelstest.File
	progress         [][2]int64
}

func newPair(t *testing.T) *pair {
	p := &pair{store: &Store{Dir: t.TempDir()}}
	p.network = modelstest.File{Repo: "owner/pair", Revision: "main", Path: "onnx/model.onnx", Content: bytes.Repeat([]byte("network "), 1000)}
	p.weights = modelstest.File{Repo: "owner/pair", Revision: "main", Path: "onnx/model.onnx_data", Content: bytes.Repeat([]byte("weights."), 30_000)}
	p.Hub = modelstest.New(t, p.network, p.weights)
	p.asking = &Hub{Endpoint: p.URL, Wait: func(context.Context, time.Duration) error { return nil }}
	return p
}

// model is the registry's entry; its hashes aren't known.
func (p *pair) model() Model {
	return Model{Name: "pair", Repo: "owner/pair", Revision: "main", File: p.network.Path, Weights: Weights{File: p.weights.Path}, License: apache}
}

func (p *pair) pull(t *testing.T) error {
	t.Helper()
	p.progress = nil
	path, err := p.store.Pull(t.Context(), p.asking, p.model(), func(have, size int64) { p.progress = append(p.progress, [2]int64{have, size}) })
	if err == nil && path != p.store.pathOf("pair") {
		t.Errorf("pulled to %s", path)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	return err
}

// checkWhole checks that both files are here and known to be whole.
func (p *pair) checkWhole(t *testing.T) {
	t.Helper()
	path := p.store.pathOf("pair")
	for name, want := range map[string][]byte{path: p.network.Content, path + "_data": p.weights.Content} {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", filepath.Base(name), len(got), len(want), err)
		}
	}
	if err := p.store.Verify(Installed{Name: "pair", Path: path}); err != nil {
		t.Error(err)
	}
	both := int64(len(p.network.Content) + len(p.weights.Content))
	if last := p.progress[len(p.progress)-1]; last != [2]int64{both, both} {
		t.Errorf("progress ends at %v, both files have %d bytes", last, both)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.part")); err != nil || left != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// checkAbsent checks that the model doesn't count as installed.
func (p *pair) checkAbsent(t *testing.T) {
	t.Helper()
	if p.store.complete(p.model()) {
		t.Error("the model counts as installed")
	}
	if whole, err := p.store.whole(p.model()); whole || err != nil {
		t.Errorf("the model counts as whole: %v, %v", whole, err)
	}
}

func TestModelOfTwoFilesIsFetchedWhole(t *testing.T) {
	p := newPair(t)
	if err := p.pull(t); err != nil {
		t.Fatal(err)
	}
	p.checkWhole(t)
	for i, now := range p.progress[1:] {
		if now[0] < p.progress[i][0] {
			t.Errorf("progress goes back from %d to %d", p.progress[i][0], now[0])
		}
	}
	asked := p.Asked()
	if err := p.pull(t); err != nil || p.Asked() != asked {
		t.Errorf("a second pull: %v, %d requests", err, p.Asked()-asked)
	}
	m := p.model()
	m.SHA256, m.Weights.SHA256 = p.network.Sum(), p.weights.Sum()
	if got, err := p.store.Content(Installed{Path: p.store.pathOf("pair")}); err != nil || got != m.Content() {
		t.Errorf("its content is %s, %v; the registry says %s", got, err, m.Content())
	}
}

func TestSecondFileThatBreaksOffGoesOn(t *testing.T) {
	p := newPair(t)
	p.Trouble(func(now *modelstest.Troubles) { now.Cut = []int{100_000, 0, 0, 0, 0, 0} })
	if err := p.pull(t); err == nil {
		t.Fatal("five attempts without a byte were no failure")
	}
	p.checkAbsent(t)
	p.Trouble(func(now *modelstest.Troubles) { now.Cut = nil })
	before := len(p.Ranges())
	if err := p.pull(t); err != nil {
		t.Fatal(err)
	}
	if ranges := p.Ranges()[before:]; len(ranges) != 2 || ranges[0] != "bytes=100000-" || ranges[1] != "" {
		t.Errorf("asked for %q", ranges)
	}
	p.checkWhole(t)
}

func TestCrashBetweenTwoFilesFetchesTheRest(t *testing.T) {
	p := newPair(t)
	if err := p.pull(t); err != nil {
		t.Fatal(err)
	}
	path := p.store.pathOf("pair")
	if err := os.Remove(path); err != nil { // as if the weights alone had been moved to their place
		t.Fatal(err)
	}
	p.checkAbsent(t)
	before := len(p.Ranges())
	if err := p.pull(t); err != nil || len(p.Ranges()) != before+1 {
		t.Errorf("%v, %d downloads", err, len(p.Ranges())-before)
	}
	p.checkWhole(t)
}

func TestDamageOfEitherFileIsFoundAndMended(t *testing.T) {
	for _, ending := range []string{"", "_data"} {
		p := newPair(t)
		if err := p.pull(t); err != nil {
			t.Fatal(err)
		}
		path := p.store.pathOf("pair")
		if err := os.WriteFile(path+ending, []byte("damaged"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := p.store.Verify(Installed{Name: "pair", Path: path})
		if err == nil || !strings.Contains(err.Error(), "the SHA-256 of model.onnx"+ending+" is") {
			t.Errorf("damaged %q: %v", ending, err)
		}
		before := len(p.Ranges())
		if err := p.pull(t); err != nil || len(p.Ranges()) != before+1 {
			t.Errorf("pulled over damaged %q: %v, %d downloads", ending, err, len(p.Ranges())-before)
		}
		p.checkWhole(t)
	}
}

func TestTroubleWithEitherFileLeavesNoModel(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		prepare func(p *pair, m *Model)
		want    string
	}{
		"wrong bytes":               {func(p *pair, _ *Model) { p.Trouble(func(now *modelstest.Troubles) { now.WrongBytes = true }) }, "what came of model.onnx_data has SHA-256"},
		"other weights than pinned": {func(_ *pair, m *Model) { m.Weights.SHA256 = zeros }, "nothing was fetched"},
		"another network":           {func(_ *pair, m *Model) { m.SHA256 = zeros }, "nothing was fetched"},
		"no weights on the hub":     {func(_ *pair, m *Model) { m.Weights.File = "onnx/gone" }, "no such file"},
		// Each file has room alone.
		"disk full": {func(p *pair, _ *Model) { p.store.Free = func() (int64, error) { return 247_000, nil } }, "pair needs 0.2 MB"},
	} {
		p := newPair(t)
		m := p.model()
		c.prepare(p, &m)
		if _, err := p.store.Pull(t.Context(), p.asking, m, func(int64, int64) {}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "wrong bytes" && len(p.Ranges()) != 0 {
			t.Errorf("%s: bytes were fetched", name)
		}
		p.checkAbsent(t)
	}
}

func TestLockOfModelsFetchedBeforeStaysLegible(t *testing.T) {
	dir := t.TempDir()
	old := `{"name": "tiny", "repo": "owner/tiny", "commit": "c0ffee", "file": "onnx/model.onnx", "size": 7, "sha256": "` +
		strings.Repeat("a", 64) + `", "license": "Apache-2.0", "fetched": "2026-01-02T03:04:05Z"}`
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := readLock(filepath.Join(dir, lockName))
	if err != nil || l.SHA256 != strings.Repeat("a", 64) || l.Size != 7 || l.File != "onnx/model.onnx" || l.Weights != nil || l.Fetched.Year() != 2026 {
		t.Errorf("%+v, %v", l, err)
	}
	var fields, was map[string]any
	text, err := json.Marshal(l)
	if err != nil || json.Unmarshal(text, &fields) != nil || json.Unmarshal([]byte(old), &was) != nil || len(fields) != len(was) {
		t.Errorf("written again it is %s", text)
	}
}
