package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Links lead to a job's result until they expire; whoever holds one may read it.
type Links struct {
	Play     string    `json:"play"`
	Download string    `json:"download"`
	FileName string    `json:"file_name"`
	Playlist string    `json:"playlist"`
	Expires  time.Time `json:"expires"`
}

// Links returns fresh links to a completed job's result.
func (c *Client) Links(ctx context.Context, id string) (l Links, err error) {
	return l, c.call(ctx, http.MethodGet, jobPath(id, "/links"), nil, &l)
}

// Download fetches a completed job's result to a hidden file beside output and returns that file's path: whole, on
// the disk, for the caller to rename. A later call continues what an interrupted one left, if the result is still
// the same. progress is told of bytes.
func (c *Client) Download(ctx context.Context, id, output string, progress func(done, total int64)) (path string, err error) {
	d := &download{c: c, id: id, output: output, progress: progress}
	err = c.endure(ctx, func() bool { return d.moved }, func() error { return d.attempt(ctx) })
	return d.path, err
}

type download struct {
	c        *Client
	id       string
	output   string
	progress func(done, total int64)

	path  string // of the hidden file; empty until the result's version is known
	moved bool   // in the last attempt
}

// attempt asks for the result, and again for its rest where an earlier attempt left the beginning.
func (d *download) attempt(ctx context.Context) error {
	d.moved = false
	ctx, dog := newWatchdog(ctx, silence)
	defer dog.close()
	links, err := d.c.Links(ctx, d.id)
	if err != nil {
		return err
	}
	resp, err := d.get(ctx, links.Download, 0, "")
	if err != nil {
		return err
	}
	defer func() { resp.Body.Close() }()
	d.path = partPath(d.output, d.id, resp.Header.Get("ETag"))
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	total := resp.ContentLength
	offset, err := f.Seek(0, io.SeekEnd)
	if err == nil && offset > 0 {
		resp, offset, err = d.rest(ctx, resp, links.Download, offset, total)
	}
	if err == nil {
		err = d.receive(f, resp.Body, offset, total, dog)
	}
	return errors.Join(err, f.Close())
}

// partPath names the hidden file of one version of one job's result.
func partPath(output, id, etag string) string {
	version := sha256.Sum256([]byte(id + " " + etag))
	return filepath.Join(filepath.Dir(output), fmt.Sprintf(".%s.%s.part", filepath.Base(output), hex.EncodeToString(version[:4])))
}

// rest swaps the answer that brings everything for one that brings what is missing from offset. It returns where
// that one begins: 0 if the result changed in between.
func (d *download) rest(ctx context.Context, whole *http.Response, signed string, offset, total int64) (*http.Response, int64, error) {
	if offset > total || whole.Header.Get("ETag") == "" {
		return whole, 0, nil
	}
	if offset == total {
		return whole, offset, nil // receive finds nothing to read
	}
	whole.Body.Close()
	resp, err := d.get(ctx, signed, offset, whole.Header.Get("ETag"))
	if err != nil {
		return whole, 0, err
	}
	if resp.StatusCode == http.StatusPartialContent && !strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(offset, 10)+"-") {
		resp.Body.Close()
		return whole, 0, fmt.Errorf("the store answers with bytes %q instead of those from %d", resp.Header.Get("Content-Range"), offset)
	}
	if changed := resp.Header.Get("ETag") != whole.Header.Get("ETag"); changed && resp.StatusCode == http.StatusPartialContent {
		resp.Body.Close() // a store that knows no If-Range sends the rest of what is there now
		return whole, 0, fmt.Errorf("%w: the result changed", errBroken)
	}
	if resp.StatusCode != http.StatusPartialContent {
		offset = 0
	}
	return resp, offset, nil
}

func (d *download) get(ctx context.Context, signed string, offset int64, etag string) (*http.Response, error) {
	req, err := d.c.objectRequest(ctx, http.MethodGet, signed, nil)
	if err != nil {
		return nil, err
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		req.Header.Set("If-Range", etag)
	}
	return d.c.send(req)
}

// receive writes body to f from offset and makes sure that the whole result is on the disk.
func (d *download) receive(f *os.File, body io.Reader, offset, total int64, dog *watchdog) error {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	d.progress(offset, total)
	done := offset
	if offset != total {
		_, err := io.Copy(&meter{f, func(n int) {
			dog.alive()
			d.moved = true
			done += int64(n)
			d.progress(done, total)
		}}, brokenReader{body})
		if err != nil {
			return err
		}
	}
	if total >= 0 && done != total {
		return fmt.Errorf("%w after %d of %d bytes", errBroken, done, total)
	}
	return errors.Join(f.Truncate(done), f.Sync())
}

// meter tells of every write.
type meter struct {
	w    io.Writer
	told func(n int)
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.told(n)
	return n, err
}

// brokenReader marks errors of a connection, as against those of the disk.
type brokenReader struct{ r io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errBroken, err)
	}
	return n, err
}
