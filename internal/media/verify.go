package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// expectation is what a final file must hold.
type expectation struct {
	times      []int64 // of the video's frames in display order, in ticks of 1/scale seconds
	scale      uint32
	sound      []soundTrack // the source's
	movieScale uint32       // ticks per second of MP4's edits
	layout     Layout
	container  string
}

// finalStream is a stream of the final file.
type finalStream struct {
	Index    int      `json:"index"`
	Kind     string   `json:"codec_type"`
	TimeBase string   `json:"time_base"`
	SideData []stereo `json:"side_data_list"`
}

// stereo is ffprobe's side data, of which the type and the arrangement of views count.
type stereo struct {
	Kind string `json:"side_data_type"`
	Type string `json:"type"`
}

// verifyFinal reads the file back and returns an *Error that says what differs from the expectation. ffprobe
// reads the video while ffmpeg lists the sound: every byte of it is read once.
func verifyFinal(ctx context.Context, path string, want expectation) (*AssembleReport, error) {
	streams, err := finalStreams(ctx, path)
	if err != nil {
		return nil, err
	}
	if len(streams) == 0 || streams[0].Kind != "video" {
		return nil, differs(errors.New("its first stream is not the video"))
	}
	if err := want.checkStereo(streams[0]); err != nil {
		return nil, differs(err)
	}
	var times []int64
	var sound []soundTrack
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		times, err = finalTimes(ctx, path)
		return err
	})
	group.Go(func() (err error) {
		if slices.ContainsFunc(streams, func(s finalStream) bool { return s.Kind == "audio" }) {
			sound, err = readFinalSound(ctx, path)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := want.checkTimes(times, streams[0].TimeBase); err != nil {
		return nil, differs(err)
	}
	if err := compareSound(sound, want.sound, 1/float64(max(want.movieScale, 1))); err != nil {
		return nil, differs(err)
	}
	report := &AssembleReport{Frames: len(times)}
	for _, track := range audible(sound) {
		report.Sound = append(report.Sound, len(track.packets))
	}
	return report, nil
}

func differs(how error) error {
	return &Error{Reason: fmt.Sprintf("the result was read back and differs: %v", how)}
}

func finalStreams(ctx context.Context, path string) ([]finalStream, error) {
	out, err := ffprobeCommand(path, append([]string{"-of", "json", "-show_streams"}, inputArgs(path)...)...).output(ctx, 4<<20)
	if err != nil {
		return nil, err
	}
	var found struct{ Streams []finalStream }
	return found.Streams, json.Unmarshal(out, &found)
}

// finalTimes returns the timestamps of the video's packets.
func finalTimes(ctx context.Context, path string) (times []int64, err error) {
	_, err = ffprobeLines(ctx, &Source{Path: path}, func(line []byte) error {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		p, err := parsePacket(line)
		if err == nil && (!p.timed || p.hidden) {
			err = fmt.Errorf("video packet %d would not be shown", len(times))
		}
		times = append(times, p.pts)
		return err
	}, "-select_streams", "v:0", "-show_entries", "packet=pts,duration,size,pos,flags")
	return times, err
}

// checkTimes compares timestamps with a tolerance of one tick of the file's clock.
func (w expectation) checkTimes(times []int64, timeBase string) error {
	if len(times) != len(w.times) {
		return fmt.Errorf("%d frames, want %d", len(times), len(w.times))
	}
	base, err := parseRational(timeBase)
	if err != nil {
		return err
	}
	slices.Sort(times)
	for i, got := range times {
		want := rescale(w.times[i], base.Den, int64(w.scale)*base.Num)
		if got < want-1 || got > want+1 {
			return fmt.Errorf("frame %d is shown at tick %d, want %d (of %v s)", i, got, want, base)
		}
	}
	return nil
}

func parseRational(s string) (Rational, error) {
	var r Rational
	if n, err := fmt.Sscanf(s, "%d/%d", &r.Num, &r.Den); n != 2 || err != nil || r.Num <= 0 || r.Den <= 0 {
		return r, fmt.Errorf("time base %q", s)
	}
	return r, nil
}

// checkStereo compares the tag that ffprobe finds with the layout's.
func (w expectation) checkStereo(video finalStream) error {
	want := map[Layout]string{
		SideBySide: "side by side", SideBySideHalf: "side by side", Equirect180: "side by side", RightLeft: "side by side",
		TopBottom: "top and bottom", TopBottomHalf: "top and bottom",
	}[w.layout]
	if w.layout == RightLeft && w.container == "mp4" {
		want = "" // st3d has no value for it
	}
	got := ""
	for _, d := range video.SideData {
		if d.Kind == "Stereo 3D" {
			got = d.Type
		}
	}
	if got != want {
		return fmt.Errorf("its stereo tag is %q, want %q", got, want)
	}
	return nil
}
