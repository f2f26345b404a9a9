package job

import "time"

// Job is one conversion's row.
type Job struct {
	ID      string  `json:"job_id"` // UUIDv7
	Owner   string  `json:"owner,omitempty"`
	Title   string  `json:"title"` // the person's file name; data, never part of a key
	Status  Status  `json:"status"`
	Reason  string  `json:"reason,omitempty"` // why it failed, for a person to read
	Options Options `json:"options"`
	// Settled is Options.Encode with nothing left open, decided when the source was measured.
	Settled EncodeOptions `json:"settled"`
	// Source names the source's content where it isn't uploaded but used in place.
	Source string `json:"source,omitempty"`
	// TotalSegments is 0 until chunking is complete.
	TotalSegments     int `json:"total_segments"`
	CompletedSegments int `json:"completed_segments"`
	// Lossless makes segments by a lossless re-encode, after stream copies turned out not to be exact.
	Lossless    bool     `json:"lossless,omitempty"`
	TotalFrames int      `json:"total_frames,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	FinalKey    string   `json:"final_key,omitempty"`
	// SourceSize is the upload's size in bytes, as announced by whoever uploads; 0 while unknown.
	SourceSize int64 `json:"source_size,omitempty"`
	// UploadID names the multipart upload under way; empty before it began and after the source is whole.
	UploadID string `json:"upload_id,omitempty"`
	// PartSize is the size of that upload's parts but the last, in bytes.
	PartSize int64 `json:"part_size,omitempty"`
	// Uploaded says that the source is whole.
	Uploaded bool `json:"uploaded,omitempty"`
	// StartedAt is when the person asked for the conversion; zero while the job waits for that (options may
	// still change, previews may be looked at). Chunking needs both Uploaded and StartedAt.
	StartedAt time.Time `json:"started_at,omitzero"`
	// Resent counts how often, since its last progress, the job's messages were sent again because they seemed
	// lost; ResentAt is when that was done last.
	Resent   int       `json:"resent,omitempty"`
	ResentAt time.Time `json:"resent_at,omitzero"`
	// Expired lists what was removed because it had been kept for as long as the settings say.
	Expired []Kept `json:"expired,omitempty"`
	// Webhook is told when the job reaches a terminal status; an http(s) URL, or empty.
	Webhook     string    `json:"webhook,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"` // last progress of any kind
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// Version counts writes; stores use it for conditional updates.
	Version int64 `json:"version"`
}

// Kept names what a job leaves behind, as far as settings say how long it is kept.
type Kept string

// The values of Kept. Results have none: a job whose result is no longer kept is removed as a whole.
const (
	KeptSource   Kept = "source"
	KeptSegments Kept = "segments" // segment files and converted segments
)
