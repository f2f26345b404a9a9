package job

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestObjectEventKeepsKeySizeAndTime(t *testing.T) {
	for _, key := range []string{"input/x/source.mp4", "a b+c/ü%20=&?.mp4", `q"uote`} {
		o := ObjectCreated{Bucket: "films", Key: key, Size: 7 << 40, ETag: "e", Time: time.UnixMilli(1700000000123).UTC()}
		got, err := ParseObjectCreated(EncodeObjectCreated(o))
		if err != nil || len(got) != 1 || got[0] != o {
			t.Errorf("%q came back as %+v, %v", key, got, err)
		}
	}
	if body := string(EncodeObjectCreated(ObjectCreated{Key: "a/b c"})); !strings.Contains(body, `"key":"a/b+c"`) {
		t.Errorf("keys are not encoded as S3 encodes them: %s", body)
	}
}

func TestEventAsS3SendsItIsRead(t *testing.T) {
	body := `{"Records":[
	 {"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1","eventTime":"2026-01-02T03:04:05.678Z","eventName":"ObjectCreated:CompleteMultipartUpload",
	  "s3":{"s3SchemaVersion":"1.0","bucket":{"name":"b","arn":"arn:aws:s3:::b"},"object":{"key":"input/%C3%BC+x/source.mp4","size":12,"eTag":"e","sequencer":"00"}}},
	 {"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"gone"}}},
	 {"eventName":"ObjectCreated:Copy","s3":{"bucket":{"name":"b"},"object":{"key":"second"}}}]}`
	got, err := ParseObjectCreated([]byte(body))
	if err != nil || len(got) != 2 || got[0].Key != "input/ü x/source.mp4" || got[0].Size != 12 || got[1].Key != "second" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTestEventHoldsNoObjects(t *testing.T) {
	got, err := ParseObjectCreated([]byte(`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`))
	if err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestForeignMessagesAreMalformed(t *testing.T) {
	for _, body := range []string{"", "x", "{}", "[]", `{"Records":[]}`, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"%zz"}}}]}`, `{"Records":[{"eventName":"ObjectCreated:Put"}]}`} {
		if got, err := ParseObjectCreated([]byte(body)); !errors.Is(err, ErrMessage) {
			t.Errorf("%q: %+v, %v", body, got, err)
		}
	}
	for _, body := range []string{"", "{}", `{"job_id":"../x"}`, `{"job_id":7}`} {
		if got, err := ParseReassemblyMessage([]byte(body)); !errors.Is(err, ErrMessage) {
			t.Errorf("%q: %+v, %v", body, got, err)
		}
	}
}

func TestReassemblyMessageKeepsItsJob(t *testing.T) {
	m := ReassemblyMessage{JobID: NewID(time.Now())}
	if got, err := ParseReassemblyMessage(m.Encode()); err != nil || got != m {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzParseObjectCreated(f *testing.F) {
	f.Add(EncodeObjectCreated(ObjectCreated{Bucket: "b", Key: "a b/c", Size: 1, Time: time.Unix(0, 0)}))
	f.Add([]byte(`{"Event":"s3:TestEvent"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		created, err := ParseObjectCreated(body)
		if err != nil {
			return
		}
		for _, o := range created {
			if year := o.Time.UTC().Year(); year > 9999 || year < 0 {
				continue // JSON has no such time
			}
			again, err := ParseObjectCreated(EncodeObjectCreated(o))
			if err != nil || len(again) != 1 || again[0].Key != o.Key {
				t.Errorf("%+v came back as %+v, %v", o, again, err)
			}
		}
	})
}
