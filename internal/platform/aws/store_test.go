package aws_test

import (
	"errors"
	"fmt"
	"io"
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

func testTags(t *testing.T, p platform.Platform, bucket *s3.Client, r platformaws.Resources) {
	opts := platform.PutOptions{Tags: map[string]string{"stereospot:expire": "segment"}}
	big := strings.Repeat("x", 9<<20) // more than one part
	for key, content := range map[string]string{"small.mp4": "x", "big.mp4": big} {
		if _, err := p.Output.Put(t.Context(), key, strings.NewReader(content), opts); err != nil {
			t.Fatal(err)
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
