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

// Store is the directory of the models of this machine. Fetched ones have a directory each; a person may put others beside
// those, as NAME.onnx or in a directory as NAME/model.onnx.
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
	Name string // in the registry, or of a person's own: of its file or directory, or its path
	Path string
	Rank int // above 0 for those that auto may take
}

// Spec returns what the network wants: as the registry knows it, or as the files beside a person's own say.
func (m Installed) Spec() (depth.Spec, error) {
	if known, ok := find(Registry(), m.Name); ok {
		return known.Spec, nil
	}
	return sidecar(m.Path)
}

// Installed returns the models that are here, the best first.
func (s *Store) Installed() ([]Installed, error) {
	if s.Dir == "" { // there is no home directory
		return nil, nil
	}
	var all []Installed
	for _, m := range Registry() {
		if s.complete(m) {
			all = append(all, Installed{m.Name, s.pathOf(m.Name), m.Rank})
		}
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the models' directory (--models-dir) can't be read: %w", err)
	}
	for _, e := range entries {
		name, path := ownModel(s.Dir, e)
		if path == "" || slices.ContainsFunc(all, func(m Installed) bool { return m.Name == name }) {
			continue
		}
		all = append(all, Installed{Name: name, Path: path})
	}
	slices.SortStableFunc(all, func(a, b Installed) int { return b.Rank - a.Rank })
	return all, nil
}

// ownModel returns the name and the path of a person's own model, NAME.onnx or NAME/model.onnx; the path is empty where an
// entry of the directory is none.
func ownModel(dir string, e os.DirEntry) (name, path string) {
	name, path = e.Name(), filepath.Join(dir, e.Name())
	if own, ok := strings.CutSuffix(name, ".onnx"); ok {
		name = own
	} else {
		path = filepath.Join(path, fileName)
	}
	if Known(name) || !isFile(path) {
		return "", ""
	}
	return name, path
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Find returns an installed model by name, or by path if paths is set.
func (s *Store) Find(name string, paths bool) (Installed, error) {
	if isPath(name) {
		switch {
		case !paths:
			return Installed{}, fmt.Errorf("depth model %q is a path: use the name of an installed model", name)
		case !isFile(name):
			return Installed{}, fmt.Errorf("depth model %s is no file", name)
		}
		return Installed{Name: name, Path: name}, nil
	}
	all, err := s.Installed()
	if err != nil {
		return Installed{}, err
	}
	if i := slices.IndexFunc(all, func(m Installed) bool { return m.Name == name }); i >= 0 {
		return all[i], nil
	}
	if Known(name) {
		return Installed{}, fmt.Errorf("depth model %s isn't installed: fetch it with `stereospot models pull %s`", name, name)
	}
	return Installed{}, fmt.Errorf("unknown depth source %q: use classic, an installed model (stereospot models list) or the path of an .onnx file", name)
}

func isPath(name string) bool {
	return strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".onnx")
}

// Content returns the SHA-256 by which a model is told from others: the file's, or where weights are in a file of their
// own, that of both hashes. What the files beside it say changes its maps, so it counts as a part where it isn't Depth
// Anything's.
func (s *Store) Content(m Installed) (string, error) {
	sum, err := s.hash(m.Path)
	if err != nil {
		return "", err
	}
	for _, weights := range []string{m.Path + weightsEnding, m.Path + ".data"} {
		if isFile(weights) {
			other, err := s.hash(weights)
			if err != nil {
				return "", err
			}
			sum = both(sum, other)
		}
	}
	spec, err := m.Spec()
	if err != nil || Known(m.Name) || spec == depthAnything() {
		return sum, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	settings := sha256.Sum256(text)
	return both(sum, hex.EncodeToString(settings[:])), nil
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

// Verify reads an installed model and compares every file with the hash that is known: the registry's, else the one that
// was written down when it was fetched. ErrUnknown where neither is.
func (s *Store) Verify(m Installed) error {
	known, _ := find(Registry(), m.Name)
	for _, p := range parts(locked(known, m.Path), m.Path) {
		sum, err := s.hash(p.path)
		switch {
		case err != nil:
			return err
		case p.SHA256 == "":
			return s.unknown(m)
		case p.SHA256 != sum:
			return fmt.Errorf("%s is damaged: the SHA-256 of %s is %s, not %s; fetch it again with `stereospot models pull %s`",
				m.Name, filepath.Base(p.path), sum, p.SHA256, m.Name)
		}
	}
	return nil
}

// ErrUnknown says that nobody knows which content a model should have.
var ErrUnknown = errors.New("was not fetched by stereospot, so nothing is known to compare with")

// unknown is ErrUnknown with the content that the model has.
func (s *Store) unknown(m Installed) error {
	content, err := s.Content(m)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s %w; its SHA-256 is %s", m.Name, ErrUnknown, content)
}

// whole reports whether the model is here with the hashes that are known of it.
func (s *Store) whole(m Model) (bool, error) {
	if !s.complete(m) {
		return false, nil
	}
	path := s.pathOf(m.Name)
	for _, p := range parts(locked(m, path), path) {
		if sum, err := s.hash(p.path); err != nil || sum != p.SHA256 {
			return false, err
		}
	}
	return true, nil
}

func readLock(path string) (l lock, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	return l, err
}
