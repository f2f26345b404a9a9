// Package platform states what the pipeline needs from the place it runs on. Each interface has an
// embedded implementation (platform/local: SQLite and a directory) and a managed one (platform/aws);
// one conformance suite (platformtest) holds both to the comments here.
package platform

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// Errors that callers match with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("already exists")
	ErrCondition = errors.New("condition not met") // a conditional write lost
	ErrLeaseHeld = errors.New("lease held by another")
	ErrLeaseLost = errors.New("lease lost")
	ErrBadKey    = errors.New("bad object key")
	ErrBadRange  = errors.New("range outside of object")
	ErrBadToken  = errors.New("bad page token")
	ErrFull      = errors.New("the disk is full: make room and start again")
	ErrForbidden = errors.New("the store forbids it") // to these credentials
	// ErrUnavailable says that a service can't be reached, or doesn't work, at the moment. Not every platform can tell.
	ErrUnavailable = errors.New("the store can't be reached, or doesn't work, at the moment")
	ErrNoMessage   = errors.New("receipt handle is stale") // the message's visibility ended and it moved on
)

// Object describes a stored object.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
	ETag     string            // changes whenever the content changes
	Metadata map[string]string // lower-case keys; List may leave it out
}

// PutOptions go with an object when it is written.
type PutOptions struct {
	ContentType string
	Metadata    map[string]string // lower-case keys, ASCII values
	Tags        map[string]string // such as stereospot:expire=segment
	IfAbsent    bool              // fail with ErrExists when the key holds an object already
	// PartSize is what an upload's parts but the last will have, in bytes, if that is known: a store may lay the
	// parts out by it. Parts of other sizes are taken all the same.
	PartSize int64
}

// Objects is one bucket. An object appears whole or not at all, also after a crash; a reader sees
// one version from start to end. Safe for concurrent use.
type Objects interface {
	// Head returns ErrNotFound when the key holds nothing.
	Head(ctx context.Context, key string) (Object, error)
	// Get streams length bytes from offset; length < 0 means to the end. ErrNotFound, ErrBadRange.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Object, error)
	// Put reads r to its end and publishes the object. An error from r publishes nothing.
	Put(ctx context.Context, key string, r io.Reader, opts PutOptions) (Object, error)
	// Delete removes keys; absent ones are no error.
	Delete(ctx context.Context, keys ...string) error
	// List returns up to limit objects under prefix in key order, and the token of the next page ("" at the end).
	List(ctx context.Context, prefix, token string, limit int) ([]Object, string, error)
}

// Part is one uploaded part of an upload under way.
type Part struct {
	Number int   `json:"number"` // from 1
	Size   int64 `json:"size"`   // bytes
	// ETag names the part's content: its PartHash or (S3's) MD5, in hexadecimal, so that whoever continues an upload
	// can tell whether the part is still what the file holds. A store that can't say gives any other name.
	ETag string `json:"etag"`
}

// Limits of an upload's parts, S3's on both platforms.
const (
	MaxParts    = 10_000
	MinPartSize = 5 << 20 // bytes; the last part may be smaller
	MaxPartSize = 5 << 30 // bytes
)

// UploadIdle is how long nothing may arrive for an upload before it is dropped.
const UploadIdle = 7 * 24 * time.Hour

// Uploads writes one bucket's objects in parts, each sent by whoever holds its signed URL, in any order and as
// often as a broken network asks for. An upload outlives processes; its object appears when Complete returns,
// whole, with the same events as after Put. Safe for concurrent use.
type Uploads interface {
	// Begin opens an upload for key and returns its id.
	Begin(ctx context.Context, key string, opts PutOptions) (id string, err error)
	// SignPart returns a URL to which part number may be PUT until expires has passed. It may be a path below
	// the web server's own root. ErrCondition for a number outside of 1 to MaxParts. ErrNotFound when there is no such
	// upload, unless finding that out costs a request: then whoever PUTs the part is answered 404.
	SignPart(ctx context.Context, key, id string, number int, expires time.Duration) (string, error)
	// Parts returns the parts that have arrived whole, by number. ErrNotFound.
	Parts(ctx context.Context, key, id string) ([]Part, error)
	// Complete joins the named parts in order of number and publishes the object. ErrCondition when one didn't
	// arrive, is too small, is named twice or has another ETag (quotes around it don't matter); the upload goes on.
	// Called again after it succeeded it returns the object or ErrNotFound.
	Complete(ctx context.Context, key, id string, parts []Part) (Object, error)
	// Abort drops the upload and its parts; an unknown one is no error.
	Abort(ctx context.Context, key, id string) error
}

