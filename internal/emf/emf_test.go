package emf

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// event is a line as CloudWatch reads it.
type event struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

func TestLinesAreMetricsToCloudWatch(t *testing.T) {
	var out bytes.Buffer
	at := time.UnixMilli(1_795_510_000_123)
	m := New("Films", "video-worker", &out, func() time.Time { return at })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { m.Add("Segments", Count, 1) })
	}
	all.Wait()
	m.Add("Seconds", Seconds, 1.5)
	m.Set("Depth", Count, 3, Label{"Queue", "chunking"})
	m.Set("Depth", Count, 2, Label{"Queue", "chunking"})
	m.Set("Depth", Count, 7, Label{"Queue", "reassembly"})
	if err := m.Write(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := []map[string]any{
		{"Service": "video-worker", "Segments": 8.0, "Seconds": 1.5},
		{"Service": "video-worker", "Queue": "chunking", "Depth": 2.0},
		{"Service": "video-worker", "Queue": "reassembly", "Depth": 7.0},
	}
	if len(lines) != len(want) {
		t.Fatalf("%q", lines)
	}
	for i, line := range lines {
		var e event
		var values map[string]any
		if err := errors.Join(json.Unmarshal([]byte(line), &e), json.Unmarshal([]byte(line), &values)); err != nil {
			t.Fatal(err)
		}
		delete(values, "_aws")
		if !reflect.DeepEqual(values, want[i]) || e.AWS.Timestamp != at.UnixMilli() || len(e.AWS.CloudWatchMetrics) != 1 {
			t.Fatalf("line %d: %s", i, line)
		}
		d := e.AWS.CloudWatchMetrics[0]
		if d.Namespace != "Films" || len(d.Dimensions) != 1 || len(d.Dimensions[0])+len(d.Metrics) != len(values) {
			t.Errorf("line %d directs: %+v", i, d)
		}
		for _, metric := range d.Metrics {
			if _, isNumber := values[metric.Name].(float64); !isNumber || metric.Unit == "" {
				t.Errorf("line %d: metric %+v of %v", i, metric, values)
			}
		}
	}
	out.Reset()
	if err := m.Write(); err != nil || out.Len() != 0 {
		t.Errorf("nothing happened, and it says %q, %v", out.String(), err)
	}
}

func TestWordsAreShortAndPlain(t *testing.T) {
	if got := Word("no such: film ½"); got != "no-such--film--" {
		t.Errorf("%q", got)
	}
	if got := Word(strings.Repeat("x", 500)); len(got) != 100 {
		t.Errorf("%d bytes", len(got))
	}
}
