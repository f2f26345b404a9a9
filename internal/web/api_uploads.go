package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// uploadRoutes adds the upload of a job's source in parts.
func (s *Server) uploadRoutes() {
	op := s.operation
	handle(s, op(jobsOwner, "begin-upload", http.MethodPost, "/jobs/{id}/upload", "Begin or continue the source's upload", http.StatusOK), s.beginUpload)
	handle(s, op(jobsOwner, "show-upload", http.MethodGet, "/jobs/{id}/upload", "List the parts that have arrived", http.StatusOK), s.showUpload)
	handle(s, op(jobsOwner, "abort-upload", http.MethodDelete, "/jobs/{id}/upload", "Drop the upload and its parts", http.StatusNoContent), s.abortUpload)
	handle(s, op(jobsOwner, "sign-part", http.MethodPost, "/jobs/{id}/upload/parts/{number}", "Get the URL to which a part is PUT", http.StatusOK), s.signPart)
	handle(s, op(jobsOwner, "complete-upload", http.MethodPost, "/jobs/{id}/upload/complete", "Join the parts into the source", http.StatusOK), s.completeUpload)
}

// Sizes of parts, in bytes.
const (
	usualPartSize = 16 << 20
	maxPartSize   = 5 << 30 // S3's
)

// partExpiry is how long a part's URL may be used. It is signed when the part's turn comes.
const partExpiry = time.Hour

// choosePartSize returns a size in whole MiB with which a source of size bytes has few enough parts.
func choosePartSize(size int64) int64 {
	const mib = 1 << 20
	least := (size + platform.MaxParts - 1) / platform.MaxParts
	return max(usualPartSize, (least+mib-1)/mib*mib)
}

// checkPartSize refuses a size of parts that a store wouldn't take.
func checkPartSize(size, part int64) error {
	if part < platform.MinPartSize || part > maxPartSize || (size+part-1)/part > platform.MaxParts {
		return huma.Error422UnprocessableEntity(fmt.Sprintf("part_size is %d: use %d to %d bytes, and at most %d parts; or leave it out",
			part, platform.MinPartSize, int64(maxPartSize), platform.MaxParts))
	}
	return nil
}

type beginRequest struct {
	JobPath
	Body struct {
		Size     int64 `json:"size" minimum:"1" doc:"The whole source's size in bytes"`
		PartSize int64 `json:"part_size,omitempty" minimum:"0" doc:"Bytes of each part but the last; chosen when left out"`
	}
}

type beginAnswer struct {
	Body struct {
		UploadID string `json:"upload_id"`
		PartSize int64  `json:"part_size"`
	}
}

func beginAnswerOf(j job.Job) *beginAnswer {
	out := &beginAnswer{}
	out.Body.UploadID, out.Body.PartSize = j.UploadID, j.PartSize
	return out
}

// beginUpload is idempotent: an open upload of the same size and parts is continued, any other is replaced.
func (s *Server) beginUpload(ctx context.Context, in *beginRequest) (*beginAnswer, error) {
	j, size, part := jobOf(ctx), in.Body.Size, in.Body.PartSize
	if err := takesUpload(j); err != nil {
		return nil, err
	}
	if err := s.checkSize(size); err != nil {
		return nil, err
	}
	if open, err := s.sameUpload(ctx, j, size, part); err != nil || open {
		return beginAnswerOf(j), err
	}
	if part == 0 {
		part = choosePartSize(size)
	}
	if err := errors.Join(checkPartSize(size, part), s.checkRoom(size)); err != nil {
		return nil, err
	}
	j, err := s.replaceUpload(ctx, j, size, part)
	return beginAnswerOf(j), err
}

// takesUpload refuses a job whose source is whole or no longer wanted.
func takesUpload(j job.Job) error {
	if j.Uploaded {
		return huma.Error409Conflict("the film is here already: start the job, or make a new one for another film")
	}
	if j.Status != job.Created {
		return huma.Error409Conflict(fmt.Sprintf("the job is %s and takes no upload: make a new one", j.Status))
	}
	return nil
}

