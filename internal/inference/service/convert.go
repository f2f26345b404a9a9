package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// conversion is an invocation whose addresses have become keys of stores.
type conversion struct {
	input   inference.Reader
	output  inference.Writer
	request inference.Request
}

// resolve finds the stores of an invocation. *inference.RefusedError where this service has none for it.
func (s *Server) resolve(in inference.Invocation) (conversion, error) {
	input, inputKey, err := s.store(in.InputURI)
	if err != nil {
		return conversion{}, err
	}
	output, outputKey, err := s.store(in.OutputURI)
	if err != nil {
		return conversion{}, err
	}
	c := conversion{input: input, output: output, request: in.Request(inputKey, outputKey)}
	c.request.Depth, err = s.settle(c.request.Depth)
	return c, err
}

// settle returns the depth source that a request means, with the content it has here. *inference.RefusedError where it
// isn't here, *LaterError where it may be soon.
func (s *Server) settle(d job.DepthOptions) (job.DepthOptions, error) {
	if s.Models == nil && d.Model != job.Classic {
		return d, &inference.RefusedError{Reason: fmt.Sprintf("unknown depth source %q: this service has classic alone", d.Model)}
	}
	if s.Models == nil {
		return d, nil
	}
	settled, err := s.Models.Resolve(d)
	if errors.As(err, new(*LaterError)) {
		return d, err
	}
	if err != nil {
		return d, &inference.RefusedError{Reason: err.Error()}
	}
	return settled, nil
}

// store returns the store that an address lies in, and its key there.
func (s *Server) store(uri string) (Store, string, error) {
	at, err := inference.ParseLocation(uri)
	if err != nil {
		return nil, "", &inference.RefusedError{Reason: err.Error()}
	}
	if at.Path == "" {
		if s.Bucket == nil {
			return nil, "", &inference.RefusedError{Reason: "this service takes no s3:// addresses"}
		}
		return s.Bucket(at.Bucket), at.Key, nil
	}
	for _, f := range s.folders {
		if key, ok := f.key(at.Path); ok {
			return f, key, nil
		}
	}
	return nil, "", &inference.RefusedError{Reason: "file:// addresses must lie in a directory that --allow-files names"}
}

// answer does the conversion, unless its output is there already.
func (s *Server) answer(ctx context.Context, c conversion) (inference.Answer, error) {
	var err error
	if c.request.Content, err = identify(ctx, c); err != nil {
		return inference.Answer{}, err
	}
	answer := inference.Answer{Status: inference.OK, Request: c.request.Hash()}
	kept, err := c.output.Head(ctx, c.request.Output)
	if err != nil && !errors.Is(err, platform.ErrNotFound) {
		return inference.Answer{}, err
	}
	if frames, ok := inference.Matches(kept, c.request); ok {
		answer.Kept, answer.Frames, answer.Content = true, frames, kept.Metadata[inference.MetaContent]
		return answer, nil
	}
	local := &inference.Local{Input: c.input, Output: c.output, Scratch: s.Scratch, Workers: s.Workers, Models: s.Models, GPU: s.GPU}
	res, err := s.calm(ctx, func() (inference.Result, error) { return local.Convert(ctx, c.request, nil) })
	if err = s.fatal.judge(answer.Request, err); err != nil {
		return inference.Answer{}, err
	}
	answer.Frames, answer.Seconds, answer.Content = res.Frames, res.Seconds, res.Content
	return answer, nil
}

// identify returns the hash of the segment's bytes: what the request says, or else the object, or else the bytes.
func identify(ctx context.Context, c conversion) (string, error) {
	if c.request.Content != "" {
		return c.request.Content, nil
	}
	o, err := c.input.Head(ctx, c.request.Input)
	if err != nil {
		return "", err
	}
	if sum := o.Metadata[inference.MetaContent]; sum != "" {
		return sum, nil
	}
	r, _, err := c.input.Get(ctx, c.request.Input, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
