package main

import (
	"context"
	"fmt"
)

// x264 and x265 are the encoder settings on both sides.
const (
	x264 = "-c:v libx264 -preset medium -crf 18"
	x265 = "-c:v libx265 -preset medium -crf 20 -x265-params log-level=error"
)

func (b *bench) convert8(ctx context.Context) error {
	return b.convert(ctx, "convert, 1080p24, 8-bit H.264, full-sbs, classic", 1920, 1080, 8, b.frames, x264, "--codec h264 --crf 18 --encoder-preset medium")
}

func (b *bench) convert10(ctx context.Context) error {
	return b.convert(ctx, "convert, 1080p24, 10-bit HEVC, full-sbs, classic", 1920, 1080, 10, b.frames/4, x265, "--codec hevc --crf 20 --encoder-preset medium")
}

func (b *bench) convert4K(ctx context.Context) error {
	return b.convert(ctx, "convert, 2160p24, 8-bit H.264, full-sbs, classic", 3840, 2160, 8, b.frames/4, x264, "--codec h264 --crf 18 --encoder-preset medium")
}

// convert measures a whole conversion over FFmpeg that decodes, puts the picture beside itself and encodes.
func (b *bench) convert(ctx context.Context, title string, w, h, bits, frames int, reference, options string) error {
	in, err := b.film(ctx, w, h, bits, frames)
	if err != nil {
		return err
	}
	r, err := b.pairs(ctx,
		command(b.binary, fmt.Sprintf("convert %s -o %s -y -q %s", in, b.path("ours.mp4"), options)),
		ffmpeg("-i %s -filter_complex split[a][b];[a][b]hstack -c:a copy %s %s", in, reference, b.path("theirs.mp4")))
	if err != nil {
		return err
	}
	header(title)
	row(fmt.Sprintf("%d frames; reference: ffmpeg split,hstack %s", frames, reference), r)
	fmt.Println()
	return nil
}
