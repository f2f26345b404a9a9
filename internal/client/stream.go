package client

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// event is one server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type event struct {
	id   string // the stream's last id so far
	name string // "message" where the server gives none
	data []byte // lines joined by newlines
}

// maxEvent bounds a line of a stream, and an event, in bytes.
const maxEvent = maxAnswer

// eventReader splits a stream into events.
type eventReader struct {
	lines  *bufio.Scanner
	lastID string
}

func newEventReader(r io.Reader) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	lines.Split(scanEventLines)
	return &eventReader{lines: lines}
}

// scanEventLines ends lines at \n, \r or \r\n.
func scanEventLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF: // an unfinished line is no line
		return len(data), nil, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 == len(data) && !atEOF:
		return 0, nil, nil // whether \n follows isn't known yet
	}
	return i + 1, data[:i], nil
}

// next returns the next event that has data, or io.EOF. An event that the stream's end cuts off is dropped, as
// the specification wants it.
func (r *eventReader) next() (event, error) {
	e := event{name: "message"}
	hasData := false
	for r.lines.Scan() {
		line := r.lines.Bytes()
		if len(line) == 0 {
			if hasData {
				e.id = r.lastID
				return e, nil
			}
			e = event{name: "message"}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			if !bytes.ContainsRune(value, 0) {
				r.lastID = string(value)
			}
		case "event":
			e.name = string(value)
		case "data":
			if hasData {
				e.data = append(e.data, '\n')
			}
			e.data, hasData = append(e.data, value...), true
			if len(e.data) > maxEvent {
				return event{}, fmt.Errorf("an event of the server is larger than %d bytes", maxEvent)
			}
		}
	}
	if err := r.lines.Err(); err != nil {
		return event{}, err
	}
	return event{}, io.EOF
}
