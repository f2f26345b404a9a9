package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/stereospot/stereospot/internal/platform"
)

func TestRangesAreWrittenAsHTTPWantsThem(t *testing.T) {
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, ""}, {5, -1, "bytes=5-"}, {0, 1, "bytes=0-0"}, {3, 4, "bytes=3-6"}, {9, 0, "bytes=9-9"},
	} {
		if got := aws.ToString(byteRange(c.offset, c.length)); got != c.want {
			t.Errorf("%d bytes from %d: %q, want %q", c.length, c.offset, got, c.want)
		}
	}
}

func TestSizeOfTheWholeIsReadFromAPart(t *testing.T) {
	for header, want := range map[string]int64{"bytes 3-6/10": 10, "": 4, "bytes */10": 4} {
		out := &s3.GetObjectOutput{ContentLength: aws.Int64(4)}
		if header != "" {
			out.ContentRange = &header
		}
		if got := wholeSize(out); got != want {
			t.Errorf("%q: %d bytes, want %d", header, got, want)
		}
	}
}

func TestFilesFitIntoTheirParts(t *testing.T) {
	const limit = int64(filePartSize) * platform.MaxParts
	for _, size := range []int64{1, filePartSize, limit, limit + 1, 5 << 40} {
		part := filePartFor(size)
		if n := (size + part - 1) / part; n > platform.MaxParts || part < filePartSize || part > platform.MaxPartSize {
			t.Errorf("%d bytes in %d parts of %d", size, n, part)
		}
	}
}

func TestTagsAreEscaped(t *testing.T) {
	got := tagging(map[string]string{"stereospot:expire": "segment", "a b": "c&d=e"})
	if want := "a+b=c%26d%3De&stereospot%3Aexpire=segment"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDelaysAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int32{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, 20 * time.Second: 20} {
		if got := seconds(d); got != want {
			t.Errorf("%v is %d seconds, want %d", d, got, want)
		}
	}
}

// failing answers tries with the failures of a script, one a try, and keeps what it was asked.
type failing struct {
	script [][]types.BatchResultErrorEntry
	asked  []string
}

func (f *failing) try(ids []string) ([]types.BatchResultErrorEntry, error) {
	f.asked = append(f.asked, strings.Join(ids, ""))
	if len(f.script) == 0 {
		return nil, nil
	}
	failed := f.script[0]
	f.script = f.script[1:]
	return failed, nil
}

func failure(id string, sender bool) types.BatchResultErrorEntry {
	return types.BatchResultErrorEntry{Id: &id, SenderFault: sender, Code: aws.String("code of " + id), Message: aws.String("why")}
}

func TestOnlyEntriesThatFailedAreTriedAgain(t *testing.T) {
	busy := []types.BatchResultErrorEntry{failure("b", false)}
	for what, c := range map[string]struct {
		script  [][]types.BatchResultErrorEntry
		asked   []string
		refused string
	}{
		"no failure":         {nil, []string{"abc"}, ""},
		"two, then one":      {[][]types.BatchResultErrorEntry{{failure("a", false), failure("c", false)}, {failure("c", false)}}, []string{"abc", "ac", "c"}, ""},
		"the sender's fault": {[][]types.BatchResultErrorEntry{{failure("b", true)}}, []string{"abc"}, "code of b"},
		"too often":          {[][]types.BatchResultErrorEntry{busy, busy, busy, busy}, []string{"abc", "b", "b", "b"}, "code of b"},
	} {
		f := &failing{script: c.script}
		err := retryFailed(t.Context(), []string{"a", "b", "c"}, func(s string) string { return s }, f.try)
		if !slices.Equal(f.asked, c.asked) || (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: asked %v, %v; want %v, %q", what, f.asked, err, c.asked, c.refused)
		}
	}
}

func TestRetriesEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &failing{script: [][]types.BatchResultErrorEntry{{failure("a", false)}}}
	if err := retryFailed(ctx, []string{"a"}, func(s string) string { return s }, f.try); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestUploadIDsKeepWhatS3Forgets(t *testing.T) {
	for _, want := range []uploadID{{"VXBsb2FkIElE.x_-", true}, {"new.1", false}} {
		if got, err := parseUploadID("k", want.String()); got != want || err != nil {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	for _, id := range []string{"", "x", "new.", "any.", "NEW.1"} {
		if _, err := parseUploadID("k", id); !errors.Is(err, platform.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := parseUploadID("../k", "any.1"); !errors.Is(err, platform.ErrBadKey) {
		t.Errorf("another key's: %v", err)
	}
}

func TestPartsAreSortedAndChecked(t *testing.T) {
	list, err := inOrder([]platform.Part{{Number: 3, ETag: "c"}, {Number: 1, ETag: "a"}, {Number: platform.MaxParts, ETag: "z"}})
	got := ""
	for _, p := range list {
		got += fmt.Sprint(*p.PartNumber, *p.ETag, " ")
	}
	if got != "1a 3c 10000z " || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for what, parts := range map[string][]platform.Part{
		"none": nil, "a number twice": {{Number: 2}, {Number: 1}, {Number: 2}}, "number 0": {{Number: 0}}, "too high a number": {{Number: platform.MaxParts + 1}},
	} {
		if _, err := inOrder(parts); !errors.Is(err, platform.ErrCondition) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
