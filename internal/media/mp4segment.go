package media

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// sample is one encoded frame of a converted segment.
type sample struct {
	offset int64  // in the segment's file
	size   uint32 // bytes
	rank   int32  // place in display order within the segment
	key    bool
}

// encodedSegment is the index of a converted segment.
type encodedSegment struct {
	path    string
	samples []sample // in decode order
	// entry is the sample description (an avc1 or hvc1 box) without what may differ between segments
	// that can be joined, or is written anew for the film.
	entry []byte
}

// droppedBoxes are left out of a sample description: the bit rate says nothing about how to decode, and the tags are the film's.
var droppedBoxes = []string{"btrt", "st3d", "sv3d", "mdcv", "clli"}

// readEncodedSegment reads the index of a segment that Encoder wrote, and checks that it holds as many
// frames as promised.
func readEncodedSegment(s SegmentOutput) (*encodedSegment, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	moov, err := readIndex(f, info.Size())
	var e *encodedSegment
	if err == nil {
		e, err = indexSegment(moov, info.Size())
	}
	if err == nil && len(e.samples) != s.Frames {
		err = fmt.Errorf("it holds %d frames, want %d", len(e.samples), s.Frames)
	}
	if err != nil {
		return nil, &Error{Reason: fmt.Sprintf("converted segment %s is damaged: %v", filepath.Base(s.Path), err), Err: err}
	}
	e.path = s.Path
	return e, nil
}

// indexSegment collects the samples of the file's only track from its moov box. size is the file's, in bytes.
func indexSegment(moov []byte, size int64) (*encodedSegment, error) {
	var tracks [][]byte
	for b := range boxesIn(moov) {
		if b.name == "trak" {
			tracks = append(tracks, b.body)
		}
	}
	if len(tracks) != 1 {
		return nil, fmt.Errorf("it has %d tracks, want one", len(tracks))
	}
	stbl := find(tracks[0], "mdia", "minf", "stbl")
	e := new(encodedSegment)
	var err error
	if e.entry, err = visualEntry(stbl); err != nil {
		return nil, err
	}
	if e.samples, err = sampleSizes(stbl); err != nil {
		return nil, err
	}
	if err := locateSamples(stbl, e.samples, size); err != nil {
		return nil, err
	}
	if err := rankSamples(stbl, e.samples); err != nil {
		return nil, err
	}
	return e, markKeys(stbl, e.samples)
}

// visualEntryHead is the length of a visual sample entry's header and fixed fields (ISO/IEC 14496-12, 12.1.3).
const visualEntryHead = 86

// visualEntry returns the only sample description.
func visualEntry(stbl []byte) ([]byte, error) {
	stsd := find(stbl, "stsd")
	if len(stsd) < 8+visualEntryHead || u32(stsd, 1) != 1 || int64(u32(stsd, 2)) != int64(len(stsd)-8) {
		return nil, errors.New("its sample description is damaged")
	}
	entry := slices.Clone(stsd[8 : 8+visualEntryHead])
	for b := range boxesIn(stsd[8+visualEntryHead:]) {
		if !slices.Contains(droppedBoxes, b.name) {
			entry = append(entry, b.all...)
		}
	}
	return sized(entry), nil
}

// sampleSizes reads the stsz box.
func sampleSizes(stbl []byte) ([]sample, error) {
	damaged := errors.New("its table of sizes is damaged")
	stsz := find(stbl, "stsz")
	if len(stsz) < 12 {
		return nil, damaged
	}
	uniform, n := u32(stsz, 1), int64(u32(stsz, 2))
	if n == 0 || n > maxSegmentSamples || uniform == 0 && n*4 > int64(len(stsz)-12) {
		return nil, damaged
	}
	samples := make([]sample, n)
	for i := range samples {
		if samples[i].size = uniform; uniform == 0 {
			samples[i].size = u32(stsz[12:], i)
		}
		if samples[i].size == 0 {
			return nil, fmt.Errorf("frame %d is empty", i)
		}
	}
	return samples, nil
}

