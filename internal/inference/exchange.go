package inference

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stereospot/stereospot/internal/platform"
)

// Exchange is how the objects of a request come to a service and back.
type Exchange interface {
	// Offer makes the segment reachable. Its Close must be called.
	Offer(ctx context.Context, r Request) (Offer, error)
}

// Offer is one request's objects as the service is told of them.
type Offer interface {
	// URIs are the addresses of the segment and of the result.
	URIs() (input, output string)
	// Accept makes sure that the answered output is the request's, and published.
	Accept(ctx context.Context, a Answer) error
	// Close withdraws what the service no longer needs.
	Close() error
}

// Buckets is an Exchange with a service that reads and writes the object stores itself.
type Buckets struct {
	Input, Output string // names of the buckets on S3
	Results       Writer // the output bucket
}

var _ Exchange = Buckets{}

// Offer implements Exchange.
func (b Buckets) Offer(_ context.Context, r Request) (Offer, error) { return bucketOffer{b, r}, nil }

type bucketOffer struct {
	Buckets
	request Request
}

// URIs implements Offer.
func (o bucketOffer) URIs() (input, output string) {
	return ObjectURI(o.Buckets.Input, o.request.Input), ObjectURI(o.Buckets.Output, o.request.Output)
}

// Accept implements Offer.
func (o bucketOffer) Accept(ctx context.Context, _ Answer) error {
	return Published(ctx, o.Results, o.request)
}

// Close implements Offer.
func (o bucketOffer) Close() error { return nil }

// Published returns nil when the request's output is there, and a *FailedError when it isn't or answers another request.
func Published(ctx context.Context, from Writer, r Request) error {
	o, err := from.Head(ctx, r.Output)
	if errors.Is(err, platform.ErrNotFound) {
		return &FailedError{Reason: "it answered, but left no output"}
	}
	if err != nil {
		return err
	}
	return Answers(o, r)
}

// Answers returns nil when o is the whole answer to the request, with as many frames as the segment has, else a
// *FailedError.
func Answers(o platform.Object, r Request) error {
	if frames, ok := Matches(o, r); !ok || r.Window.Frames > 0 && frames != r.Window.Frames {
		return &FailedError{Reason: "it answered, but its output is that of another request"}
	}
	return nil
}

// Folder is an Exchange with a service that sees a directory of this machine, at the same path. Segments are linked or
// copied there; results are taken from there into the output store.
type Folder struct {
	Dir    string // absolute
	Input  Reader
	Output Writer
}

var _ Exchange = Folder{}

// Offer implements Exchange.
func (f Folder) Offer(ctx context.Context, r Request) (_ Offer, err error) {
	o := folderOffer{Folder: f, request: r}
	if o.dir, err = os.MkdirTemp(f.Dir, "segment-*"); err != nil {
		return nil, fmt.Errorf("can't hand a segment over to the inference service: %w", err)
	}
	if err := o.hand(ctx); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// folderOffer is a directory of its own for one request.
type folderOffer struct {
	Folder
	request Request
	dir     string
}

func (o folderOffer) input() string  { return filepath.Join(o.dir, "segment.mkv") }
func (o folderOffer) output() string { return filepath.Join(o.dir, "converted.mp4") }

// hand puts the segment into the directory.
func (o folderOffer) hand(ctx context.Context) error {
	path, err := platform.Fetch(ctx, o.Input, o.request.Input, o.dir)
	if err != nil {
		return err
	}
	if os.Link(path, o.input()) == nil {
		return nil
	}
	return copyFile(path, o.input()) // another disk, or one without links
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// URIs implements Offer.
func (o folderOffer) URIs() (input, output string) { return FileURI(o.input()), FileURI(o.output()) }

// Accept implements Offer: it publishes the file that the service wrote, if it is the one that it speaks of.
func (o folderOffer) Accept(ctx context.Context, a Answer) error {
	sum, err := platform.HashFile(o.output())
	if errors.Is(err, os.ErrNotExist) {
		return &FailedError{Reason: "it answered, but left no output"}
	}
	if err != nil {
		return err
	}
	if sum != a.Content {
		return &FailedError{Reason: "it answered, but its output is not what it speaks of"}
	}
	_, err = publish(ctx, o.Output, o.request, o.output(), a.Frames)
	return err
}

// Close implements Offer.
func (o folderOffer) Close() error { return os.RemoveAll(o.dir) }
