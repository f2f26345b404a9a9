package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// store runs use with a fresh embedded platform on the disk of the benchmarks.
func (b *bench) store(ctx context.Context, use func(*local.Store) error) error {
	dir, err := os.MkdirTemp(b.dir, "data-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := local.Open(ctx, dir, local.Options{Notifications: platform.Notifications()})
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.Close())
}

// queue measures messages through send, receive and delete: one sender and one receiver at once, events of the usual size.
func (b *bench) queue(ctx context.Context) error {
	fmt.Printf("### queue, messages per second\n\n| batch | median | all |\n|---|--:|---|\n")
	for _, batch := range []int{1, platform.MaxBatch} {
		var rates []float64
		for range b.rounds {
			err := b.store(ctx, func(s *local.Store) error {
				const messages = 10_000
				took, err := timed(ctx, func(ctx context.Context) error {
					return passMessages(ctx, s.Queues()[platform.VideoWorkerQueue], messages, batch)
				})
				rates = append(rates, messages/took.wall)
				return err
			})
			if err != nil {
				return err
			}
		}
		fmt.Printf("| %d | **%.0f** | %.0f |\n", batch, median(rates), rates)
	}
	fmt.Println()
	return nil
}

// passMessages sends n messages, receives and deletes them.
func passMessages(ctx context.Context, q platform.Queue, n, batch int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		bodies := make([][]byte, batch)
		for i := range bodies {
			bodies[i] = make([]byte, 400)
		}
		for sent := 0; sent < n; sent += batch {
			if err := q.Send(ctx, 0, bodies...); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for done := 0; done < n; {
			list, err := q.Receive(ctx, batch, time.Second)
			if err != nil {
				return err
			}
			for _, m := range list {
				if err := q.Delete(ctx, m.Handle); err != nil {
					return err
				}
			}
			done += len(list)
		}
		return nil
	})
	return g.Wait()
}

// upload measures an upload in parts over HTTP on the loopback, from the first byte to the published object, against
// copies of the same file on the same disk.
func (b *bench) upload(ctx context.Context) error {
	const size = 1 << 30
	source, copied := b.path("upload.bin"), b.path("upload_copy.bin")
	if err := once(ctx, source, command("dd", fmt.Sprintf("if=/dev/urandom of=%s bs=1M count=%d status=none", source, size>>20))); err != nil {
		return err
	}
	defer os.Remove(copied)
	header("upload of 1 GiB, in parts of 16 MiB, four at a time")
	for _, reference := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"cp, and waiting for the disk as the upload does", func(ctx context.Context) error {
			if err := command("cp", source+" "+copied)(ctx); err != nil {
				return err
			}
			return command("sync", copied)(ctx)
		}},
		{"cp alone, which returns before the disk has it", command("cp", source+" "+copied)},
	} {
		r, err := b.measured(ctx, func(ctx context.Context) (took cost, err error) {
			err = b.store(ctx, func(s *local.Store) error {
				if err := b.warm(ctx, source, size); err != nil {
					return err
				}
				took, err = timed(ctx, func(ctx context.Context) error { return sendFile(ctx, s, source, size) })
				return err
			})
			return took, err
		}, func(ctx context.Context) (cost, error) {
			if err := b.warm(ctx, source, size); err != nil {
				return cost{}, err
			}
			took, err := timed(ctx, reference.run)
			return took, errors.Join(err, os.Remove(copied))
		})
		if err != nil {
			return err
		}
		row("reference: "+reference.what, r)
	}
	fmt.Println()
	return nil
}

// warm gives both sides of a pair the same memory: it reads source, so that its content is cached, and writes and removes
// a file of a quarter more than size bytes. A virtual machine returns freed memory to its host within seconds, and getting
// it again takes longer than the copy that is to be measured.
func (b *bench) warm(ctx context.Context, source string, size int64) error {
	scratch := b.path("warm.bin")
	err := errors.Join(
		command("dd", fmt.Sprintf("if=/dev/zero of=%s bs=1M count=%d status=none", scratch, size>>20*5/4))(ctx),
		command("dd", fmt.Sprintf("if=%s of=/dev/null bs=1M status=none", source))(ctx))
	return errors.Join(err, os.Remove(scratch))
}

// sendFile uploads the file as a browser would.
func sendFile(ctx context.Context, s *local.Store, path string, size int64) error {
	const partSize, connections = 16 << 20, 4
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	go func() { _ = server.Serve(listener) }() // until it is closed
	uploads, key := s.Platform().Uploads, "input/bench/source.mp4"
	id, err := uploads.Begin(ctx, key, platform.PutOptions{PartSize: partSize})
	if err != nil {
		return err
	}
	parts := make([]platform.Part, (size+partSize-1)/partSize)
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(connections)
	for i := range parts {
		g.Go(func() error {
			signed, err := uploads.SignPart(within, key, id, i+1, time.Hour)
			if err != nil {
				return err
			}
			offset := int64(i) * partSize
			etag, err := sendPart(within, listener.Addr().String(), signed, path, offset, min(partSize, size-offset))
			parts[i] = platform.Part{Number: i + 1, ETag: etag}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	_, err = uploads.Complete(ctx, key, id, parts)
	return err
}

// sendPart puts size bytes of the file from offset to target, over a connection of its own, and returns the ETag. The
// kernel takes them from the file to the socket (sendfile), as net/http's client wouldn't: the receiver is measured here,
// and a sender elsewhere costs its machine nothing.
func sendPart(ctx context.Context, address, target, path string, offset, size int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return "", err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", target, size); err != nil {
		return "", err
	}
	if _, err := io.CopyN(conn, f, size); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("part: %s", answer.Status)
	}
	return answer.Header.Get("ETag"), nil
}
