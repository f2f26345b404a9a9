package aws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/stereospot/stereospot/internal/platform"
)

// uploadID is what an upload is known by to callers: S3's id behind what S3 wants to hear again at the end.
type uploadID struct {
	s3       string
	ifAbsent bool // the object must not exist yet when the upload completes
}

// Prefixes of an upload's id.
const (
	idIfAbsent = "new."
	idAnyway   = "any."
)

func (u uploadID) String() string {
	if u.ifAbsent {
		return idIfAbsent + u.s3
	}
	return idAnyway + u.s3
}

// parseUploadID returns ErrNotFound for an id that Begin didn't make.
func parseUploadID(key, id string) (uploadID, error) {
	if err := platform.CheckKey(key); err != nil {
		return uploadID{}, err
	}
	if s3, ok := strings.CutPrefix(id, idIfAbsent); ok && s3 != "" {
		return uploadID{s3, true}, nil
	}
	if s3, ok := strings.CutPrefix(id, idAnyway); ok && s3 != "" {
		return uploadID{s3, false}, nil
	}
	return uploadID{}, fmt.Errorf("upload of %s: %w", key, platform.ErrNotFound)
}

// Begin implements platform.Uploads.
func (b *Bucket) Begin(ctx context.Context, key string, opts platform.PutOptions) (string, error) {
	if err := platform.CheckKey(key); err != nil {
		return "", err
	}
	in := &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key, Metadata: opts.Metadata}
	if opts.ContentType != "" {
		in.ContentType = &opts.ContentType
	}
	if len(opts.Tags) > 0 {
		in.Tagging = aws.String(tagging(opts.Tags))
	}
	out, err := b.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", named(key, err)
	}
	return uploadID{aws.ToString(out.UploadId), opts.IfAbsent}.String(), nil
}

// SignPart implements platform.Uploads. It asks S3 nothing: a part of an upload that doesn't exist is refused when it
// is sent.
func (b *Bucket) SignPart(ctx context.Context, key, id string, number int, expires time.Duration) (string, error) {
	upload, err := parseUploadID(key, id)
	if err != nil {
		return "", err
	}
	if err := checkNumber(number); err != nil {
		return "", err
	}
	out, err := b.presign.PresignUploadPart(ctx, &s3.UploadPartInput{
		Bucket: &b.name, Key: &key, UploadId: &upload.s3, PartNumber: aws.Int32(int32(number)),
	}, s3.WithPresignExpires(expires))
	if err != nil {
		return "", err
	}
	return out.URL, nil
}

func checkNumber(number int) error {
	if number < 1 || number > platform.MaxParts {
		return fmt.Errorf("%w: part %d of at most %d", platform.ErrCondition, number, platform.MaxParts)
	}
	return nil
}

// Parts implements platform.Uploads.
func (b *Bucket) Parts(ctx context.Context, key, id string) ([]platform.Part, error) {
	upload, err := parseUploadID(key, id)
	if err != nil {
		return nil, err
	}
	var parts []platform.Part
	pages := s3.NewListPartsPaginator(b.client, &s3.ListPartsInput{Bucket: &b.name, Key: &key, UploadId: &upload.s3})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, named(key, err)
		}
		for _, p := range page.Parts {
			parts = append(parts, platform.Part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: etag(p.ETag)})
		}
	}
	return parts, nil
}

// Complete implements platform.Uploads.
func (b *Bucket) Complete(ctx context.Context, key, id string, parts []platform.Part) (platform.Object, error) {
	upload, err := parseUploadID(key, id)
	if err != nil {
		return platform.Object{}, err
	}
	completed, err := inOrder(parts)
	if err != nil {
		return platform.Object{}, err
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &b.name, Key: &key, UploadId: &upload.s3, MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
	}
	if upload.ifAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	_, err = b.client.CompleteMultipartUpload(ctx, in)
	if refusedParts(err) {
		return platform.Object{}, fmt.Errorf("%s: %w (%w)", key, platform.ErrCondition, err)
	}
	// An upload that is gone may have been completed by an earlier try whose answer was lost: then the object is there.
	if err = named(key, err); err != nil && !errors.Is(err, platform.ErrNotFound) {
		return platform.Object{}, err
	}
	return b.Head(ctx, key)
}

// inOrder returns the parts as S3 wants them, by number and each once; ErrCondition.
func inOrder(parts []platform.Part) ([]types.CompletedPart, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("%w: no parts", platform.ErrCondition)
	}
	parts = slices.SortedFunc(slices.Values(parts), func(a, b platform.Part) int { return a.Number - b.Number })
	list := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		if err := checkNumber(p.Number); err != nil {
			return nil, err
		}
		if i > 0 && parts[i-1].Number == p.Number {
			return nil, fmt.Errorf("%w: part %d is named twice", platform.ErrCondition, p.Number)
		}
		list[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.ETag)}
	}
	return list, nil
}

// refusedParts reports whether S3 says that a part is missing, another one, or too small.
func refusedParts(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML":
		return true
	}
	return false
}

// Abort implements platform.Uploads.
func (b *Bucket) Abort(ctx context.Context, key, id string) error {
	upload, err := parseUploadID(key, id)
	if err == nil {
		_, err = b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: &upload.s3})
		err = named(key, err)
	}
	if errors.Is(err, platform.ErrNotFound) {
		return nil
	}
	return err
}

// SignGet implements platform.Links.
func (b *Bucket) SignGet(ctx context.Context, key string, opts platform.LinkOptions) (string, error) {
	if err := platform.CheckKey(key); err != nil {
		return "", err
	}
	in := &s3.GetObjectInput{
		Bucket: &b.name, Key: &key, ResponseContentDisposition: aws.String(platform.Disposition(opts.FileName, opts.Inline)),
	}
	out, err := b.presign.PresignGetObject(ctx, in, s3.WithPresignExpires(opts.Expires))
	if err != nil {
		return "", err
	}
	return out.URL, nil
}

// Origins returns where the links to the buckets' objects lead, as browsers name it: scheme and host.
func Origins(ctx context.Context, cfg aws.Config, r Resources) ([]string, error) {
	var all []string
	for _, name := range []string{r.InputBucket, r.OutputBucket} {
		signed, err := newBucket(newS3(cfg), name).SignGet(ctx, "x", platform.LinkOptions{Expires: time.Minute})
		if err != nil {
			return nil, err
		}
		u, err := url.Parse(signed)
		if err != nil {
			return nil, err
		}
		if origin := u.Scheme + "://" + u.Host; !slices.Contains(all, origin) {
			all = append(all, origin)
		}
	}
	return all, nil
}

// LinksLast returns how long a link that is signed now can be good: as long as the credentials that sign it. Those of a
// task's role end after six hours at most.
func LinksLast(ctx context.Context, cfg aws.Config, r Resources) time.Duration {
	const longest = 7 * 24 * time.Hour // S3's
	c, err := cfg.Credentials.Retrieve(ctx)
	if err != nil || !c.CanExpire {
		return longest
	}
	return min(longest, c.Expires.Sub(r.clock()()))
}
