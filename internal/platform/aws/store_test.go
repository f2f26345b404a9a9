package aws_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// What the managed services add to the contract.
func TestManagedStores(t *testing.T) {
	cfg := awstest.Endpoints(t)
	r := deploy(t, cfg, fmt.Sprint("stores-", time.Now().UnixMilli()))
	p := platformaws.Connect(cfg, r)
	bucket := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	t.Run("TagsReachTheObject", func(t *testing.T) { testTags(t, p, bucket, r) })
	t.Run("BrokenLargeWriteLeavesNoParts", func(t *testing.T) { testAbortedParts(t, p, bucket, r) })
	t.Run("AnswersOfManyPagesAreReadToTheirEnd", func(t *testing.T) { testPages(t, p) })
}

// file writes content into a file.
func file(t *testing.T, content string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	return f
}

func testTags(t *testing.T, p platform.Platform, bucket *s3.Client, r platformaws.Resources) {
	opts := platform.PutOptions{Tags: map[string]string{"stereospot:expire": "segment"}, ContentType: "video/mp4", Metadata: map[string]string{"k": "v"}}
	big := strings.Repeat("0123456789", 4<<20) // more than two parts
	for key, content := range map[string]io.Reader{
		"small.mp4": strings.NewReader("x"), "big.mp4": strings.NewReader(big), "smallfile.mp4": file(t, "x"), "bigfile.mp4": file(t, big),
	} {
		put, err := p.Output.Put(t.Context(), key, content, opts)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := p.Output.Head(t.Context(), key); err != nil || o.ETag != put.ETag || o.Size != put.Size || o.Metadata["k"] != "v" {
			t.Errorf("%s: %+v, %v; Put said %+v", key, o, err, put)
		}
		want := big
		if put.Size == 1 {
			want = "x"
		}
		if r, _, err := p.Output.Get(t.Context(), key, 0, -1); err != nil {
			t.Error(err)
		} else if got, err := io.ReadAll(r); string(got) != want || errors.Join(err, r.Close()) != nil {
			t.Errorf("%s came back with other content, %v", key, err)
		}
		out, err := bucket.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &r.OutputBucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.TagSet) != 1 || aws.ToString(out.TagSet[0].Key) != "stereospot:expire" || aws.ToString(out.TagSet[0].Value) != "segment" {
			t.Errorf("%s: %+v", key, out.TagSet)
		}
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func testAbortedParts(t *testing.T, p platform.Platform, bucket *s3.Client, r platformaws.Resources) {
	broken := errors.New("broken")
	content := io.MultiReader(strings.NewReader(strings.Repeat("x", 20<<20)), failingReader{broken})
	if _, err := p.Output.Put(t.Context(), "film.mp4", content, platform.PutOptions{}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(broken)
	if _, err := p.Output.Put(stopped, "film.mp4", file(t, strings.Repeat("x", 40<<20)), platform.PutOptions{}); err == nil {
		t.Error("a file was sent although its sender was stopped")
	}
	if _, err := p.Output.Put(t.Context(), "there.mp4", strings.NewReader("first"), platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 40 << 20} {
		_, err := p.Output.Put(t.Context(), "there.mp4", file(t, strings.Repeat("x", size)), platform.PutOptions{IfAbsent: true})
		if !errors.Is(err, platform.ErrExists) {
			t.Errorf("a file of %d bytes over what is there: %v", size, err)
		}
	}
	out, err := bucket.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &r.OutputBucket})
	if err != nil || len(out.Uploads) != 0 {
		t.Errorf("%d uploads are left, which cost money: %v", len(out.Uploads), err)
	}
	if _, err := p.Output.Head(t.Context(), "film.mp4"); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("Head: %v", err)
	}
}

// testPages reads rows of more than 1 MB, where DynamoDB ends a page.
func testPages(t *testing.T, p platform.Platform) {
	now := time.Now()
	j := job.Job{ID: job.NewID(now), Title: "film.mp4", Status: job.Created, CreatedAt: now}
	if err := p.Jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	const rows, size = 15, 100_000
	for i := range rows {
		c := platform.Completion{JobID: j.ID, Index: i, Key: fmt.Sprint(i, strings.Repeat("x", size)), Completed: now}
		if _, err := p.Completions.Record(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	all, err := p.Completions.All(t.Context(), j.ID)
	if err != nil || len(all) != rows || !strings.HasPrefix(all[rows-1].Key, fmt.Sprint(rows-1, "x")) {
		t.Fatalf("%d of %d rows, %v", len(all), rows, err)
	}
	if err := p.Completions.Forget(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if all, err := p.Completions.All(t.Context(), j.ID); err != nil || len(all) != 0 {
		t.Errorf("%d rows are left, %v", len(all), err)
	}
}
