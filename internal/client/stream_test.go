package client

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readEvents returns what a stream holds, and the error that ended it.
func readEvents(r io.Reader) (list []event, err error) {
	events := newEventReader(r)
	for {
		e, err := events.next()
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
}

func sameEvents(a, b []event) bool {
	return slices.EqualFunc(a, b, func(x, y event) bool {
		return x.id == y.id && x.name == y.name && string(x.data) == string(y.data)
	})
}

func TestEventsAreReadAsTheSpecificationSays(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   []event
	}{
		"one":                       {"id: 7\nevent: job\ndata: {}\n\n", []event{{"7", "job", []byte("{}")}}},
		"lines of data are joined":  {"data: a\ndata:b\ndata\n\n", []event{{"", "message", []byte("a\nb\n")}}},
		"comments and other fields": {": alive\nretry: 5\nodd\ndata:  x\n\n", []event{{"", "message", []byte(" x")}}},
		"an id stays":               {"id: 1\n\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", []event{{"1", "message", []byte("a")}, {"1", "message", []byte("b")}, {"", "message", []byte("c")}}},
		"a name doesn't stay":       {"event: x\ndata: a\n\ndata: b\n\n", []event{{"", "x", []byte("a")}, {"", "message", []byte("b")}}},
		"every end of a line":       {"data: a\r\rdata: b\r\n\r\ndata: c\n\n", []event{{"", "message", []byte("a")}, {"", "message", []byte("b")}, {"", "message", []byte("c")}}},
		"cut off":                   {"data: a\n\ndata: b\n", []event{{"", "message", []byte("a")}}},
		"cut off in a line":         {"data: a\n\ndata: b\n\ndat", []event{{"", "message", []byte("a")}, {"", "message", []byte("b")}}},
		"nothing":                   {"", nil},
	} {
		got, err := readEvents(strings.NewReader(c.stream))
		if !errors.Is(err, io.EOF) || !sameEvents(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAnErrorOfTheConnectionEndsTheStream(t *testing.T) {
	got, err := readEvents(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: a\n\n"))))
	if !errors.Is(err, iotest.ErrTimeout) || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzEventsDontDependOnHowTheStreamIsCutIntoReads(f *testing.F) {
	f.Add("id: 1\r\nevent: job\r\ndata: {\"id\":\"x\"}\r\n\r\n: alive\n\ndata: b\r\r")
	f.Add("data\n\ndata:\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		whole, err := readEvents(strings.NewReader(stream))
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{
			"bytes": iotest.OneByteReader(strings.NewReader(stream)), "halves": iotest.HalfReader(strings.NewReader(stream)),
			"data with the end": iotest.DataErrReader(strings.NewReader(stream)),
		} {
			if got, err := readEvents(r); !errors.Is(err, io.EOF) || !sameEvents(got, whole) {
				t.Errorf("read in %s: %q, %v; want %q", name, got, err, whole)
			}
		}
	})
}
