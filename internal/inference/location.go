package inference

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stereospot/stereospot/internal/platform"
)

// Location is where one end of an invocation lies: an object in a bucket, or a file.
type Location struct {
	Bucket, Key string
	Path        string // absolute and clean; empty for an object
}

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// ParseLocation reads s3://bucket/key, whose key stands there as it is, or file:///path, percent-encoded.
func ParseLocation(uri string) (Location, error) {
	if object, ok := strings.CutPrefix(uri, "s3://"); ok {
		bucket, key, _ := strings.Cut(object, "/")
		if !bucketPattern.MatchString(bucket) {
			return Location{}, fmt.Errorf("%.200q names no bucket: use s3://bucket/key", uri)
		}
		return Location{Bucket: bucket, Key: key}, platform.CheckKey(key)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return Location{}, fmt.Errorf("%.200q is no address: use s3://bucket/key or file:///path", uri)
	}
	if u.Host != "" && u.Host != "localhost" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return Location{}, fmt.Errorf("%.200q is more than a path: use file:///path", uri)
	}
	if !filepath.IsAbs(u.Path) || filepath.Clean(u.Path) != u.Path || strings.ContainsRune(u.Path, 0) {
		return Location{}, fmt.Errorf("%.200q is no absolute path without detours: use file:///path", uri)
	}
	return Location{Path: u.Path}, nil
}

// ObjectURI is the address of an object.
func ObjectURI(bucket, key string) string { return "s3://" + bucket + "/" + key }

// FileURI is the address of the file at an absolute path.
func FileURI(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
