package service

import (
	"errors"
	"fmt"
	"sync"

	"github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/media"
)

// fatal remembers which requests ended the process that computes depth. The first time may be chance, such as another
// program's hunger for memory; the second time it is the clip.
type fatal struct {
	mu    sync.Mutex
	known map[string]bool // by hash of the request
}

// maxFatal bounds what is remembered, for requests that never come again.
const maxFatal = 1024

// judge returns the error that the end of a conversion comes to.
func (f *fatal) judge(request string, err error) error {
	var died *child.DiedError
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		delete(f.known, request)
	case !errors.As(err, &died) || !died.OfPictures():
	case f.known[request]:
		return &media.Error{Reason: fmt.Sprintf("the segment failed twice: %v", died)}
	default:
		if f.known == nil || len(f.known) >= maxFatal {
			f.known = map[string]bool{}
		}
		f.known[request] = true
	}
	return err
}
