package aws

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stereospot/stereospot/internal/platform"
)

// Bucket is one S3 bucket.
//
// Actions it uses: s3:GetObject, s3:PutObject, s3:PutObjectTagging, s3:DeleteObject, s3:ListBucket,
// s3:AbortMultipartUpload, s3:ListMultipartUploadParts.
type Bucket struct {
	client    *s3.Client
	presign   *s3.PresignClient
	transfers *transfermanager.Client
	name      string
}

var (
	_ platform.Objects = (*Bucket)(nil)
	_ platform.Uploads = (*Bucket)(nil)
	_ platform.Links   = (*Bucket)(nil)
)

func newBucket(client *s3.Client, name string) *Bucket {
	return &Bucket{
		client: client, presign: s3.NewPresignClient(client), name: name,
		transfers: newTransfers(client),
	}
}

// newS3 addresses buckets in the path where the endpoint isn't AWS's own, as emulators want it.
func newS3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}

// Buckets returns what opens a bucket by its name, with a configuration that Load returned. Nothing is sent by that.
func Buckets(cfg aws.Config) func(name string) *Bucket {
	client := newS3(cfg)
	return func(name string) *Bucket { return newBucket(client, name) }
}

// Head implements platform.Objects.
func (b *Bucket) Head(ctx context.Context, key string) (platform.Object, error) {
	if err := platform.CheckKey(key); err != nil {
		return platform.Object{}, err
	}
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err = named(key, err); errors.Is(err, errSilent) {
		err = b.ask(ctx, key, err)
	}
	if err != nil {
		return platform.Object{}, err
	}
	return platform.Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified),
		ETag: etag(out.ETag), Metadata: lower(out.Metadata),
	}, nil
}

// errSilent is a refusal without a reason, as HEAD has it.
var errSilent = errors.New("refused without a reason")

// ask returns the reason why an object's HEAD was refused, which GET has, or silent where that isn't refused.
func (b *Bucket) ask(ctx context.Context, key string, silent error) error {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, Range: byteRange(0, 1)})
	if err == nil {
		return errors.Join(silent, out.Body.Close())
	}
	return named(key, err)
}

func etag(s *string) string { return strings.Trim(aws.ToString(s), `"`) }

// lower lowers the keys of metadata, which some servers capitalise as HTTP headers.
func lower(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[strings.ToLower(k)] = v
	}
	return out
}

// named turns S3's answers into the errors of package platform.
func named(key string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey", "NotFound", "NoSuchUpload":
			return fmt.Errorf("%s: %w", key, platform.ErrNotFound)
		case "InvalidRange":
			return fmt.Errorf("%s: %w", key, platform.ErrBadRange)
		case "PreconditionFailed":
			return fmt.Errorf("%s: %w", key, platform.ErrExists)
		case "AccessDenied":
			return fmt.Errorf("%s: %w", key, platform.ErrForbidden)
		case "Forbidden":
			return fmt.Errorf("%s: %w: %w", key, errSilent, err)
		}
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		switch response.HTTPStatusCode() {
		case http.StatusNotFound:
			return fmt.Errorf("%s: %w", key, platform.ErrNotFound)
		case http.StatusRequestedRangeNotSatisfiable:
			return fmt.Errorf("%s: %w", key, platform.ErrBadRange)
		case http.StatusPreconditionFailed:
			return fmt.Errorf("%s: %w", key, platform.ErrExists)
		}
	}
	if gone := unavailable(err); gone != nil {
		err = gone
	}
	return fmt.Errorf("%s: %w", key, err)
}

// Get implements platform.Objects.
func (b *Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, platform.Object, error) {
	if err := platform.CheckKey(key); err != nil {
		return nil, platform.Object{}, err
	}
	if offset < 0 {
		return nil, platform.Object{}, platform.ErrBadRange
	}
	if offset == 0 && length == 0 { // HTTP has no empty range
		o, err := b.Head(ctx, key)
		return io.NopCloser(strings.NewReader("")), o, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, Range: byteRange(offset, length)})
	if err != nil {
		return nil, platform.Object{}, named(key, err)
	}
	return body{out.Body, key}, platform.Object{
		Key: key, Size: wholeSize(out), Modified: aws.ToTime(out.LastModified), ETag: etag(out.ETag), Metadata: lower(out.Metadata),
	}, nil
}

// byteRange returns the Range header (RFC 9110, section 14.1.2) of length bytes from offset; nil for everything.
func byteRange(offset, length int64) *string {
	switch {
	case offset == 0 && length < 0:
		return nil
	case length < 0:
		return aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	return aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1))
}

// wholeSize returns the object's size from an answer that may carry a part of it.
func wholeSize(out *s3.GetObjectOutput) int64 {
	var first, last, size int64
	if n, _ := fmt.Sscanf(aws.ToString(out.ContentRange), "bytes %d-%d/%d", &first, &last, &size); n == 3 {
		return size
	}
	return aws.ToInt64(out.ContentLength)
}

// Put implements platform.Objects. An upload in parts is dropped when r or the context ends early; S3 verifies a checksum
// of every request. A file is sent from its beginning.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader, opts platform.PutOptions) (platform.Object, error) {
	if err := platform.CheckKey(key); err != nil {
		return platform.Object{}, err
	}
	if f, ok := r.(*os.File); ok {
		return b.putFile(ctx, key, f, opts)
	}
	return b.putStream(ctx, key, r, opts)
}

// tagging writes tags as the x-amz-tagging header wants them.
func tagging(tags map[string]string) string {
	v := url.Values{}
	for k, t := range tags {
		v.Set(k, t)
	}
	return v.Encode()
}

// deleteBatch is what one DeleteObjects request may hold.
const deleteBatch = 1000

// Delete implements platform.Objects.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	for batch := range slices.Chunk(keys, deleteBatch) {
		objects := make([]types.ObjectIdentifier, 0, len(batch))
		for _, key := range batch {
			if err := platform.CheckKey(key); err != nil {
				return err
			}
			objects = append(objects, types.ObjectIdentifier{Key: aws.String(key)})
		}
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.name, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}})
		if err != nil {
			return err
		}
		var errs []error
		for _, e := range out.Errors {
			errs = append(errs, fmt.Errorf("delete %s: %s: %s", aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message)))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// List implements platform.Objects. The token is the last key of the page before, so that it survives anything.
func (b *Bucket) List(ctx context.Context, prefix, token string, limit int) ([]platform.Object, string, error) {
	in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}
	if token != "" {
		after, err := parseAfter(token, prefix)
		if err != nil {
			return nil, "", err
		}
		in.StartAfter = &after
	}
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	in.MaxKeys = aws.Int32(int32(limit))
	out, err := b.client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, "", err
	}
	var list []platform.Object
	for _, o := range out.Contents {
		list = append(list, platform.Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), ETag: etag(o.ETag)})
	}
	if !aws.ToBool(out.IsTruncated) || len(list) == 0 {
		return list, "", nil
	}
	return list, afterToken(list[len(list)-1].Key), nil
}

// afterToken is the token of the page that begins after key.
func afterToken(key string) string { return hex.EncodeToString([]byte(key)) }

// parseAfter returns the key that a page begins after, which is one that a page under prefix can have ended with;
// ErrBadToken.
func parseAfter(token, prefix string) (string, error) {
	raw, err := hex.DecodeString(token)
	after := string(raw)
	if err != nil || afterToken(after) != token || platform.CheckKey(after) != nil || !strings.HasPrefix(after, prefix) {
		return "", platform.ErrBadToken
	}
	return after, nil
}