// LinkOptions shape a signed link.
type LinkOptions struct {
	Expires  time.Duration
	FileName string // what a browser saves it as; any text
	Inline   bool   // shown in place instead of saved
}

// Links signs links by which anybody may read one object until they expire, with ranges.
type Links interface {
	// SignGet doesn't check that the object exists. The URL may be a path below the web server's own root.
	SignGet(ctx context.Context, key string, opts LinkOptions) (string, error)
}

// Files is what a store on this machine's disk can do beside Objects, to spare copies.
type Files interface {
	// Path returns a file that holds the object, for reading only.
	Path(ctx context.Context, key string) (string, error)
	// PutFile publishes the file at path as the object, by rename where it can; path is gone afterwards.
	PutFile(ctx context.Context, key, path string, opts PutOptions) (Object, error)
}

// Jobs stores job rows. Safe for concurrent use by many processes.
type Jobs interface {
	// Create adds j; ErrExists when the id is taken.
	Create(ctx context.Context, j job.Job) error
	// Get is strongly consistent; ErrNotFound.
	Get(ctx context.Context, id string) (job.Job, error)
	// Update reads the row, hands a copy to change, and writes it if nobody wrote in between (else it
	// tries again). An error from change ends it unwritten and is returned as it is.
	Update(ctx context.Context, id string, change func(*job.Job) error) (job.Job, error)
	// List returns jobs newest first (by CreatedAt) and the next page's opaque token ("" at the end).
	List(ctx context.Context, q JobQuery) ([]job.Job, string, error)
	// Count returns how many jobs have each status, of one owner or (empty) of all. Statuses that no job has may be
	// left out.
	Count(ctx context.Context, owner string) (map[job.Status]int, error)
	// Delete removes the row; absent is no error.
	Delete(ctx context.Context, id string) error
}

// JobQuery selects jobs. Empty fields don't restrict.
type JobQuery struct {
	Statuses []job.Status
	Owner    string
	Search   string // part of the title, any case
	Token    string
	Limit    int // 1 to 1000; 0 means 50
}

// Completion is one converted segment.
type Completion struct {
	JobID     string
	Index     int
	Key       string  // of the output object
	Frames    int     // 0 when whoever recorded it didn't look: its plan says it, too
	Seconds   float64 // what the conversion took
	Completed time.Time
}

// Completions records converted segments and counts them on the job, in one transaction.
type Completions interface {
	// Record adds the row and raises the job's counter, both or neither, once however often it is called.
	// It returns the job after it. ErrNotFound when the job is gone or being removed.
	Record(ctx context.Context, c Completion) (job.Job, error)
	// All returns a job's completions in order of index, however many.
	All(ctx context.Context, jobID string) ([]Completion, error)
	// Forget removes a job's completions and sets its counter to 0.
	Forget(ctx context.Context, jobID string) error
}

// Leases give one holder at a time the right to do something.
type Leases interface {
	// Acquire takes the lease for ttl if it is free, expired, or already owner's; else ErrLeaseHeld.
	Acquire(ctx context.Context, name, owner string, ttl time.Duration) error
	// Renew extends a lease that owner still holds; else ErrLeaseLost.
	Renew(ctx context.Context, name, owner string, ttl time.Duration) error
	// Release frees it if owner holds it; no error otherwise.
	Release(ctx context.Context, name, owner string) error
}

