package media

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"
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
	entry   *mp4.VisualSampleEntryBox
	raw     []byte // the sample description's bytes, to compare segments by
}

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
	damaged := func(err error) error {
		return &Error{Reason: fmt.Sprintf("converted segment %s is damaged: %v", filepath.Base(s.Path), err), Err: err}
	}
	file, err := mp4.DecodeFile(f, mp4.WithDecodeMode(mp4.DecModeLazyMdat))
	if err != nil {
		return nil, damaged(err)
	}
	e, err := indexSegment(file, info.Size())
	if err != nil {
		return nil, damaged(err)
	}
	if len(e.samples) != s.Frames {
		return nil, damaged(fmt.Errorf("it holds %d frames, want %d", len(e.samples), s.Frames))
	}
	e.path = s.Path
	return e, nil
}

// indexSegment collects the samples of the file's only track. size is the file's, in bytes.
func indexSegment(file *mp4.File, size int64) (*encodedSegment, error) {
	if file.Moov == nil || len(file.Moov.Traks) != 1 || file.Moov.Trak.Mdia == nil || file.Moov.Trak.Mdia.Minf == nil || file.Moov.Trak.Mdia.Minf.Stbl == nil {
		return nil, fmt.Errorf("it hasn't exactly one track")
	}
	t := file.Moov.Trak.Mdia.Minf.Stbl
	if t.Stsd == nil || t.Stts == nil || t.Stsz == nil || t.Stsc == nil || t.Stco == nil && t.Co64 == nil {
		return nil, fmt.Errorf("its index lacks a table")
	}
	entry, err := visualEntry(t.Stsd)
	if err != nil {
		return nil, err
	}
	// The bit rate differs from segment to segment and says nothing about how to decode.
	entry.Children = slices.DeleteFunc(entry.Children, func(b mp4.Box) bool { return b.Type() == "btrt" })
	e := &encodedSegment{entry: entry}
	var raw bytes.Buffer
	if err := entry.Encode(&raw); err != nil {
		return nil, err
	}
	e.raw = raw.Bytes()
	if e.samples, err = locateSamples(t, size); err != nil {
		return nil, err
	}
	if err := rankSamples(t, e.samples); err != nil {
		return nil, err
	}
	return e, markKeys(t.Stss, e.samples)
}

func visualEntry(stsd *mp4.StsdBox) (*mp4.VisualSampleEntryBox, error) {
	if len(stsd.Children) != 1 {
		return nil, fmt.Errorf("it has %d sample descriptions", len(stsd.Children))
	}
	entry, ok := stsd.Children[0].(*mp4.VisualSampleEntryBox)
	if !ok {
		return nil, fmt.Errorf("its track is not video")
	}
	return entry, nil
}

// locateSamples walks the chunks (ISO/IEC 14496-12, 8.7) and returns where each sample lies.
func locateSamples(t *mp4.StblBox, size int64) ([]sample, error) {
	var chunks []uint64
	if t.Stco != nil {
		for _, o := range t.Stco.ChunkOffset {
			chunks = append(chunks, uint64(o))
		}
	} else {
		chunks = t.Co64.ChunkOffset
	}
	// Every sample takes at least a byte of the file, so a lying count can't make us allocate much.
	count := int64(t.Stsz.GetNrSamples())
	if count > size || t.Stsz.SampleUniformSize == 0 && count != int64(len(t.Stsz.SampleSize)) {
		return nil, fmt.Errorf("it claims %d samples", count)
	}
	samples := make([]sample, 0, count)
	entry := -1
	for c, at := range chunks {
		for entry+1 < len(t.Stsc.Entries) && int64(t.Stsc.Entries[entry+1].FirstChunk) <= int64(c)+1 {
			entry++
		}
		if entry < 0 {
			return nil, fmt.Errorf("chunk %d has no samples", c+1)
		}
		for range min(int64(t.Stsc.Entries[entry].SamplesPerChunk), count-int64(len(samples))) {
			s := sample{offset: int64(at), size: t.Stsz.GetSampleSize(len(samples) + 1)}
			if at > uint64(size) || uint64(s.size) > uint64(size)-at {
				return nil, fmt.Errorf("sample %d lies beyond its end", len(samples)+1)
			}
			at += uint64(s.size)
			samples = append(samples, s)
		}
	}
	if int64(len(samples)) != count {
		return nil, fmt.Errorf("its chunks hold %d of %d samples", len(samples), count)
	}
	return samples, nil
}

// rankSamples finds the display order from the composition times.
func rankSamples(t *mp4.StblBox, samples []sample) error {
	if len(t.Stts.SampleCount) != len(t.Stts.SampleTimeDelta) {
		return fmt.Errorf("its clock is damaged")
	}
	times := make([]int64, 0, len(samples))
	var clock int64
	for i, n := range t.Stts.SampleCount {
		for range min(int64(n), int64(len(samples)-len(times))) {
			times = append(times, clock)
			clock += int64(t.Stts.SampleTimeDelta[i])
		}
	}
	if len(times) != len(samples) {
		return fmt.Errorf("its clock times %d of %d samples", len(times), len(samples))
	}
	if t.Ctts != nil {
		if t.Ctts.NrSampleCount() == 0 || int(t.Ctts.EndSampleNr[len(t.Ctts.EndSampleNr)-1]) < len(samples) {
			return fmt.Errorf("its composition offsets end early")
		}
		for i := range times {
			times[i] += int64(t.Ctts.GetCompositionTimeOffset(uint32(i + 1)))
		}
	}
	order := make([]int, len(samples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(min(max(times[a]-times[b], -1), 1)) })
	for rank, i := range order {
		if rank > 0 && times[i] == times[order[rank-1]] {
			return fmt.Errorf("two of its frames are shown at once")
		}
		samples[i].rank = int32(rank)
	}
	return nil
}

func markKeys(stss *mp4.StssBox, samples []sample) error {
	if stss == nil { // every sample is a key
		for i := range samples {
			samples[i].key = true
		}
		return nil
	}
	for _, n := range stss.SampleNumber {
		if n < 1 || int64(n) > int64(len(samples)) {
			return fmt.Errorf("key frame %d doesn't exist", n)
		}
		samples[n-1].key = true
	}
	return nil
}
