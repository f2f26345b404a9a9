package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// film returns a film-like source of w×h at 24 frames per second, made once: rendered scenes with camera
// motion, moving things, grain, and a cut every two seconds; 10-bit ones are converted from 8 bits.
func (b *bench) film(ctx context.Context, w, h, bits, frames int) (string, error) {
	path := b.path(fmt.Sprintf("film_%dx%d_%dbit_%d.mp4", w, h, bits, frames))
	if bits > 8 {
		from, err := b.film(ctx, w, h, 8, frames)
		if err != nil {
			return "", err
		}
		return path, once(ctx, path, ffmpeg("-i %s -pix_fmt yuv420p10le -c:v libx265 -preset fast -crf 16 -x265-params log-level=error -c:a copy -tag:v hvc1 %s", from, path))
	}
	return path, once(ctx, path, func(ctx context.Context) error { return b.render(ctx, path, w, h, frames) })
}

func (b *bench) render(ctx context.Context, path string, w, h, frames int) error {
	var scenes []*scene.Scene
	for _, name := range []string{scene.Demo, scene.Solids, scene.Dolly, scene.Layers, scene.Mover} {
		s, err := scene.New(name, w, h)
		if err != nil {
			return err
		}
		scenes = append(scenes, s.Noisy(1.5))
	}
	const shot = 48 // frames
	draw := func(i int, buf []byte) error {
		scene.Render(scenes[i/shot%len(scenes)], i%shot, 0, yuv.Wrap(buf, w, h, 8), nil)
		return nil
	}
	part := path + ".part.mp4"
	err := media.WriteFilm(ctx, media.FilmRequest{
		Path: part, Width: w, Height: h, FrameRate: 24, Frames: frames, Draw: draw,
		Sound: make([]int16, frames*media.SoundRate/24),
	})
	if err != nil {
		return err
	}
	return os.Rename(part, path)
}

// looped returns the film repeated to about the given number of minutes, by stream copy.
func (b *bench) looped(ctx context.Context, film string, frames, minutes int) (string, error) {
	path := b.path(fmt.Sprintf("loop_%dmin.mp4", minutes))
	times := minutes*60*24/frames - 1
	return path, once(ctx, path, ffmpeg("-stream_loop %d -i %s -c copy %s", times, film, path))
}
