//go:build cgo

package onnx

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
)

// fitBatch settles how many pictures are computed at once, of which asked may be 0 for the default. A picture's map must not
// depend on its neighbours', which a batch mixes where its values are quantised by one range.
func (m *Model) fitBatch(asked int) error {
	if m.provider == CPU {
		return nil
	}
	mixes, err := contains(m.path, rangeOverAll)
	if err != nil || mixes {
		return err
	}
	m.batch.Store(int64(cmp.Or(max(asked, 0), defaultBatch)))
	return nil
}

// rangeOverAll begins the names of the operators that quantise values by the range of all of them.
const rangeOverAll = "DynamicQuantize"

// contains reports whether a text is in a file, which may be of any size.
func contains(path, text string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	window, kept := make([]byte, 1<<20), 0
	for {
		n, err := f.Read(window[kept:])
		if bytes.Contains(window[:kept+n], []byte(text)) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		n += kept
		kept = min(n, len(text)-1) // it may begin here and end in what comes
		copy(window, window[n-kept:n])
	}
}
