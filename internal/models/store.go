package models

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// Store is the directory of the models of this machine. Fetched ones have a directory each; a person may put other
// .onnx files beside those.
type Store struct {
	Dir string
	// Free returns the room on its disk; nil asks the system.
	Free func() (int64, error)

	mu     sync.Mutex
	hashes map[string]known
}

// known is a file's hash, for as long as the file isn't changed.
type known struct {
	size    int64
	changed time.Time
	sum     string
}

const (
	fileName = "model.onnx"
	lockName = "lock.json"
)

// DefaultDir is where models are unless somebody says otherwise: beside the data of a user's programs. It is empty where
// there is no home directory.
func DefaultDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "stereospot", "models")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "stereospot", "models")
}

func (s *Store) dirOf(name string) string  { return filepath.Join(s.Dir, name) }
func (s *Store) pathOf(name string) string { return filepath.Join(s.dirOf(name), fileName) }

// Installed is a model that is on this machine.
type Installed struct {
	Name string
	Path string
	Spec depth.Spec
	Rank int // above 0 for those that auto may take
}

// Installed returns the models that are here, the best first.
func (s *Store) Installed() ([]Installed, error) {
	if s.Dir == "" { // there is no home directory
		return nil, nil
	}
	var all []Installed
	for _, m := range Registry() {
		if isFile(s.pathOf(m.Name)) {
			all = append(all, Installed{m.Name, s.pathOf(m.Name), m.Spec, m.Rank})
		}
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".onnx")
		if _, taken := find(Registry(), name); !ok || e.IsDir() || taken {
			continue
		}
		found, err := s.file(filepath.Join(s.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		found.Name = name
		all = append(all, found)
	}
	slices.SortStableFunc(all, func(a, b Installed) int { return b.Rank - a.Rank })
	return all, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// file describes a file that is in no registry.
func (s *Store) file(path string) (Installed, error) {
	spec, err := sidecar(path)
	return Installed{Name: path, Path: path, Spec: spec}, err
}

// Find returns an installed model by name, or by path if paths is set.
func (s *Store) Find(name string, paths bool) (Installed, error) {
	if isPath(name) {
		switch {
		case !paths:
			return Installed{}, fmt.Errorf("depth model %q is a path: use the name of an installed model", name)
		case !isFile(name):
			return Installed{}, fmt.Errorf("depth model %s isn't there", name)
		}
		return s.file(name)
	}
	all, err := s.Installed()
	if err != nil {
		return Installed{}, err
	}
	if i := slices.IndexFunc(all, func(m Installed) bool { return m.Name == name }); i >= 0 {
		return all[i], nil
	}
	if _, known := find(Registry(), name); known {
		return Installed{}, fmt.Errorf("depth model %s isn't installed: fetch it with `stereospot models pull %s`", name, name)
	}
	return Installed{}, fmt.Errorf("unknown depth source %q: use classic, an installed model (stereospot models list) or the path of an .onnx file", name)
}

func isPath(name string) bool {
	return strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".onnx")
}

// Content returns the SHA-256 by which a model is told from others: the file's, or where weights are in a file of their
// own, that of both hashes.
func (s *Store) Content(m Installed) (string, error) {
	sum, err := s.hash(m.Path)
	if err != nil {
		return "", err
	}
	for _, weights := range []string{m.Path + "_data", m.Path + ".data"} {
		if isFile(weights) {
			other, err := s.hash(weights)
			if err != nil {
				return "", err
			}
			both := sha256.Sum256([]byte(sum + "\n" + other))
			sum = hex.EncodeToString(both[:])
		}
	}
	return sum, nil
}

// hash returns a file's SHA-256, read once for as long as the file stays as it is.
func (s *Store) hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	k, ok := s.hashes[path]
	s.mu.Unlock()
	if ok && k.size == info.Size() && k.changed.Equal(info.ModTime()) {
		return k.sum, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	k = known{info.Size(), info.ModTime(), hex.EncodeToString(h.Sum(nil))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashes == nil {
		s.hashes = map[string]known{}
	}
	s.hashes[path] = k
	return k.sum, nil
}

// Verify reads an installed model and compares it with the hash that is known: the registry's, else the one that was
// written down when it was fetched.
func (s *Store) Verify(m Installed) error {
	sum, err := s.hash(m.Path)
	if err != nil {
		return err
	}
	want := ""
	if known, ok := find(Registry(), m.Name); ok {
		want = known.SHA256
	}
	if want == "" {
		l, err := readLock(filepath.Join(filepath.Dir(m.Path), lockName))
		if err != nil {
			return fmt.Errorf("%s was not fetched by stereospot, so nothing is known to compare with; its SHA-256 is %s", m.Name, sum)
		}
		want = l.SHA256
	}
	if sum != want {
		return fmt.Errorf("%s is damaged: its SHA-256 is %s, not %s; fetch it again with `stereospot models pull %s`", m.Name, sum, want, m.Name)
	}
	return nil
}

func readLock(path string) (l lock, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	return l, err
}
