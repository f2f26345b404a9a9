package client

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// parallelParts is how many parts are sent at a time. Their bytes are read from the file as they are sent.
const parallelParts = 4

// silence is how long a transfer may stand still before its connection is given up.
const silence = time.Minute

// FindUpload returns the newest job that a broken Create or Upload of the same film left: started, not yet whole,
// of the same title, size and options. ok is false where there is none.
func (c *Client) FindUpload(ctx context.Context, n NewJob) (j Job, ok bool, err error) {
	n = n.plain()
	for token := ""; ; {
		var page []Job
		var next string
		err := c.retry(ctx, c.stamina(), func() (err error) {
			page, next, err = c.list(ctx, Query{State: "live", Search: n.search(), Token: token, Limit: 100})
			return err
		})
		if err != nil {
			return Job{}, false, err
		}
		if i := slices.IndexFunc(page, n.continues); i >= 0 {
			return page[i], true, nil
		}
		if token = next; token == "" {
			return Job{}, false, nil
		}
	}
}

// continues reports whether j is n, not yet uploaded.
func (n NewJob) continues(j Job) bool {
	sameSize := j.Upload == nil || j.Upload.Size == 0 || j.Upload.Size == n.Size
	return j.Status == job.Created && !j.Uploaded && !j.StartedAt.IsZero() == n.Start &&
		j.Title == n.Title && sameSize && sameOptions(j.Options, n.Options)
}

// sameOptions reports whether a job has the options that were asked for; the server has settled its depth source.
func sameOptions(has, asked job.Options) bool {
	settled := has.Depth.Settles(asked.Depth)
	has.Depth, asked.Depth = job.DepthOptions{}, job.DepthOptions{}
	return settled && has == asked
}

// upload is one source on its way.
type upload struct {
	c        *Client
	id       string // the job's
	source   io.ReaderAt
	size     int64
	partSize int64
	sent     atomic.Int64 // bytes that have arrived or are on their way
	progress func(done int64)

	mu    sync.Mutex
	parts []part
}

type part struct {
	Number int    `json:"number"` // from 1
	Size   int64  `json:"size,omitempty"`
	ETag   string `json:"etag"`
}

// Upload sends size bytes of source as the job's film. Parts that the server has from an earlier attempt are compared
// by hash and not sent again. progress is told how many bytes have arrived, from several goroutines; it may go down
// when a part has to be repeated. Memory doesn't grow with the film.
func (c *Client) Upload(ctx context.Context, id string, source io.ReaderAt, size int64, progress func(done int64)) (Job, error) {
	u := &upload{c: c, id: id, source: source, size: size, progress: progress}
	missing, err := u.begin(ctx)
	if err != nil {
		return Job{}, err
	}
	group, ctx2 := errgroup.WithContext(ctx)
	group.SetLimit(parallelParts)
	for _, number := range missing {
		if ctx2.Err() != nil {
			break
		}
		group.Go(func() error { return u.part(ctx2, number) })
	}
	if err := group.Wait(); err != nil {
		return Job{}, err
	}
	return u.complete(ctx)
}

// begin opens or continues the upload and returns the numbers of the parts to send.
func (u *upload) begin(ctx context.Context) (missing []int, err error) {
	var open struct {
		PartSize int64 `json:"part_size"`
	}
	if err := u.ask(ctx, http.MethodPost, map[string]int64{"size": u.size}, &open); err != nil {
		return nil, err
	}
	if open.PartSize < 1 {
		return nil, fmt.Errorf("the server names a part size of %d bytes", open.PartSize)
	}
	u.partSize = open.PartSize
	var there struct {
		Parts []part `json:"parts"`
	}
	if err := u.ask(ctx, http.MethodGet, nil, &there); err != nil {
		return nil, err
	}
	for number := 1; number <= int((u.size+u.partSize-1)/u.partSize); number++ {
		i := slices.IndexFunc(there.Parts, func(p part) bool { return p.Number == number })
		if i < 0 || !u.same(ctx, there.Parts[i]) {
			missing = append(missing, number)
			continue
		}
		u.keep(there.Parts[i])
		u.progress(u.sent.Add(there.Parts[i].Size))
	}
	return missing, context.Cause(ctx)
}

