package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// soundTrack lists the packets of one stream of sound.
type soundTrack struct {
	base    Rational // of its timestamps
	packets []soundPacket
}

// soundPacket is what is compared of a packet: when it sounds and what it holds.
type soundPacket struct {
	pts  int64
	size uint32 // bytes
	sum  uint32 // Adler-32 of them (RFC 1950)
}

func (t soundTrack) seconds(i int) float64 { return float64(t.packets[i].pts) * t.base.Float() }

// readFinalSound lists the packets of every sound track in a file. What FFmpeg unwraps while muxing (AAC's
// headers) is unwrapped already.
func readFinalSound(ctx context.Context, path string) ([]soundTrack, error) {
	args := append([]string{"-copyts"}, inputArgs(path)...)
	args = append(args, "-map", "0:a", "-c", "copy")
	args = append(append(args, timesKept...), "-f", "framecrc", "pipe:1")
	return listSound(ctx, path, args)
}

// listSound runs FFmpeg with a framecrc list on its standard output.
func listSound(ctx context.Context, path string, args []string) ([]soundTrack, error) {
	p := ffmpegCommand(path, args...)
	out, err := p.stdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	tracks, readErr := readSound(out)
	if readErr != nil {
		p.kill(readErr)
	}
	return tracks, errors.Join(p.wait(), readErr)
}

// readSound reads what FFmpeg's framecrc muxer writes: "#tb 0: 1/48000" for each stream, then for each packet
// "stream, dts, pts, duration, size, 0xsum".
func readSound(r io.Reader) (tracks []soundTrack, err error) {
	err = scanLines(r, func(line []byte) error {
		if rest, ok := bytes.CutPrefix(line, []byte("#tb ")); ok {
			_, base, _ := bytes.Cut(rest, []byte(": "))
			parsed, err := parseRational(string(base))
			tracks = append(tracks, soundTrack{base: parsed})
			return err
		}
		if len(line) == 0 || line[0] == '#' {
			return nil
		}
		stream, p, err := parseSoundPacket(line)
		if err == nil && (stream < 0 || stream >= len(tracks)) {
			err = fmt.Errorf("packet of stream %d of %d", stream, len(tracks))
		}
		if err != nil {
			return err
		}
		tracks[stream].packets = append(tracks[stream].packets, p)
		return nil
	})
	return tracks, err
}

func parseSoundPacket(line []byte) (stream int, p soundPacket, err error) {
	var fields [6][]byte
	for i := range fields {
		fields[i], line, _ = bytes.Cut(line, []byte{','})
		fields[i] = bytes.TrimSpace(fields[i])
	}
	stream, err1 := strconv.Atoi(string(fields[0]))
	pts, err2 := strconv.ParseInt(string(fields[2]), 10, 64)
	size, err3 := strconv.ParseUint(string(fields[4]), 10, 32)
	sum, err4 := strconv.ParseUint(string(bytes.TrimPrefix(fields[5], []byte("0x"))), 16, 32)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return 0, p, fmt.Errorf("list of sound packets: %w", err)
	}
	return stream, soundPacket{pts: pts, size: uint32(size), sum: uint32(sum)}, nil
}

// audible returns the tracks that hold anything: MP4 has no others.
func audible(tracks []soundTrack) (some []soundTrack) {
	for _, t := range tracks {
		if len(t.packets) > 0 {
			some = append(some, t)
		}
	}
	return some
}

// compareSound returns how the sound read back differs from the source's. Containers round times to
// their own clocks: a packet may move by a tick of each, plus slack seconds.
func compareSound(got, want []soundTrack, slack float64) error {
	got, want = audible(got), audible(want)
	if len(got) != len(want) {
		return fmt.Errorf("%d sound tracks, want %d", len(got), len(want))
	}
	for i := range want {
		if err := compareTrack(got[i], want[i], slack); err != nil {
			return fmt.Errorf("sound track %d %w", i+1, err)
		}
	}
	return nil
}

func compareTrack(got, want soundTrack, slack float64) error {
	if len(got.packets) != len(want.packets) {
		return fmt.Errorf("has %d packets, the source %d", len(got.packets), len(want.packets))
	}
	tolerance := got.base.Float() + want.base.Float() + slack
	for i, w := range want.packets {
		g := got.packets[i]
		if g.size != w.size || g.sum != w.sum {
			return fmt.Errorf("has another packet %d than the source (%d bytes, want %d)", i, g.size, w.size)
		}
		if is, should := got.seconds(i), want.seconds(i); math.Abs(is-should) > tolerance {
			return fmt.Errorf("has packet %d at %.6f s, want %.6f s", i, is, should)
		}
	}
	return nil
}
