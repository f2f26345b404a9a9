package inference

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

// MaxInvocation bounds the body of an invocation, in bytes.
const MaxInvocation = 64 << 10

// Invocation is the body of POST /invocations: one conversion by addresses. What comes after Format may be left out;
// ParseInvocation fills in the defaults.
type Invocation struct {
	InputURI     string            `json:"input_uri"`  // of the segment, as ParseLocation reads it
	OutputURI    string            `json:"output_uri"` // of the result
	JobID        string            `json:"job_id"`     // for the log
	SegmentIndex int               `json:"segment_index"`
	Window       media.Window      `json:"window"` // of the segment's own frames in its file
	Format       job.Format        `json:"format"`
	Stereo       job.StereoOptions `json:"stereo"`
	Depth        job.DepthOptions  `json:"depth"`
	Encode       job.EncodeOptions `json:"encode"`
	// Content is the SHA-256 of the segment's bytes, hexadecimal. Left out, it is taken from the segment.
	Content string `json:"content,omitempty"`
}

// Invoke returns the invocation that asks for r between two addresses.
func Invoke(r Request, input, output string) Invocation {
	r.Encode.Container = job.AutoContainer // a segment is the same whatever file it ends up in
	return Invocation{
		InputURI: input, OutputURI: output, JobID: r.JobID, SegmentIndex: r.Index, Window: r.Window,
		Format: r.Format, Stereo: r.Stereo, Depth: r.Depth, Encode: r.Encode, Content: r.Content,
	}
}

// Request returns what is asked of a converter once the addresses have become keys.
func (i Invocation) Request(input, output string) Request {
	return Request{
		JobID: i.JobID, Index: i.SegmentIndex, Input: input, Output: output, Window: i.Window, Content: i.Content,
		Format: i.Format, Stereo: i.Stereo, Depth: i.Depth, Encode: i.Encode,
	}
}

// RefusedError says that an invocation can't be understood or isn't allowed; trying it again is no use.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

func refusedf(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// ParseInvocation reads one invocation and nothing after it. The error is a *RefusedError that names every problem.
func ParseInvocation(body []byte) (Invocation, error) {
	if len(body) > MaxInvocation {
		return Invocation{}, refusedf("the request has more than %d bytes", MaxInvocation)
	}
	if missing := missingFields(body); len(missing) > 0 {
		return Invocation{}, refusedf("the request lacks %s", strings.Join(missing, ", "))
	}
	defaults := job.DefaultOptions()
	i := Invocation{Stereo: defaults.Stereo, Depth: defaults.Depth, Encode: defaults.Encode}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&i); err != nil {
		return Invocation{}, refusedf("the request is not the JSON that is expected: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Invocation{}, refusedf("something follows the request's JSON object")
	}
	if err := i.validate(); err != nil {
		return Invocation{}, refusedf("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return i, nil
}

// missingFields lists the required fields that a JSON object lacks. What isn't an object is left to the decoder.
func missingFields(body []byte) []string {
	var given map[string]json.RawMessage
	if json.Unmarshal(body, &given) != nil {
		return nil
	}
	var missing []string
	for _, name := range []string{"input_uri", "output_uri", "job_id", "segment_index", "window", "format"} {
		if v, ok := given[name]; !ok || string(v) == "null" {
			missing = append(missing, name)
		}
	}
	return missing
}

var (
	contentPattern = regexp.MustCompile(`^([0-9a-f]{64})?$`)
	jobPattern     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	// encoderPattern is that of the names of encoders and presets, which become arguments of FFmpeg.
	encoderPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,31})?$`)
)

// validate returns every problem with i, joined.
func (i Invocation) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !jobPattern.MatchString(i.JobID) {
		bad("job_id is %.80q: use letters, digits, dots, hyphens and underscores, 64 at most", i.JobID)
	}
	if i.SegmentIndex < 0 {
		bad("segment_index is %d: use 0 or more", i.SegmentIndex)
	}
	if !windowOK(i.Window) {
		bad("window is %d frames from frame %d: use 1 to %d frames from frame 0 or later", i.Window.Frames, i.Window.First, maxWindow)
	}
	if !contentPattern.MatchString(i.Content) {
		bad("content is %.80q: use a SHA-256 in lower-case hexadecimal, or leave it out", i.Content)
	}
	if !encoderPattern.MatchString(i.Encode.Encoder) || !encoderPattern.MatchString(i.Encode.Preset) {
		bad("encoder %.80q or preset %.80q is no such name", i.Encode.Encoder, i.Encode.Preset)
	}
	if i.Encode.Encoder == media.GPUEncoder {
		bad("encoder gpu could be another on each machine: name one, such as h264_nvenc")
	}
	for name, uri := range map[string]string{"input_uri": i.InputURI, "output_uri": i.OutputURI} {
		if _, err := ParseLocation(uri); err != nil {
			bad("%s: %w", name, err)
		}
	}
	if i.InputURI == i.OutputURI {
		bad("input_uri and output_uri are the same")
	}
	o := job.DefaultOptions()
	o.Format, o.Stereo, o.Depth, o.Encode = i.Format, i.Stereo, i.Depth, i.Encode
	return errors.Join(append(errs, o.Validate())...)
}
