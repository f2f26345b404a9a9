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
	Lossless    bool      `json:"lossless,omitempty"`
	TotalFrames int       `json:"total_frames,omitempty"`
	Warnings    []string  `json:"warnings,omitempty"`
	FinalKey    string    `json:"final_key,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"` // last progress of any kind
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// Version counts writes; stores use it for conditional updates.
	Version int64 `json:"version"`
}
