package worker

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// fullDisk makes every write fail the first time it is tried, as a disk does that is full then.
type fullDisk struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (d *fullDisk) write(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[what] {
		return nil
	}
	d.seen[what] = true
	return platform.ErrFull
}

func (d *fullDisk) failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.seen)
}

type fullJobs struct {
	platform.Jobs
	d *fullDisk
}

// Update fails once for every status that a job is to be moved to.
func (f fullJobs) Update(ctx context.Context, id string, change func(*job.Job) error) (job.Job, error) {
	return f.Jobs.Update(ctx, id, func(j *job.Job) error {
		if err := change(j); err != nil {
			return err
		}
		return f.d.write("job " + string(j.Status))
	})
}

type fullCompletions struct {
	platform.Completions
	d *fullDisk
}

func (f fullCompletions) Record(ctx context.Context, c platform.Completion) (job.Job, error) {
	if err := f.d.write("completion " + c.Key); err != nil {
		return job.Job{}, err
	}
	return f.Completions.Record(ctx, c)
}

type fullBucket struct {
	*local.Bucket
	d *fullDisk
}

func (f fullBucket) Put(ctx context.Context, key string, r io.Reader, o platform.PutOptions) (platform.Object, error) {
	if err := f.d.write("object " + key); err != nil {
		return platform.Object{}, err
	}
	return f.Bucket.Put(ctx, key, r, o)
}

func (f fullBucket) PutFile(ctx context.Context, key, path string, o platform.PutOptions) (platform.Object, error) {
	if err := f.d.write("object " + key); err != nil {
		return platform.Object{}, err
	}
	return f.Bucket.PutFile(ctx, key, path, o)
}

type fullQueue struct {
	platform.Queue
	d    *fullDisk
	name platform.QueueName
}

func (f fullQueue) Send(ctx context.Context, delay time.Duration, bodies ...[]byte) error {
	if err := f.d.write("send " + string(f.name)); err != nil {
		return err
	}
	return f.Queue.Send(ctx, delay, bodies...)
}

func (f fullQueue) Delete(ctx context.Context, handle string) error {
	if err := f.d.write("delete " + string(f.name)); err != nil {
		return err
	}
	return f.Queue.Delete(ctx, handle)
}

type fullLeases struct {
	platform.Leases
	d *fullDisk
}

func (f fullLeases) Acquire(ctx context.Context, name, owner string, ttl time.Duration) error {
	if err := f.d.write("lease " + name); err != nil {
		return err
	}
	return f.Leases.Acquire(ctx, name, owner, ttl)
}

func TestDiskThatIsFullAtEveryWriteOnceLosesNothing(t *testing.T) {
	f := newFlow(t, brief)
	d := &fullDisk{seen: map[string]bool{"lease reconciler": true}}
	id := f.submit(t)
	f.Jobs, f.Completions = fullJobs{f.Jobs, d}, fullCompletions{f.Completions, d}
	f.Leases = fullLeases{f.Leases, d}
	f.Input, f.Output = fullBucket{f.store.Input(), d}, fullBucket{f.store.Output(), d}
	f.Converter = watched{f, f.realConverter()}
	for name, q := range f.Queues {
		f.Queues[name] = fullQueue{q, d, name}
	}
	f.run(t)
	f.awaitFilm(t, id)
	waitIdle(t, f)
	for name, dead := range f.DeadLetters {
		if list, err := dead.List(t.Context(), 1); err != nil || len(list) > 0 {
			t.Errorf("%s: a full disk used up a message's deliveries (%v)", name, err)
		}
	}
	// plan, segments, results, final file; completions; four statuses; deletes; leases; one send.
	if least := 1 + 2*flowSegments + 1 + flowSegments + 4 + 4 + 2 + 1; d.failed() < least {
		t.Errorf("only %d writes failed, want %d at least", d.failed(), least)
	}
}
