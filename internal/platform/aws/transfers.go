package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/platform"
)

// Sizes of what is uploaded in parts. A file's parts are read as they are sent, so that they take no memory; those of
// other streams are held, streamsInFlight and about three more.
const (
	filePartSize    = 16 << 20 // bytes; a file that 10,000 of them don't hold gets larger ones
	filesInFlight   = 4
	streamPartSize  = platform.MinPartSize // 10,000 hold 50 GB, the limit of a stream whose length isn't known
	streamsInFlight = 1
	abortTime       = 10 * time.Second // for dropping a failed upload after its context has ended
)

// newTransfers returns what sends streams.
func newTransfers(client *s3.Client) *transfermanager.Client {
	return transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = streamPartSize, streamPartSize, streamsInFlight
		o.FailTimeout = abortTime
	})
}

// putStream uploads what r holds: up to streamPartSize bytes in one request, more in parts.
func (b *Bucket) putStream(ctx context.Context, key string, r io.Reader, opts platform.PutOptions) (platform.Object, error) {
	counted := &countingReader{r: r}
	in := &transfermanager.UploadObjectInput{
		Bucket: &b.name, Key: &key, Body: counted, Metadata: opts.Metadata, ChecksumAlgorithm: tmtypes.ChecksumAlgorithmCrc32,
		ContentType: unlessEmpty(opts.ContentType), Tagging: unlessEmpty(tagging(opts.Tags)), IfNoneMatch: ifAbsent(opts),
	}
	out, err := b.transfers.UploadObject(ctx, in)
	if err != nil {
		return platform.Object{}, errors.Join(counted.err, named(key, err))
	}
	return platform.Object{Key: key, Size: counted.n, Modified: time.Now(), ETag: etag(out.ETag), Metadata: opts.Metadata}, nil
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func ifAbsent(opts platform.PutOptions) *string {
	if opts.IfAbsent {
		return aws.String("*")
	}
	return nil
}

// countingReader counts bytes and remembers the error that ended them, which the transfer manager may reword.
type countingReader struct {
	r   io.Reader
	n   int64
	err error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// putFile uploads a file from its beginning: up to filePartSize bytes in one request, more in parts.
func (b *Bucket) putFile(ctx context.Context, key string, f *os.File, opts platform.PutOptions) (platform.Object, error) {
	info, err := f.Stat()
	if err != nil {
		return platform.Object{}, err
	}
	o := platform.Object{Key: key, Size: info.Size(), Modified: time.Now(), Metadata: opts.Metadata}
	send := b.putWhole
	if info.Size() > filePartSize {
		send = b.putParts
	}
	tag, err := send(ctx, key, f, info.Size(), opts)
	o.ETag = etag(tag)
	return o, named(key, err)
}

// putWhole sends a file of size bytes in one request and returns the object's ETag.
func (b *Bucket) putWhole(ctx context.Context, key string, f *os.File, size int64, opts platform.PutOptions) (*string, error) {
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: io.NewSectionReader(f, 0, size), ContentLength: &size, Metadata: opts.Metadata,
		ContentType: unlessEmpty(opts.ContentType), Tagging: unlessEmpty(tagging(opts.Tags)), IfNoneMatch: ifAbsent(opts),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return nil, err
	}
	return out.ETag, nil
}

// putParts sends a file of size bytes in parts and returns the object's ETag. When that fails it drops those that have
// arrived.
func (b *Bucket) putParts(ctx context.Context, key string, f *os.File, size int64, opts platform.PutOptions) (*string, error) {
	begun, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &b.name, Key: &key, Metadata: opts.Metadata, ContentType: unlessEmpty(opts.ContentType),
		Tagging: unlessEmpty(tagging(opts.Tags)), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return nil, err
	}
	parts, err := b.sendParts(ctx, key, begun.UploadId, f, size)
	var out *s3.CompleteMultipartUploadOutput
	if err == nil {
		out, err = b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &b.name, Key: &key, UploadId: begun.UploadId, IfNoneMatch: ifAbsent(opts),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	if err != nil {
		outlive, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		defer cancel()
		_, abort := b.client.AbortMultipartUpload(outlive, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: begun.UploadId})
		if abort != nil {
			err = fmt.Errorf("%w (and its parts are left: %w)", err, abort)
		}
		return nil, err
	}
	return out.ETag, nil
}

// sendParts sends a file's parts, filesInFlight at a time.
func (b *Bucket) sendParts(ctx context.Context, key string, id *string, f *os.File, size int64) ([]types.CompletedPart, error) {
	partSize := filePartFor(size)
	parts := make([]types.CompletedPart, (size+partSize-1)/partSize)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(filesInFlight)
	for i := range parts {
		g.Go(func() error {
			number, offset := int32(i+1), int64(i)*partSize
			out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: &b.name, Key: &key, UploadId: id, PartNumber: &number, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
				Body: io.NewSectionReader(f, offset, min(partSize, size-offset)), ContentLength: aws.Int64(min(partSize, size-offset)),
			})
			if err != nil {
				return err
			}
			parts[i] = types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
			return nil
		})
	}
	return parts, g.Wait()
}

// filePartFor returns the size of parts of which a file has no more than are allowed.
func filePartFor(size int64) int64 {
	return max(filePartSize, (size+platform.MaxParts-1)/platform.MaxParts)
}