// SegmentProgress says how far the conversion of one segment is.
type SegmentProgress struct {
	Index   int
	Frames  int // converted so far
	Started time.Time
	Updated time.Time
}

// Progress holds how far segments under way are: for people to watch and for the reconciler to tell slow from
// stuck. A hint: it may be late or lost, and nothing depends on it but what Begin says.
type Progress interface {
	// Begin is a segment's first Report, unless the last one was updated within fresh of p.Updated: then somebody else
	// is at work on it, and the error is ErrLeaseHeld. Of several that begin at once one may. A platform that knows that
	// the job is gone says ErrNotFound. first: nobody has begun the segment before, so nothing can have come of it. A
	// platform on which finding out is cheap needn't remember, and says false.
	Begin(ctx context.Context, jobID string, p SegmentProgress, fresh time.Duration) (first bool, err error)
	// Report replaces what is known of one segment. Callers report every few seconds, not every frame.
	Report(ctx context.Context, jobID string, p SegmentProgress) error
	// Of returns what is known of a job's segments, in order of index.
	Of(ctx context.Context, jobID string) ([]SegmentProgress, error)
	// Clear forgets a job's progress, or only that of the segments named; that those were begun isn't forgotten.
	Clear(ctx context.Context, jobID string, segments ...int) error
}

// Message is one delivery.
type Message struct {
	ID      string
	Body    []byte
	Handle  string // this delivery's receipt
	Receive int    // how often it was delivered, 1 at first
	Sent    time.Time
}

// Queue delivers messages at least once, in no promised order. A received message is invisible
// for the queue's visibility timeout and comes back unless deleted; after the allowed receives it
// moves to the dead-letter queue. Safe for concurrent use by many processes.
type Queue interface {
	// Send adds messages that become visible after delay.
	Send(ctx context.Context, delay time.Duration, bodies ...[]byte) error
	// Receive waits up to wait for at least one message and returns up to limit, MaxBatch at most; none is no error.
	// A message that was received MaxReceives times becomes a dead letter here instead of being returned.
	Receive(ctx context.Context, limit int, wait time.Duration) ([]Message, error)
	// Extend makes the delivery invisible for d from now, 12 hours at most (0 hands it back at once). ErrNoMessage
	// when the message is gone. When the delivery's visibility has ended or the message has been delivered again since,
	// ErrNoMessage where the platform tells (SQS may obey instead, which at worst costs one more delivery).
	Extend(ctx context.Context, handle string, d time.Duration) error
	// Delete acknowledges the delivery. When the message has been delivered again since, it may stay or go, with
	// ErrNoMessage or without (SQS promises neither): so delete only what is done or has a successor.
	Delete(ctx context.Context, handle string) error
	// Depth returns how many messages are visible, in flight, and delayed, and the age of the oldest.
	Depth(ctx context.Context) (Depth, error)
}

// Depth is a queue's size at one moment.
type Depth struct {
	Visible, InFlight, Delayed int
	OldestAge                  time.Duration
}

// DeadLetters is the operator's view of a queue's dead-letter queue.
type DeadLetters interface {
	// List returns up to limit dead letters, oldest first, without taking them.
	List(ctx context.Context, limit int) ([]Message, error)
	// Redrive moves up to limit dead letters back and returns how many.
	Redrive(ctx context.Context, limit int) (int, error)
	// Purge drops all dead letters and returns how many.
	Purge(ctx context.Context) (int, error)
}

// Platform is everything that the pipeline and the web pages run on.
type Platform struct {
	Jobs        Jobs
	Completions Completions
	Leases      Leases
	Progress    Progress
	Input       Objects // uploads, plans, segments
	Output      Objects // converted segments, final files
	Uploads     Uploads // into Input
	Links       Links   // to Output
	Tokens      Tokens
	Secrets     Secrets
	Outbox      Outbox
	Queues      map[QueueName]Queue
	DeadLetters map[QueueName]DeadLetters
}