// sameUpload reports whether the job's upload is still open and is the one asked for.
func (s *Server) sameUpload(ctx context.Context, j job.Job, size, part int64) (bool, error) {
	if j.UploadID == "" || j.SourceSize != size || part != 0 && part != j.PartSize {
		return false, nil
	}
	_, err := s.Platform.Uploads.Parts(ctx, job.SourceKey(j.ID), j.UploadID)
	if errors.Is(err, platform.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// checkRoom refuses an upload for which there is no room.
func (s *Server) checkRoom(size int64) error {
	if s.FreeBytes == nil {
		return nil
	}
	free, err := s.FreeBytes()
	if err == nil && free < size {
		return huma.NewError(http.StatusInsufficientStorage, fmt.Sprintf("the film has %d bytes and the server has room for %d: remove jobs that are no longer needed, or try later", size, max(free, 0)))
	}
	return err
}

// errOvertaken says that somebody else began an upload at the same time.
var errOvertaken = huma.Error409Conflict("another upload of this job has just begun: close the other window, or try again")

// replaceUpload opens an upload and makes it the job's.
func (s *Server) replaceUpload(ctx context.Context, j job.Job, size, part int64) (job.Job, error) {
	key, old := job.SourceKey(j.ID), j.UploadID
	id, err := s.Platform.Uploads.Begin(ctx, key, platform.PutOptions{ContentType: "application/octet-stream", PartSize: part})
	if err != nil {
		return j, err
	}
	j, err = s.Platform.Jobs.Update(ctx, j.ID, func(j *job.Job) error {
		if j.UploadID != old {
			return errOvertaken
		}
		if err := takesUpload(*j); err != nil {
			return err
		}
		j.UploadID, j.SourceSize, j.PartSize, j.UpdatedAt = id, size, part, s.Now()
		return nil
	})
	if err != nil {
		return j, errors.Join(err, s.Platform.Uploads.Abort(ctx, key, id))
	}
	if old != "" {
		err = s.Platform.Uploads.Abort(ctx, key, old)
	}
	return j, err
}

type uploadAnswer struct {
	Body struct {
		UploadID string          `json:"upload_id"`
		PartSize int64           `json:"part_size"`
		Size     int64           `json:"size"`
		Parts    []platform.Part `json:"parts" doc:"What has arrived whole"`
	}
}

// errNoUpload says that a job has no upload under way.
var errNoUpload = huma.Error404NotFound("no upload is under way: begin one")

// openParts returns what has arrived of a job's upload.
func (s *Server) openParts(ctx context.Context, j job.Job) ([]platform.Part, error) {
	if j.UploadID == "" {
		return nil, errNoUpload
	}
	parts, err := s.Platform.Uploads.Parts(ctx, job.SourceKey(j.ID), j.UploadID)
	if errors.Is(err, platform.ErrNotFound) {
		return nil, errNoUpload
	}
	return parts, err
}

func (s *Server) showUpload(ctx context.Context, _ *JobPath) (*uploadAnswer, error) {
	j := jobOf(ctx)
	parts, err := s.openParts(ctx, j)
	if err != nil {
		return nil, err
	}
	out := &uploadAnswer{}
	out.Body.UploadID, out.Body.PartSize, out.Body.Size = j.UploadID, j.PartSize, j.SourceSize
	out.Body.Parts = append([]platform.Part{}, parts...)
	return out, nil
}

func (s *Server) abortUpload(ctx context.Context, _ *JobPath) (*struct{}, error) {
	j := jobOf(ctx)
	if j.UploadID == "" {
		return nil, nil
	}
	if err := s.Platform.Uploads.Abort(ctx, job.SourceKey(j.ID), j.UploadID); err != nil {
		return nil, err
	}
	_, err := s.Platform.Jobs.Update(ctx, j.ID, func(now *job.Job) error {
		if now.UploadID == j.UploadID {
			now.UploadID, now.UpdatedAt = "", s.Now()
		}
		return nil
	})
	return nil, err
}

type partRequest struct {
	JobPath
	Number int `path:"number" minimum:"1" maximum:"10000"`
}

type partAnswer struct {
	Body struct {
		URL     string    `json:"url" doc:"PUT the part's bytes there; may be a path on this server. The answer's ETag names the part."`
		Expires time.Time `json:"expires"`
	}
}

func (s *Server) signPart(ctx context.Context, in *partRequest) (*partAnswer, error) {
	j := jobOf(ctx)
	if j.UploadID == "" {
		return nil, errNoUpload
	}
	if last := (j.SourceSize + j.PartSize - 1) / max(j.PartSize, 1); int64(in.Number) > last {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("a film of %d bytes in parts of %d has parts 1 to %d", j.SourceSize, j.PartSize, last))
	}
	out := &partAnswer{}
	out.Body.Expires = s.Now().Add(partExpiry)
	var err error
	out.Body.URL, err = s.Platform.Uploads.SignPart(ctx, job.SourceKey(j.ID), j.UploadID, in.Number, partExpiry)
	if errors.Is(err, platform.ErrNotFound) {
		return nil, errNoUpload
	}
	return out, err
}

type completeRequest struct {
	JobPath
	Body struct {
		Parts []struct {
			Number int    `json:"number" minimum:"1" maximum:"10000"`
			ETag   string `json:"etag" maxLength:"200"`
		} `json:"parts" minItems:"1" maxItems:"10000"`
	}
}

// completeUpload is idempotent. The new object's event sends the job on its way.
func (s *Server) completeUpload(ctx context.Context, in *completeRequest) (*jobAnswer, error) {
	j := jobOf(ctx)
	if j.Uploaded {
		return s.answer(ctx, j.ID)
	}
	if err := s.joinParts(ctx, j, in); err != nil {
		return nil, err
	}
	_, err := s.Platform.Jobs.Update(ctx, j.ID, func(j *job.Job) error {
		j.Uploaded, j.UploadID, j.UpdatedAt = true, "", s.Now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, j.ID)
}

// joinParts publishes the source, unless a call that was cut short has done so.
func (s *Server) joinParts(ctx context.Context, j job.Job, in *completeRequest) error {
	have, err := s.openParts(ctx, j)
	if errors.Is(err, errNoUpload) {
		return s.publishedBefore(ctx, j)
	}
	if err != nil {
		return err
	}
	sizes := make(map[int]int64, len(have))
	for _, p := range have {
		sizes[p.Number] = p.Size
	}
	var sum int64
	parts := make([]platform.Part, 0, len(in.Body.Parts))
	for _, p := range in.Body.Parts {
		sum += sizes[p.Number]
		parts = append(parts, platform.Part{Number: p.Number, Size: sizes[p.Number], ETag: p.ETag})
	}
	if sum != j.SourceSize {
		return huma.Error409Conflict(fmt.Sprintf("the parts make %d bytes and the film has %d: list the parts, send what is missing, and complete again", sum, j.SourceSize))
	}
	_, err = s.Platform.Uploads.Complete(ctx, job.SourceKey(j.ID), j.UploadID, parts)
	if errors.Is(err, platform.ErrCondition) {
		return huma.Error409Conflict("a part is missing, too small, given twice, or has another etag: list the parts, send what differs, and complete again")
	}
	if errors.Is(err, platform.ErrNotFound) {
		return s.publishedBefore(ctx, j)
	}
	return err
}

// publishedBefore accepts a source that is there with the promised size.
func (s *Server) publishedBefore(ctx context.Context, j job.Job) error {
	o, err := s.Platform.Input.Head(ctx, job.SourceKey(j.ID))
	if errors.Is(err, platform.ErrNotFound) || err == nil && o.Size != j.SourceSize {
		return errNoUpload
	}
	return err
}