// locateSamples walks the chunks (ISO/IEC 14496-12, 8.7) and fills in where each sample lies.
func locateSamples(stbl []byte, samples []sample, size int64) error {
	offset, chunks, err := chunkOffsets(stbl)
	if err != nil {
		return err
	}
	stsc, entries, err := rows(stbl, "stsc", 12)
	if err != nil {
		return err
	}
	var total int64
	i, entry := 0, -1
	for chunk := range chunks {
		for entry+1 < entries && int64(u32(stsc, 3*(entry+1))) <= int64(chunk)+1 {
			entry++
		}
		if entry < 0 || u32(stsc, 3*entry+2) != 1 || int64(u32(stsc, 3*entry+1)) > int64(len(samples)-i) {
			return errors.New("its table of chunks is damaged")
		}
		at := offset(chunk)
		for range u32(stsc, 3*entry+1) {
			s := &samples[i]
			total += int64(s.size)
			// No byte counts twice, so that no index makes the film larger than its segments.
			if at < 0 || int64(s.size) > size || at > size-int64(s.size) || total > size {
				return fmt.Errorf("frame %d lies beyond its end", i)
			}
			s.offset = at
			at += int64(s.size)
			i++
		}
	}
	if i != len(samples) {
		return fmt.Errorf("its chunks hold %d of %d frames", i, len(samples))
	}
	return nil
}

// rankSamples finds the display order from the composition times, which lie on a constant clock.
func rankSamples(stbl []byte, samples []sample) error {
	times, err := compositionTimes(stbl, len(samples))
	if err != nil {
		return err
	}
	order := make([]int32, len(samples))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return int(min(max(times[a]-times[b], -1), 1)) })
	for rank, i := range order {
		if rank > 0 {
			step := times[i] - times[order[rank-1]]
			if step <= 0 || step != times[order[1]]-times[order[0]] {
				return fmt.Errorf("frame %d isn't where a constant frame rate puts it", rank)
			}
		}
		samples[i].rank = int32(rank)
	}
	return nil
}

// compositionTimes adds up the stts and ctts boxes.
func compositionTimes(stbl []byte, samples int) ([]int64, error) {
	deltas, err := runs(stbl, "stts", samples)
	if err != nil {
		return nil, err
	}
	times := make([]int64, samples)
	for i := 1; i < samples; i++ {
		times[i] = times[i-1] + int64(deltas[i-1])
	}
	if find(stbl, "ctts") == nil { // decoded in display order
		return times, nil
	}
	offsets, err := runs(stbl, "ctts", samples)
	if err != nil {
		return nil, err
	}
	for i := range times {
		times[i] += int64(int32(offsets[i])) // negative ones exist in version 1
	}
	return times, nil
}

// runs expands a table of (count, value) into one value for each sample.
func runs(stbl []byte, name string, samples int) ([]uint32, error) {
	data, n, err := rows(stbl, name, 8)
	if err != nil {
		return nil, err
	}
	values := make([]uint32, 0, samples)
	for i := range n {
		count := u32(data, 2*i)
		if int64(count) > int64(samples-len(values)) {
			return nil, fmt.Errorf("its %s table is damaged", name)
		}
		for range count {
			values = append(values, u32(data, 2*i+1))
		}
	}
	if len(values) != samples {
		return nil, fmt.Errorf("its %s table covers %d of %d frames", name, len(values), samples)
	}
	return values, nil
}

// markKeys reads the stss box; without one every sample is a key. A segment starts with one.
func markKeys(stbl []byte, samples []sample) error {
	if find(stbl, "stss") == nil {
		for i := range samples {
			samples[i].key = true
		}
		return nil
	}
	keys, n, err := rows(stbl, "stss", 4)
	if err != nil {
		return err
	}
	for i := range n {
		k := int64(u32(keys, i))
		if k < 1 || k > int64(len(samples)) {
			return fmt.Errorf("key frame %d doesn't exist", k)
		}
		samples[k-1].key = true
	}
	if !samples[0].key {
		return errors.New("it doesn't start with a key frame")
	}
	return nil
}
