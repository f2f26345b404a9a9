package media

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// maxCover bounds a cover picture, in bytes.
const maxCover = 32 << 20

// cover is a picture that comes with the film.
type cover struct {
	path, mime string
	size       int // bytes
}

// takeCovers writes the source's cover pictures into dir. MP4 takes them as streams all the same, and only needs
// to know their size; Matroska attaches the files.
func (m *muxing) takeCovers(ctx context.Context, dir string) error {
	isCover := func(s CarriedStream) bool { return s.Kind == "video" }
	for _, s := range m.streams {
		if !isCover(s) {
			continue
		}
		args := append(inputArgs(m.SourcePath), "-map", "0:"+strconv.Itoa(s.Index), "-c", "copy", "-frames:v", "1", "-f", "image2pipe", "pipe:1")
		data, err := ffmpegCommand(m.SourcePath, args...).output(ctx, maxCover)
		if err != nil {
			return err
		}
		c := cover{path: filepath.Join(dir, fmt.Sprintf("cover%d", s.Index)), mime: "image/png", size: len(data)}
		if s.Codec == "mjpeg" {
			c.mime = "image/jpeg"
		}
		if err := os.WriteFile(c.path, data, 0o600); err != nil {
			return diskError(err)
		}
		m.covers = append(m.covers, c)
	}
	if m.Container == "mkv" {
		m.streams = slices.DeleteFunc(m.streams, isCover)
	}
	return nil
}

// attachArgs name the covers as Matroska's attachments: players look for a file "cover.jpg" or "cover.png".
func (m *muxing) attachArgs() []string {
	var args []string
	number := 0 // among the attachments; the source's own come first
	for _, s := range m.streams {
		if s.Kind == "attachment" {
			number++
		}
	}
	for _, c := range m.covers {
		name := map[string]string{"image/png": "cover.png", "image/jpeg": "cover.jpg"}[c.mime]
		tags := fmt.Sprintf("-metadata:s:t:%d", number)
		args = append(args, "-attach", fileURL(c.path), tags, "mimetype="+c.mime, tags, "filename="+name)
		number++
	}
	return args
}
