// Package inference turns one segment object into one converted object. Converter is the seam: the
// pipeline doesn't know whether the work happens in this process or behind a network.
package inference

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// EngineVersion is part of every request's hash. Raise it when the same request would give other
// frames than before, so that outputs of an older engine are made again instead of being mixed in.
const EngineVersion = 1

// Metadata of a converted object, by which it is recognised as the answer to a request.
const (
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

// Result is what a conversion made.
type Result struct {
	Frames  int
	Seconds float64
}

// Converter makes the output object of a request: whole, counted and tagged with its metadata, or not
// at all. It may be called concurrently. progress, if not nil, hears the number of frames done so far.
type Converter interface {
	Convert(ctx context.Context, r Request, progress func(frames int)) (Result, error)
}

// Matches reports whether o is the whole answer to the request, and its number of frames.
func Matches(o platform.Object, r Request) (frames int, ok bool) {
	n, err := strconv.Atoi(o.Metadata[MetaFrames])
	return n, err == nil && n > 0 && o.Metadata[MetaRequest] == r.Hash()
}