// ask asks about the upload as a whole.
func (u *upload) ask(ctx context.Context, method string, in, out any) error {
	return u.c.retry(ctx, u.c.stamina(), func() error { return u.c.once(ctx, method, jobPath(u.id, "/upload"), in, out) })
}

// section returns the bytes of a part.
func (u *upload) section(number int) *io.SectionReader {
	from := int64(number-1) * u.partSize
	return io.NewSectionReader(u.source, from, min(u.partSize, u.size-from))
}

// same reports whether a part on the server is what the film holds there. Where the name isn't a hash that this
// program knows, it can't say, and the part is sent again.
func (u *upload) same(ctx context.Context, p part) bool {
	body := u.section(p.Number)
	if p.Size != body.Size() {
		return false
	}
	there := strings.ToLower(strings.Trim(p.ETag, `"`))
	here, err := contentName(len(there), contextReader{ctx, body})
	return err == nil && here == there
}

// contentName names what r holds by the hash whose names have that length; "" when there is none.
func contentName(length int, r io.Reader) (string, error) {
	switch length {
	case platform.PartHashLen:
		var h platform.PartHash
		_, err := io.Copy(&h, r)
		return h.Name(), err
	case hex.EncodedLen(md5.Size): // S3's
		h := md5.New()
		_, err := io.Copy(h, r)
		return hex.EncodeToString(h.Sum(nil)), err
	}
	return "", nil
}

func (u *upload) keep(p part) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts = append(u.parts, p)
}

// part sends one part, as often as it takes.
func (u *upload) part(ctx context.Context, number int) error {
	return u.c.endure(ctx, func() bool { return false }, func() error {
		var signed struct {
			URL string `json:"url"`
		}
		path := jobPath(u.id, "/upload/parts/"+strconv.Itoa(number))
		if err := u.c.once(ctx, http.MethodPost, path, nil, &signed); err != nil {
			return err
		}
		etag, err := u.put(ctx, number, signed.URL)
		if err != nil {
			return err
		}
		u.keep(part{Number: number, ETag: etag})
		return nil
	})
}

// put makes one attempt at a part and takes its bytes back from the count when it fails.
func (u *upload) put(ctx context.Context, number int, signed string) (etag string, err error) {
	ctx, dog := newWatchdog(ctx, silence)
	defer dog.close()
	section := u.section(number)
	body := &countedReader{r: section, dog: dog, count: func(n int64) { u.progress(u.sent.Add(n)) }}
	defer func() {
		if err != nil {
			body.close()
			u.progress(u.sent.Add(-body.total.Load()))
		}
	}()
	req, err := u.c.objectRequest(ctx, http.MethodPut, signed, body)
	if err != nil {
		return "", err
	}
	req.ContentLength = section.Size()
	resp, err := u.c.send(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if etag = resp.Header.Get("ETag"); etag == "" {
		return "", errors.New("the store names no ETag for a part: its answers need the header")
	}
	return strings.Trim(etag, `"`), nil
}

// complete joins the parts. An attempt whose answer was lost is told from the job.
func (u *upload) complete(ctx context.Context) (j Job, err error) {
	slices.SortFunc(u.parts, func(a, b part) int { return a.Number - b.Number })
	in := struct {
		Parts []part `json:"parts"`
	}{u.parts}
	for i := range in.Parts {
		in.Parts[i].Size = 0
	}
	err = u.c.retry(ctx, u.c.config.Endurance, func() error {
		return u.c.once(ctx, http.MethodPost, jobPath(u.id, "/upload/complete"), in, &j)
	})
	if status := statusOf(err); status == http.StatusNotFound || status == http.StatusConflict {
		if now, getErr := u.c.Get(ctx, u.id); getErr == nil && now.Uploaded {
			return now, nil
		}
	}
	return j, err
}

// countedReader counts what is read, until it is closed: the transport may read on for a moment after a failure.
type countedReader struct {
	r      io.Reader
	dog    *watchdog
	count  func(n int64)
	total  atomic.Int64
	mu     sync.Mutex
	closed bool
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.dog.alive()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.total.Add(int64(n))
		r.count(int64(n))
	}
	return n, err
}

func (r *countedReader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
