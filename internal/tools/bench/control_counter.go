package main

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// counter passes requests on to an emulator and counts them by service and operation. Polls that brought nothing aren't
// counted.
type counter struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int
}

func newCounter(emulator string) *counter {
	to, err := url.Parse(emulator)
	if err != nil {
		panic(err) // the emulator's own
	}
	c := &counter{seen: map[string]int{}}
	c.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		Transport:      &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		ModifyResponse: c.count,
	})
	return c
}

func (c *counter) count(answer *http.Response) error {
	name := operation(answer.Request)
	if name == "SQS ReceiveMessage" {
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		answer.Body = io.NopCloser(bytes.NewReader(text))
		if !bytes.Contains(text, []byte(`"MessageId"`)) {
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[name]++
	return nil
}

// operation names a request, such as "DynamoDB GetItem".
func operation(r *http.Request) string {
	if service, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		if service == "AmazonSQS" {
			return "SQS " + name
		}
		return "DynamoDB " + name
	}
	query := r.URL.Query()
	switch {
	case query.Has("list-type"):
		return "S3 ListObjectsV2"
	case query.Has("uploads"):
		return "S3 CreateMultipartUpload"
	case query.Has("partNumber"):
		return "S3 UploadPart"
	case query.Has("uploadId"):
		return "S3 CompleteMultipartUpload"
	case query.Has("delete"):
		return "S3 DeleteObjects"
	}
	return "S3 " + map[string]string{http.MethodGet: "GetObject", http.MethodHead: "HeadObject", http.MethodPut: "PutObject"}[r.Method]
}

func (c *counter) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

func (c *counter) total() (n int) {
	for _, count := range c.counts() {
		n += count
	}
	return n
}
