// Package memory is a platform in the memory of one process, gone with it: for simulations and tests. It keeps the whole
// contract of package platform, tells a hook of every call, and goes by any clock.
package memory

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// Options shape a Store. The zero value is a store without events, on the machine's clock.
type Options struct {
	Now           func() time.Time // nil is time.Now
	Notifications []platform.Notification
	Visibility    time.Duration // of every queue; 0 means each queue's own
	// Saw, if set, hears of every call before it is done, of a Receive after it, and may take its time: nothing is locked
	// meanwhile. Called from several goroutines.
	Saw func(Call)
}

// Call is one call of a method of the platform.
type Call struct {
	Method string // such as "Jobs.Get"
	// On is what was called upon: a job's id, a bucket and key, a queue, a lease's name.
	On string
	N  int // keys, messages or segments that it is about; 0 where the method is about one thing
}

// Store is one platform.
type Store struct {
	Options
	secret  []byte // signs links
	objects *bucketSet
	rows    *rowSet
	queues  map[platform.QueueName]*queue
	letters map[platform.QueueName]platform.DeadLetters
}

// New returns an empty store.
func New(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Saw == nil {
		o.Saw = func(Call) {}
	}
	s := &Store{Options: o, secret: make([]byte, 32), rows: newRows(), objects: newBuckets()}
	_, _ = rand.Read(s.secret) // never fails (crypto/rand)
	s.queues, s.letters = map[platform.QueueName]*queue{}, map[platform.QueueName]platform.DeadLetters{}
	for _, name := range platform.QueueNames() {
		visibility := o.Visibility
		if visibility <= 0 {
			visibility = name.Visibility()
		}
		s.queues[name] = &queue{s: s, name: name, visibility: visibility, byID: map[int64]*message{}}
		s.letters[name] = deadLetters{s.queues[name]}
	}
	return s
}

// Platform returns the store's parts.
func (s *Store) Platform() platform.Platform {
	input, output := &bucket{s, platform.InputBucket}, &bucket{s, platform.OutputBucket}
	p := platform.Platform{
		Jobs: jobs{s}, Completions: completions{s}, Leases: leases{s}, Progress: progress{s},
		Input: input, Output: output, Uploads: uploads{input}, Links: output,
		Tokens: tokens{s}, Secrets: secrets{s}, Outbox: outbox{s},
		Queues: map[platform.QueueName]platform.Queue{}, DeadLetters: s.letters,
	}
	for name, q := range s.queues {
		p.Queues[name] = q
	}
	return p
}

// Wake has everybody who waits for a message look again, after the clock was set forward.
func (s *Store) Wake() {
	for _, q := range s.queues {
		q.wake()
	}
}

// rowSet holds everything that isn't an object or a message.
type rowSet struct {
	mu          sync.Mutex
	jobs        *jobTable
	completions map[string]map[int]platform.Completion
	progress    map[string]map[int]platform.SegmentProgress
	leases      map[string]lease
	tokens      []platform.Token
	secrets     map[string][]byte
	notices     map[string]*notice
}

func newRows() *rowSet {
	return &rowSet{
		jobs: newJobTable(), completions: map[string]map[int]platform.Completion{}, progress: map[string]map[int]platform.SegmentProgress{},
		leases: map[string]lease{}, secrets: map[string][]byte{}, notices: map[string]*notice{},
	}
}
