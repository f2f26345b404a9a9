package web

import (
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stereospot/stereospot/internal/job"
)

// Job is a job as people and programs see it.
type Job struct {
	ID          string      `json:"id" doc:"UUIDv7"`
	Owner       string      `json:"owner" doc:"Whose job it is"`
	Title       string      `json:"title" doc:"Name of the film's file"`
	Status      job.Status  `json:"status"`
	Reason      string      `json:"reason,omitempty" doc:"Why it failed"`
	Options     job.Options `json:"options"`
	Warnings    []string    `json:"warnings" doc:"What the result can't keep of the source, or lacks"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
	StartedAt   *time.Time  `json:"started_at,omitempty" doc:"When the conversion was asked for"`
	CompletedAt *time.Time  `json:"completed_at,omitempty"`
	Uploaded    bool        `json:"uploaded" doc:"Whether the source is whole"`
	Upload      *Upload     `json:"upload,omitempty" doc:"The upload under way"`
	Stage       Stage       `json:"stage"`
	Frames      int         `json:"frames" doc:"Frames converted"`
	TotalFrames int         `json:"total_frames" doc:"0 while unknown"`
	FPS         float64     `json:"fps,omitempty" doc:"Frames converted per second, now"`
	SecondsLeft *int        `json:"seconds_left,omitempty" doc:"Absent while unknown"`
	Segments    []Segment   `json:"segments,omitempty" doc:"Left out of lists"`
	FileName    string      `json:"file_name" doc:"The result's file name, with the ending that players know"`
	Thumbnail   bool        `json:"thumbnail" doc:"Whether there may be a thumbnail"`
	Actions     []Action    `json:"actions" doc:"What can be asked of it now"`
}

// Upload says how far an upload is, in bytes.
type Upload struct {
	Size     int64 `json:"size"`
	Received int64 `json:"received"`
}

// Stage is what happens to a job now, or what it waits for.
type Stage string

// The stages, in order.
const (
	StageUploading  Stage = "uploading"  // the source isn't whole
	StageReady      Stage = "ready"      // waits for its owner to start it
	StageWaiting    Stage = "waiting"    // waits for a worker
	StageSplitting  Stage = "splitting"  // the source is being measured and split
	StageConverting Stage = "converting" // depth, views, encoding
	StageJoining    Stage = "joining"    // the final file is being written and read back
	StageDone       Stage = "done"
	StageFailed     Stage = "failed"
	StageCancelled  Stage = "cancelled"
	StageRemoving   Stage = "removing"
)

// Action is something that can be asked of a job.
type Action string

// The actions.
const (
	ActionStart    Action = "start"
	ActionEdit     Action = "edit" // change title and options
	ActionUpload   Action = "upload"
	ActionPreview  Action = "preview"
	ActionCancel   Action = "cancel"
	ActionRetry    Action = "retry"
	ActionDownload Action = "download"
	ActionRemove   Action = "remove"
)

// SegmentState is how far one segment is.
type SegmentState string

// The segment states.
const (
	SegmentWaiting    SegmentState = "waiting"
	SegmentConverting SegmentState = "converting"
	SegmentDone       SegmentState = "done"
)

// Segment is one piece of the film.
type Segment struct {
	Index  int          `json:"index"`
	State  SegmentState `json:"state"`
	Frames int          `json:"frames" doc:"Frames converted"`
	Total  int          `json:"total" doc:"Frames in all; 0 while unknown"`
}

// viewOf shows what the row alone says.
func viewOf(j job.Job) Job {
	v := Job{
		ID: j.ID, Owner: j.Owner, Title: j.Title, Status: j.Status, Reason: j.Reason, Options: j.Options,
		Warnings: append([]string{}, j.Warnings...), CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt,
		StartedAt: timeOrNil(j.StartedAt), CompletedAt: timeOrNil(j.CompletedAt), Uploaded: j.Uploaded,
		Stage: stageOf(j), TotalFrames: j.TotalFrames, FileName: fileName(j),
		Thumbnail: j.CompletedSegments > 0 || j.Status == job.Completed, Actions: actionsOf(j),
	}
	if !j.Uploaded && j.SourceSize > 0 {
		v.Upload = &Upload{Size: j.SourceSize}
	}
	if j.Status == job.Completed || j.Status == job.Reassembling {
		v.Frames = j.TotalFrames
	}
	return v
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func stageOf(j job.Job) Stage {
	switch j.Status {
	case job.ChunkingInProgress:
		return StageSplitting
	case job.ChunkingComplete:
		return StageConverting
	case job.Reassembling:
		return StageJoining
	case job.Completed:
		return StageDone
	case job.Failed:
		return StageFailed
	case job.Cancelled:
		return StageCancelled
	case job.Deleting:
		return StageRemoving
	}
	switch {
	case !j.Uploaded:
		return StageUploading
	case j.StartedAt.IsZero():
		return StageReady
	}
	return StageWaiting
}

func actionsOf(j job.Job) []Action {
	var can []Action
	add := func(when bool, actions ...Action) {
		if when {
			can = append(can, actions...)
		}
	}
	unstarted := j.Status == job.Created && j.StartedAt.IsZero()
	add(unstarted, ActionStart, ActionEdit)
	add(j.Status == job.Created && !j.Uploaded, ActionUpload)
	add(j.Uploaded && unstarted, ActionPreview)
	add(j.Status.Live(), ActionCancel)
	add(j.Status == job.Failed || j.Status == job.Cancelled, ActionRetry)
	add(j.Status == job.Completed, ActionDownload)
	add(j.Status != job.Deleting, ActionRemove)
	return can
}

// fileName returns what the result is saved as: the source's name with the ending that players know.
func fileName(j job.Job) string {
	ext := path.Ext(j.FinalKey)
	if ext == "" {
		ext = "." + string(job.MP4)
		if j.Options.Encode.Container == job.MKV {
			ext = "." + string(job.MKV)
		}
	}
	name := path.Base(strings.ReplaceAll(j.Title, `\`, "/"))
	if stem := strings.TrimSuffix(name, path.Ext(name)); stem != "" {
		name = stem
	}
	suffix := j.Options.Format.Suffix(j.Options.Stereo.Anaglyph)
	return shorten(name, longestFileName-len(suffix)-len(ext)) + suffix + ext
}

// longestFileName keeps the ending within the 255 bytes of the usual file systems, with room for what a program adds
// while it downloads.
const longestFileName = 220

// shorten returns text's beginning, of limit bytes at most and whole characters.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.TrimRight(text[:limit], " .")
}
