package inference

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

const least = `{"input_uri":"s3://films/a.mp4","output_uri":"s3://films/b.mp4","job_id":"j","segment_index":0,"window":{"first":0,"frames":5},"format":"full-sbs"}`

func TestInvocationNeedsOnlyWhatHasNoDefault(t *testing.T) {
	i, err := ParseInvocation([]byte(least))
	if err != nil {
		t.Fatal(err)
	}
	o := job.DefaultOptions()
	if i.Stereo != o.Stereo || i.Depth != o.Depth || i.Encode != o.Encode || i.Window.Frames != 5 {
		t.Errorf("%+v", i)
	}
	part := strings.Replace(least, `"format"`, `"stereo":{"divergence":1},"encode":{"crf":0},"format"`, 1)
	if i, err = ParseInvocation([]byte(part)); err != nil || i.Stereo.Divergence != 1 || i.Stereo.Convergence != o.Stereo.Convergence || i.Encode.CRF != 0 || i.Encode.Encoder != "auto" {
		t.Errorf("%+v, %v", i, err)
	}
}

// fieldsOf returns the names by which JSON knows the fields of a struct.
func fieldsOf(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func TestContractsPageNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/inference.md")
	if err != nil {
		t.Fatal(err)
	}
	row := func(field string) string {
		for line := range strings.Lines(string(page)) {
			cells := strings.SplitN(line, "|", 3)
			if len(cells) == 3 && strings.Contains(cells[1], "`"+field+"`") {
				return line
			}
		}
		t.Errorf("docs/inference.md has no row of %s", field)
		return ""
	}
	for i, name := range fieldsOf(reflect.TypeFor[Invocation]()) {
		text := row(name)
		inner := reflect.TypeFor[Invocation]().Field(i).Type
		if inner.Kind() != reflect.Struct || name == "window" {
			continue
		}
		for _, field := range fieldsOf(inner) {
			if !strings.Contains(text, "`"+field+"`") {
				t.Errorf("the row of %s says nothing of %s", name, field)
			}
		}
	}
}

func TestInvocationCarriesARequestUnchanged(t *testing.T) {
	r := Request{
		JobID: "j", Index: 7, Input: "a.mp4", Output: "b.mp4", Window: media.Window{First: 3, Frames: 9}, Content: strings.Repeat("ab", 32), Format: job.VR180,
		Stereo: job.StereoOptions{Divergence: 0.1 + 0.2, Convergence: 1. / 3, Eyes: job.RightEye, ForegroundScale: -1, Anaglyph: job.Dubois},
		Depth:  job.DepthOptions{Model: "classic"}, Encode: job.EncodeOptions{Codec: "hevc", Encoder: "libx265", CRF: -1, Preset: "slow", Container: job.MKV},
	}
	body, err := json.Marshal(Invoke(r, "s3://films/a.mp4", "s3://films/b.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	i, err := ParseInvocation(body)
	if err != nil {
		t.Fatal(err)
	}
	if got := i.Request("a.mp4", "b.mp4"); got.Hash() != r.Hash() || got.Window != r.Window || got.JobID != r.JobID || got.Index != r.Index {
		t.Errorf("%+v", got)
	}
}

func TestBadInvocationsAreRefusedWithEveryReason(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(least, old, new, 1) }
	for body, reason := range map[string]string{
		``:                   "not the JSON",
		`[]`:                 "not the JSON",
		`{}`:                 "lacks input_uri, output_uri, job_id, segment_index, window, format",
		`{"window":null}`:    "lacks input_uri, output_uri, job_id, segment_index, window, format",
		least + `{}`:         "something follows",
		with(`"j"`, `"j\n"`): "job_id",
		with(`"format"`, `"encode":{"encoder":"gpu"},"format"`):                                       "name one, such as h264_nvenc",
		with(`"segment_index":0`, `"segment_index":-1`):                                               "segment_index",
		with(`"segment_index":0`, `"segment_index":1.5`):                                              "not the JSON",
		with(`"frames":5`, `"frames":0`):                                                              "window is 0 frames",
		with(`"first":0`, `"first":-1`):                                                               "frame -1",
		with(`"frames":5`, `"frames":5,"last":4`):                                                     `unknown field "last"`,
		with(`full-sbs`, `3d`):                                                                        "3d",
		with(`s3://films/a.mp4`, `s3://f/a.mp4`):                                                      "names no bucket",
		with(`s3://films/a.mp4`, `s3://films/../a`):                                                   "bad object key",
		with(`s3://films/a.mp4`, `/films/a.mp4`):                                                      "no address",
		with(`s3://films/a.mp4`, `s3://films/b.mp4`):                                                  "are the same",
		with(`"format"`, `"content":"AB","format"`):                                                   "content",
		with(`"format"`, `"depth":{"model":""},"format"`):                                             "depth source is empty",
		with(`"format"`, `"encode":{"crf":99},"format"`):                                              "crf is 99",
		with(`"format"`, `"formats":"x","format"`):                                                    `unknown field "formats"`,
		with(`"format"`, `"encode":{"preset":"-vf x"},"format"`):                                      "preset",
		with(`"j"`, `"`+strings.Repeat("j", MaxInvocation)+`"`):                                       "more than",
		strings.NewReplacer(`"frames":5`, `"frames":0`, `full-sbs`, `3d`, `"j"`, `""`).Replace(least): "job_id is ",
	} {
		_, err := ParseInvocation([]byte(body))
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.200s: %v; want something about %q", body, err, reason)
		}
	}
}

