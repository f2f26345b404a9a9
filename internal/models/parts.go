package models

import (
	"cmp"
	"os"
	"path/filepath"
)

// weightsEnding is what the name of a network's second file has behind the network's.
const weightsEnding = "_data"

// part is one file of a model.
type part struct {
	Model         // of which File, Size and SHA256 are this file's
	path   string // where it is, or is to be
	remote remote // what the hub says of it
	here   bool   // it is in its place, as the hub has it
}

// partial is where the file is until it is whole.
func (p part) partial() string { return p.path + "." + p.remote.sha256[:12] + ".part" }

// parts returns the files of a model whose network is at a path, that one last.
func parts(m Model, path string) []part {
	network := part{Model: m, path: path}
	if m.Weights.File == "" {
		return []part{network}
	}
	weights := part{Model: m, path: path + weightsEnding}
	weights.File, weights.Size, weights.SHA256 = m.Weights.File, m.Weights.Size, m.Weights.SHA256
	return []part{weights, network}
}

// complete reports whether every file of a model is here, whatever is in it.
func (s *Store) complete(m Model) bool {
	for _, p := range parts(m, s.pathOf(m.Name)) {
		if !isFile(p.path) {
			return false
		}
	}
	return true
}

// sizeOf returns the bytes of all files.
func sizeOf(parts []part) (total int64, err error) {
	for _, p := range parts {
		info, err := os.Stat(p.path)
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}

// locked returns m with what it doesn't know itself and was written down when the model at a path was fetched: hashes, and
// that the weights have a file of their own.
func locked(m Model, path string) Model {
	l, err := readLock(filepath.Join(filepath.Dir(path), lockName))
	if err != nil {
		return m // never fetched, or no more legible
	}
	m.SHA256 = cmp.Or(m.SHA256, l.SHA256)
	if l.Weights != nil {
		m.Weights.File, m.Weights.SHA256 = cmp.Or(m.Weights.File, l.Weights.File), cmp.Or(m.Weights.SHA256, l.Weights.SHA256)
	}
	return m
}
