package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// upload is an object on its way, in parts.
type upload struct {
	bucket platform.BucketName
	key    string
	opts   platform.PutOptions
	parts  map[int]uploaded
}

type uploaded struct {
	platform.Part
	content []byte
}

type uploads struct{ *bucket }

var _ platform.Uploads = uploads{}

// Begin implements platform.Uploads.
func (u uploads) Begin(_ context.Context, key string, opts platform.PutOptions) (string, error) {
	u.saw("Uploads.Begin", key)
	if err := platform.CheckKey(key); err != nil {
		return "", err
	}
	u.s.objects.mu.Lock()
	defer u.s.objects.mu.Unlock()
	id := job.NewID(u.s.Now())
	u.s.objects.uploads[id] = &upload{bucket: u.name, key: key, opts: opts, parts: map[int]uploaded{}}
	return id, nil
}

// find returns an upload; ErrNotFound. The caller holds the lock.
func (u uploads) find(key, id string) (*upload, error) {
	if up := u.s.objects.uploads[id]; up != nil && up.key == key && up.bucket == u.name {
		return up, nil
	}
	return nil, fmt.Errorf("upload of %s: %w", key, platform.ErrNotFound)
}

// SignPart implements platform.Uploads.
func (u uploads) SignPart(_ context.Context, key, id string, number int, expires time.Duration) (string, error) {
	if number < 1 || number > platform.MaxParts {
		return "", fmt.Errorf("%w: part %d of at most %d", platform.ErrCondition, number, platform.MaxParts)
	}
	u.s.objects.mu.Lock()
	defer u.s.objects.mu.Unlock()
	if _, err := u.find(key, id); err != nil {
		return "", err
	}
	return u.sign("PUT", key, expires, map[string]string{"upload": id, "part": fmt.Sprint(number)}), nil
}

// put stores a part that has arrived whole.
func (u uploads) put(key, id string, number int, content []byte) (platform.Part, error) {
	var hash platform.PartHash
	_, _ = hash.Write(content) // never fails
	u.s.objects.mu.Lock()
	defer u.s.objects.mu.Unlock()
	up, err := u.find(key, id)
	if err != nil {
		return platform.Part{}, err
	}
	p := platform.Part{Number: number, Size: int64(len(content)), ETag: hash.Name()}
	up.parts[number] = uploaded{p, content}
	return p, nil
}

// Parts implements platform.Uploads.
func (u uploads) Parts(_ context.Context, key, id string) ([]platform.Part, error) {
	u.saw("Uploads.Parts", key)
	u.s.objects.mu.Lock()
	defer u.s.objects.mu.Unlock()
	up, err := u.find(key, id)
	if err != nil {
		return nil, err
	}
	var list []platform.Part
	for _, number := range slices.Sorted(maps.Keys(up.parts)) {
		list = append(list, up.parts[number].Part)
	}
	return list, nil
}

// Complete implements platform.Uploads.
func (u uploads) Complete(_ context.Context, key, id string, parts []platform.Part) (platform.Object, error) {
	u.saw("Uploads.Complete", key)
	u.s.objects.mu.Lock()
	up, err := u.find(key, id)
	var content []byte
	if err == nil {
		content, err = up.join(parts)
	}
	u.s.objects.mu.Unlock()
	if err != nil {
		return platform.Object{}, err
	}
	return u.publish(key, content, up.opts, func() error {
		_, err := u.find(key, id) // another may have completed it meanwhile
		if err == nil && !(up.opts.IfAbsent && u.s.objects.groups[u.in(key)][key] != nil) {
			delete(u.s.objects.uploads, id)
		}
		return err
	})
}

// join returns the content of the named parts; ErrCondition.
func (up *upload) join(parts []platform.Part) ([]byte, error) {
	parts = slices.SortedFunc(slices.Values(parts), func(a, b platform.Part) int { return a.Number - b.Number })
	if len(parts) == 0 {
		return nil, fmt.Errorf("%w: no parts", platform.ErrCondition)
	}
	var content []byte
	for i, p := range parts {
		arrived, ok := up.parts[p.Number]
		switch {
		case !ok || arrived.ETag != strings.Trim(p.ETag, `"`):
			return nil, fmt.Errorf("%w: part %d isn't the one that arrived", platform.ErrCondition, p.Number)
		case i > 0 && parts[i-1].Number == p.Number:
			return nil, fmt.Errorf("%w: part %d is named twice", platform.ErrCondition, p.Number)
		case i < len(parts)-1 && arrived.Size < platform.MinPartSize:
			return nil, fmt.Errorf("%w: part %d is too small", platform.ErrCondition, p.Number)
		}
		content = append(content, arrived.content...)
	}
	return content, nil
}

// Abort implements platform.Uploads.
func (u uploads) Abort(_ context.Context, key, id string) error {
	u.saw("Uploads.Abort", key)
	u.s.objects.mu.Lock()
	defer u.s.objects.mu.Unlock()
	if _, err := u.find(key, id); err == nil {
		delete(u.s.objects.uploads, id)
	}
	return nil
}