func TestFailuresAreFoundInWhatOthersSay(t *testing.T) {
	inner, err := json.Marshal(NewFailure(http.StatusUnprocessableEntity, fmt.Errorf("it says \"no\" to C:\\x: %w", media.ErrFrameCount)))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Bare":    string(inner),
		"Line":    string(inner) + "\n",
		"Wrapped": "Received client error (422) from primary with message " + string(inner) + ". See the log.",
		"Quoted":  fmt.Sprintf("Received client error (422) from primary with message %q. See the log.", inner),
		"Cut":     strings.TrimSuffix(fmt.Sprintf("Received client error (422) with message %q", `{"status":"error","code":422,"reason":"it says no","kind":"frame_count"}`), `"`),
	} {
		err := ParseFailure([]byte(text)).Err()
		bad := new(media.Error)
		if !errors.As(err, &bad) || !errors.Is(err, media.ErrFrameCount) || !strings.HasPrefix(err.Error(), "it says ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, code := range map[string]int{
		"Received server error (500) from primary with message \"\"": 500, "Received client error (400) from model": 400, "gone": 0, "": 0, "error (999)": 0,
	} {
		if f := ParseFailure([]byte(text)); f.Code != code || f.Reason == "" {
			t.Errorf("%q: %+v", text, f)
		}
	}
	var passing *FailedError
	if err := ParseFailure([]byte("Received server error (503) from primary with message \"\"")).Err(); !errors.As(err, &passing) || passing.Code != 503 {
		t.Errorf("a service without its store: %v; the work isn't at fault", err)
	}
	if f := ParseFailure([]byte(strings.Repeat("é\n", 5000))); len(f.Reason) > maxReason+3 || strings.Contains(f.Reason, "\n") {
		t.Errorf("%d bytes: %s", len(f.Reason), f.Reason)
	}
}

func TestWindowsReadAsTheyAreWritten(t *testing.T) {
	w := media.Window{First: 12, Frames: 1440}
	if got := ParseWindow(FormatWindow(w)); got != w {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"", "12", "12+", "+5", "-1+5", "1+0", "1+5x", " 1+5", "01+5", "1+99999999"} {
		if got := ParseWindow(text); got != (media.Window{}) {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestLocationsReadAsTheyAreWritten(t *testing.T) {
	for _, path := range []string{"/srv/a b.mkv", "/srv/100%.mkv", "/srv/ü#?.mkv"} {
		if at, err := ParseLocation(FileURI(path)); err != nil || at.Path != path {
			t.Errorf("%q: %+v, %v", path, at, err)
		}
	}
	if at, err := ParseLocation(ObjectURI("films", "a b/ü%20#.mp4")); err != nil || at.Bucket != "films" || at.Key != "a b/ü%20#.mp4" {
		t.Errorf("%+v, %v", at, err)
	}
	for _, uri := range []string{"", "s3://", "s3://films", "s3://films/", "s3://Films/a", "s3://films//a", "file:", "file://", "file:///", "file://x/a", "file:///a/../b", "file:///a//b", "file:///a?b", "file:///a#b", "file:///a%00", "file:a", "http://x/a"} {
		if at, err := ParseLocation(uri); err == nil && at.Path != "/" {
			t.Errorf("%q is %+v", uri, at)
		}
	}
}

func FuzzParseInvocation(f *testing.F) {
	f.Add([]byte(least))
	f.Add([]byte(`{"stereo":{"divergence":1e999}}`))
	f.Add([]byte(strings.Replace(least, `"format"`, `"stereo":{"eyes":"right","foreground_scale":-0.5},"encode":{"crf":0},"content":"","format"`, 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		i, err := ParseInvocation(body)
		var refused *RefusedError
		if err != nil {
			if !errors.As(err, &refused) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if j, err := ParseInvocation(again); err != nil || j != i || j.Request("a", "b").Hash() != i.Request("a", "b").Hash() {
			t.Fatalf("%+v became %+v, %v", i, j, err)
		}
	})
}

func FuzzParseLocation(f *testing.F) {
	f.Add("s3://films/a.mp4")
	f.Add("file:///srv/a%20b.mkv")
	f.Fuzz(func(t *testing.T, uri string) {
		at, err := ParseLocation(uri)
		if err != nil {
			return
		}
		same := ObjectURI(at.Bucket, at.Key)
		if at.Path != "" {
			same = FileURI(at.Path)
		}
		if again, err := ParseLocation(same); err != nil || again != at {
			t.Fatalf("%q: %+v became %+v, %v", uri, at, again, err)
		}
	})
}

func FuzzParseFailure(f *testing.F) {
	f.Add([]byte(`Received client error (422) from primary with message "{\"status\":\"error\",\"code\":422,\"reason\":\"no\"}"`))
	f.Add([]byte(`{"status":"error","code":500,"reason":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := ParseFailure(text)
		if got.Reason == "" || strings.Contains(got.Reason, "\n") || len(got.Reason) > maxReason+3 || got.Code != 0 && (got.Code < 400 || got.Code > 599) {
			t.Fatalf("%+v", got)
		}
		if got.Err() == nil {
			t.Fatal("no error")
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add("12+1440")
	f.Fuzz(func(t *testing.T, text string) {
		if w := ParseWindow(text); w != (media.Window{}) && FormatWindow(w) != text {
			t.Fatalf("%q is %+v", text, w)
		}
	})
}
