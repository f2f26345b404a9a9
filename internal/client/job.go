package client

import (
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// Job is a job as the API shows it.
type Job struct {
	ID          string      `json:"id"`
	Title       string      `json:"title"`
	Status      job.Status  `json:"status"`
	Reason      string      `json:"reason,omitempty"` // why it failed
	Options     job.Options `json:"options"`
	Warnings    []string    `json:"warnings,omitempty"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
	StartedAt   time.Time   `json:"started_at,omitzero"`
	CompletedAt time.Time   `json:"completed_at,omitzero"`
	Uploaded    bool        `json:"uploaded"`
	Upload      *Received   `json:"upload,omitempty"` // while the source is being uploaded
	Frames      int         `json:"frames"`           // converted so far
	TotalFrames int         `json:"total_frames"`     // 0 until the source is measured
	Segments    []Segment   `json:"segments,omitempty"`
	Stage       string      `json:"stage,omitempty"` // what happens now: uploading, waiting, converting, …
	FPS         float64     `json:"fps,omitempty"`
	SecondsLeft float64     `json:"seconds_left,omitempty"` // 0 while unknown
	FileName    string      `json:"file_name,omitempty"`    // of the result, with the suffix that players know
	Actions     []string    `json:"actions,omitempty"`      // what may be asked of it now
}

// Received says how much of a source has arrived, in bytes.
type Received struct {
	Size     int64 `json:"size"`
	Received int64 `json:"received"`
}

// Segment is one stretch of frames.
type Segment struct {
	Index  int    `json:"index"`
	State  string `json:"state"` // waiting, converting, done
	Frames int    `json:"frames"`
	Total  int    `json:"total"`
}

// Ended reports whether the job is completed, failed or cancelled.
func (j Job) Ended() bool { return !j.Status.Live() }
