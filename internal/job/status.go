// Package job is the vocabulary of a conversion: its options, states, keys and messages. It imports
// the standard library only.
package job

import "slices"

// Status is where a job stands.
type Status string

// The statuses. A job moves down the first five; the last three can be entered from any live one.
const (
	Created            Status = "created"              // the row exists; the source may still be uploading
	ChunkingInProgress Status = "chunking_in_progress" // the source is being measured and split
	ChunkingComplete   Status = "chunking_complete"    // every segment file is written; segments are being converted
	Reassembling       Status = "reassembling"         // every segment is converted; the final file is being written
	Completed          Status = "completed"            // the final file is whole and verified
	Failed             Status = "failed"               // it ended with a reason; retry starts what is missing again
	Cancelled          Status = "cancelled"            // a person stopped it
	Deleting           Status = "deleting"             // its objects and rows are being removed
)

// Statuses lists every Status.
func Statuses() []Status {
	return []Status{Created, ChunkingInProgress, ChunkingComplete, Reassembling, Completed, Failed, Cancelled, Deleting}
}

// Live reports whether work may still happen for a job in this status.
func (s Status) Live() bool {
	return slices.Contains([]Status{Created, ChunkingInProgress, ChunkingComplete, Reassembling}, s)
}

// Terminal reports whether a job in this status has come to an end that its owner waits to hear of.
func (s Status) Terminal() bool { return slices.Contains([]Status{Completed, Failed, Cancelled}, s) }

// From returns the statuses that may precede s. A write that moves a job to s names them as its
// condition, so a late event can't revive a dead job. Repeating a step is allowed: a status that
// work holds for a while may follow itself.
func (s Status) From() []Status {
	switch s {
	case Created: // retry of a job that failed or was cancelled before it was chunked
		return []Status{Failed, Cancelled}
	case ChunkingInProgress:
		return []Status{Created, ChunkingInProgress, ChunkingComplete}
	case ChunkingComplete:
		return []Status{ChunkingInProgress, Reassembling}
	case Reassembling:
		return []Status{ChunkingComplete, Reassembling}
	case Completed:
		return []Status{Reassembling}
	case Failed, Cancelled:
		return []Status{Created, ChunkingInProgress, ChunkingComplete, Reassembling}
	case Deleting:
		return Statuses()
	}
	return nil
}
