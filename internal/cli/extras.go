package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/report"
)

// extras are files that convert writes beside the film; empty names none.
type extras struct{ report, scenes string }

func extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

// check refuses names that tell no format, and what could only fail when all the work is done.
func (e extras) check(overwrite bool) error {
	if e.report != "" && extension(e.report) != ".json" && extension(e.report) != ".png" {
		return usagef("--report is %s: name it .json or .png", filepath.Base(e.report))
	}
	if e.scenes != "" {
		if _, err := report.SceneWriter(extension(e.scenes)); err != nil {
			return usagef("--scenes is %s: %v", filepath.Base(e.scenes), err)
		}
	}
	for flag, path := range map[string]string{"--report": e.report, "--scenes": e.scenes} {
		if path == "" {
			continue
		}
		if err := checkOutputOf(flag, path, overwrite); err != nil {
			return err
		}
	}
	return nil
}

// write makes the files from what the job left in the store.
func (e extras) write(ctx context.Context, output platform.Objects, id string) error {
	if e.report != "" {
		key := job.ReportKey(id)
		if extension(e.report) == ".png" {
			key = job.ReportPictureKey(id)
		}
		body, err := readObject(ctx, output, key)
		if err == nil {
			err = os.WriteFile(e.report, body, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if e.scenes == "" {
		return nil
	}
	if err := e.writeScenes(ctx, output, id); err != nil {
		return fmt.Errorf("write the list of scenes: %w", err)
	}
	return nil
}

func (e extras) writeScenes(ctx context.Context, output platform.Objects, id string) error {
	body, err := readObject(ctx, output, job.ReportKey(id))
	if err != nil {
		return err
	}
	r, err := report.Parse(body)
	if err != nil {
		return err
	}
	if len(r.Missing) > 0 {
		return fmt.Errorf("figures of segments %v are gone: convert again with --no-resume", r.Missing)
	}
	return saveScenes(e.scenes, r.Scenes)
}

// saveScenes writes the list of scenes in the format that the file's name asks for.
func saveScenes(path string, scenes []report.Scene) error {
	write, err := report.SceneWriter(extension(path))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := write(&out, scenes); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func readObject(ctx context.Context, store platform.Objects, key string) ([]byte, error) {
	r, _, err := store.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r)
	return body, errors.Join(err, r.Close())
}
