package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ObjectCreated is one record of an S3 event notification
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html, version 2.1).
type ObjectCreated struct {
	Bucket string
	Key    string // decoded
	Size   int64  // bytes
	ETag   string
	Time   time.Time
}

// s3Event is the wire form; fields that nobody here reads are left out.
type s3Event struct {
	Event   string     `json:"Event,omitempty"` // s3:TestEvent, when notifications are set up
	Records []s3Record `json:"Records"`
}

type s3Record struct {
	EventVersion string    `json:"eventVersion"`
	EventSource  string    `json:"eventSource"`
	EventTime    time.Time `json:"eventTime"`
	EventName    string    `json:"eventName"`
	S3           s3Entity  `json:"s3"`
}

type s3Entity struct {
	Bucket struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key  string `json:"key"` // as in a query string: "+" for a space, %XX
		Size int64  `json:"size"`
		ETag string `json:"eTag"`
	} `json:"object"`
}

// ErrMessage says that a message's body is not what its queue carries; trying again can't help.
var ErrMessage = errors.New("malformed message")

// EncodeObjectCreated writes the event of one new object as S3 does.
func EncodeObjectCreated(o ObjectCreated) []byte {
	r := s3Record{EventVersion: "2.1", EventSource: "aws:s3", EventTime: o.Time.UTC(), EventName: "ObjectCreated:Put"}
	r.S3.Bucket.Name, r.S3.Object.Key, r.S3.Object.Size, r.S3.Object.ETag = o.Bucket, escapeKey(o.Key), o.Size, o.ETag
	body, err := json.Marshal(s3Event{Records: []s3Record{r}})
	if err != nil {
		panic(err) // strings, numbers and a time: can't fail for years 0 to 9999
	}
	return body
}

// escapeKey writes a key as S3's events do: like a query string, with slashes left alone.
func escapeKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }

// ParseObjectCreated returns the objects of an S3 event, none for s3:TestEvent and for other kinds of event. ErrMessage.
func ParseObjectCreated(body []byte) ([]ObjectCreated, error) {
	var event s3Event
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if event.Event == "" && len(event.Records) == 0 {
		return nil, fmt.Errorf("%w: no S3 event", ErrMessage)
	}
	var created []ObjectCreated
	for _, r := range event.Records {
		if !strings.HasPrefix(r.EventName, "ObjectCreated:") {
			continue
		}
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil || key == "" {
			return nil, fmt.Errorf("%w: key %.80q", ErrMessage, r.S3.Object.Key)
		}
		created = append(created, ObjectCreated{
			Bucket: r.S3.Bucket.Name, Key: key, Size: r.S3.Object.Size, ETag: r.S3.Object.ETag, Time: r.EventTime,
		})
	}
	return created, nil
}

// ReassemblyMessage asks for a job's reassembly.
type ReassemblyMessage struct {
	JobID string `json:"job_id"`
}

// Encode writes the message.
func (m ReassemblyMessage) Encode() []byte {
	body, _ := json.Marshal(m) // a string: can't fail
	return body
}

// ParseReassemblyMessage is the inverse of Encode. ErrMessage.
func ParseReassemblyMessage(body []byte) (ReassemblyMessage, error) {
	var m ReassemblyMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if !ValidID(m.JobID) {
		return m, fmt.Errorf("%w: job id %.80q", ErrMessage, m.JobID)
	}
	return m, nil
}
