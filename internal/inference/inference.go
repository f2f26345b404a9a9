// Package inference turns one segment object into one converted object. Converter is the seam: the
// pipeline doesn't know whether the work happens in this process or behind a network.
package inference

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// EngineVersion is part of every request's hash. Raise it when the same request would give other
// frames than before, so that outputs of an older engine are made again instead of being mixed in.
const EngineVersion = 7

// Metadata of a segment's object (MetaContent, MetaWindow), and of a converted one, by which it is recognised as the
// answer to a request.
const (
	MetaWindow  = "stereospot-window"  // FormatWindow of a segment's own frames in its file
	MetaRequest = "stereospot-request" // Request.Hash
	MetaFrames  = "stereospot-frames"  // decimal count of video frames
	MetaContent = "stereospot-sha256"  // SHA-256 of the object's bytes, hexadecimal
)

// Request is one conversion. Its hash names everything that the output's bytes depend on.
type Request struct {
	JobID   string            `json:"-"` // for logs; the same segment of another job gives the same bytes
	Index   int               `json:"-"`
	Input   string            `json:"-"`       // key of the segment in the input bucket
	Output  string            `json:"-"`       // key of the result in the output bucket
	Window  media.Window      `json:"-"`       // of the segment's own frames in its file, which Content implies; zero: as the file says
	Content string            `json:"content"` // SHA-256 of the segment's bytes
	Format  job.Format        `json:"format"`
	Stereo  job.StereoOptions `json:"stereo"`
	Depth   job.DepthOptions  `json:"depth"`
	Encode  job.EncodeOptions `json:"encode"`
}

// Hash returns the SHA-256 of the request and the engine's version, hexadecimal.
func (r Request) Hash() string {
	r.Encode.Container = "" // a segment is the same whatever file it ends up in
	b, err := json.Marshal(struct {
		Engine  int     `json:"engine"`
		Request Request `json:"request"`
	}{EngineVersion, r})
	if err != nil {
		panic(err) // strings and numbers only; options are validated to be finite
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Complete reports whether r says all that a service elsewhere must be told.
func (r Request) Complete() error {
	if !windowOK(r.Window) || r.Content == "" {
		return fmt.Errorf("the object of segment %d doesn't say which frames are its own", r.Index)
	}
	return nil
}

// Result is what a conversion made.
type Result struct {
	Frames  int
	Seconds float64
	Content string // SHA-256 of the output's bytes, hexadecimal; empty where only their maker knows
}

// Reader is what a conversion reads its segment by: a part of platform.Objects, to the same contract.
type Reader interface {
	Head(ctx context.Context, key string) (platform.Object, error)
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, platform.Object, error)
}

// Writer is what a conversion publishes its result by: a part of platform.Objects, to the same contract.
type Writer interface {
	Head(ctx context.Context, key string) (platform.Object, error)
	Put(ctx context.Context, key string, r io.Reader, opts platform.PutOptions) (platform.Object, error)
}

// ErrContent says that a segment's bytes are not those that were asked about: it was replaced, or is damaged.
var ErrContent = errors.New("the segment is not the one that the request speaks of")

// Converter makes the output object of a request: whole, counted and tagged with its metadata, or not
// at all. It may be called concurrently. progress, if not nil, hears the number of frames done so far: all but their
// encoding, which goes on for a while after the last.
type Converter interface {
	Convert(ctx context.Context, r Request, progress func(frames int)) (Result, error)
}

// Matches reports whether o is the whole answer to the request, and its number of frames.
func Matches(o platform.Object, r Request) (frames int, ok bool) {
	n, err := strconv.Atoi(o.Metadata[MetaFrames])
	return n, err == nil && n > 0 && o.Metadata[MetaRequest] == r.Hash()
}

// FormatWindow writes a window as an object's metadata, such as 12+1440: the first frame and the number of them.
func FormatWindow(w media.Window) string { return fmt.Sprintf("%d+%d", w.First, w.Frames) }

// ParseWindow is the inverse of FormatWindow; the zero window for text that it would not have written.
func ParseWindow(text string) media.Window {
	var w media.Window
	if _, err := fmt.Sscanf(text, "%d+%d", &w.First, &w.Frames); err != nil || FormatWindow(w) != text || !windowOK(w) {
		return media.Window{}
	}
	return w
}

// maxWindow bounds the frames of a segment.
const maxWindow = 1 << 20

func windowOK(w media.Window) bool {
	return w.First >= 0 && w.First <= maxWindow && w.Frames >= 1 && w.Frames <= maxWindow
}
