package memory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// object is one version of an object; it never changes.
type object struct {
	platform.Object
	content []byte
	kind    string // content type
}

// bucketSet holds the objects of both buckets and the uploads under way.
type bucketSet struct {
	mu      sync.Mutex
	version int
	// groups holds objects by bucket and the first two parts of their keys, so that one job's can be listed without
	// looking at all.
	groups  map[string]map[string]*object
	uploads map[string]*upload
}

func newBuckets() *bucketSet {
	return &bucketSet{groups: map[string]map[string]*object{}, uploads: map[string]*upload{}}
}

// group returns the first two parts of a key, or all of a key that has fewer. whole says that every key that begins with
// the given one is of the same group.
func group(key string) (name string, whole bool) {
	first := strings.IndexByte(key, '/')
	if first < 0 {
		return "", false
	}
	second := strings.IndexByte(key[first+1:], '/')
	if second < 0 {
		return "", false
	}
	return key[:first+1+second], true
}

// bucket is one bucket.
type bucket struct {
	s    *Store
	name platform.BucketName
}

var (
	_ platform.Objects = (*bucket)(nil)
	_ platform.Links   = (*bucket)(nil)
)

func (b *bucket) saw(method, key string) {
	b.s.Saw(Call{Method: method, On: string(b.name) + "/" + key})
}

func (b *bucket) in(key string) string {
	name, _ := group(key)
	return string(b.name) + "/" + name
}

// find returns the object's newest version.
func (b *bucket) find(key string) (*object, error) {
	if err := platform.CheckKey(key); err != nil {
		return nil, err
	}
	b.s.objects.mu.Lock()
	defer b.s.objects.mu.Unlock()
	o := b.s.objects.groups[b.in(key)][key]
	if o == nil {
		return nil, fmt.Errorf("%s: %w", key, platform.ErrNotFound)
	}
	return o, nil
}

func (o *object) describe() platform.Object {
	d := o.Object
	d.Metadata = maps.Clone(d.Metadata)
	return d
}

// Head implements platform.Objects.
func (b *bucket) Head(_ context.Context, key string) (platform.Object, error) {
	b.saw("Objects.Head", key)
	o, err := b.find(key)
	if err != nil {
		return platform.Object{}, err
	}
	return o.describe(), nil
}

// Get implements platform.Objects.
func (b *bucket) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, platform.Object, error) {
	b.saw("Objects.Get", key)
	o, err := b.find(key)
	if err != nil {
		return nil, platform.Object{}, err
	}
	if offset < 0 || offset > 0 && offset >= o.Size {
		return nil, platform.Object{}, platform.ErrBadRange
	}
	end := o.Size
	if length >= 0 {
		end = min(end, offset+length)
	}
	return io.NopCloser(bytes.NewReader(o.content[offset:end])), o.describe(), nil
}

// Put implements platform.Objects.
func (b *bucket) Put(_ context.Context, key string, r io.Reader, opts platform.PutOptions) (platform.Object, error) {
	b.saw("Objects.Put", key)
	if err := platform.CheckKey(key); err != nil {
		return platform.Object{}, err
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return platform.Object{}, err
	}
	return b.publish(key, content, opts, nil)
}

// publish makes content the object's newest version and sends its events, unless refuse says otherwise, which is asked
// while nobody else publishes.
func (b *bucket) publish(key string, content []byte, opts platform.PutOptions, refuse func() error) (platform.Object, error) {
	b.s.objects.mu.Lock()
	defer b.s.objects.mu.Unlock()
	if refuse != nil {
		if err := refuse(); err != nil {
			return platform.Object{}, err
		}
	}
	of := b.s.objects.groups[b.in(key)]
	if of == nil {
		of = map[string]*object{}
		b.s.objects.groups[b.in(key)] = of
	}
	if opts.IfAbsent && of[key] != nil {
		return platform.Object{}, fmt.Errorf("%s: %w", key, platform.ErrExists)
	}
	b.s.objects.version++
	o := &object{
		Object: platform.Object{
			Key: key, Size: int64(len(content)), Modified: b.s.Now(), ETag: fmt.Sprintf("%016x", b.s.objects.version), Metadata: maps.Clone(opts.Metadata),
		},
		content: content, kind: opts.ContentType,
	}
	of[key] = o
	b.notify(o)
	return o.describe(), nil
}

// notify sends the events of a new object.
func (b *bucket) notify(o *object) {
	for _, n := range b.s.Notifications {
		if n.Matches(b.name, o.Key) {
			b.s.queues[n.Queue].add(0, job.EncodeObjectCreated(job.ObjectCreated{
				Bucket: string(b.name), Key: o.Key, Size: o.Size, ETag: o.ETag, Time: o.Modified,
			}))
		}
	}
}

// Delete implements platform.Objects.
func (b *bucket) Delete(_ context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	b.s.Saw(Call{Method: "Objects.Delete", On: string(b.name) + "/" + keys[0], N: len(keys)})
	b.s.objects.mu.Lock()
	defer b.s.objects.mu.Unlock()
	for _, key := range keys {
		delete(b.s.objects.groups[b.in(key)], key)
	}
	return nil
}

// List implements platform.Objects. The token is the last key of the page before.
func (b *bucket) List(_ context.Context, prefix, token string, limit int) ([]platform.Object, string, error) {
	b.saw("Objects.List", prefix)
	after, err := hex.DecodeString(token)
	if err != nil || token != "" && (hex.EncodeToString(after) != token || platform.CheckKey(string(after)) != nil || !strings.HasPrefix(string(after), prefix)) {
		return nil, "", platform.ErrBadToken
	}
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	list := b.under(prefix, string(after))
	if len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], hex.EncodeToString([]byte(list[limit-1].Key)), nil
}

// under returns the objects whose keys begin with prefix and come after a key, in order.
func (b *bucket) under(prefix, after string) []platform.Object {
	name, whole := group(prefix)
	b.s.objects.mu.Lock()
	defer b.s.objects.mu.Unlock()
	var list []platform.Object
	add := func(of map[string]*object) {
		for key, o := range of {
			if strings.HasPrefix(key, prefix) && key > after {
				list = append(list, o.describe())
			}
		}
	}
	if whole {
		add(b.s.objects.groups[string(b.name)+"/"+name])
	} else {
		for in, of := range b.s.objects.groups {
			if strings.HasPrefix(in, string(b.name)+"/") {
				add(of)
			}
		}
	}
	slices.SortFunc(list, func(a, b platform.Object) int { return cmp.Compare(a.Key, b.Key) })
	return list
}
