// Package gputest stands in for an NVIDIA GPU, for tests: an ffmpeg that takes CUDA's and NVENC's options and does in
// software what they ask for.
package gputest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Kind is what a GPU does.
type Kind string

// The kinds. All but Absent have a device.
const (
	Exact  Kind = ""       // decodes and encodes
	Absent Kind = "absent" // this machine's own FFmpeg, and no device, whatever the machine has
	Wrong  Kind = "wrong"  // decodes to other frames
	Sly    Kind = "sly"    // decodes films, not tests, to other frames
	Breaks Kind = "breaks" // decodes five frames of a film
	Hangs  Kind = "hangs"  // never answers
)

// script is an FFmpeg for the shell: %[1]s is the true one, %[2]s the kind, %[3]s a file that hears of its work. The range
// of the samples is said to the first conversion too, which on a GPU there is none of.
const script = `#!/bin/sh
kind=%[2]s work= film=
for arg; do [ "$arg" = rawvideo ] && film=yes; done
n=$#
while [ "$n" -gt 0 ]; do
  arg=$1; shift; n=$((n-1))
  case $arg in
  -hwaccel) work=decode; shift; n=$((n-1)); continue ;;
  -init_hw_device) work=device; shift; n=$((n-1)); continue ;;
  -hwaccel_output_format|-rc|-b:v) shift; n=$((n-1)); continue ;;
  h264_nvenc) work=encode; arg=libx264 ;;
  hevc_nvenc) work=encode; arg=libx265 ;;
  -cq) arg=-crf ;;
  p5) arg=ultrafast ;;
  passthrough) [ "$kind$work" = breaksdecode ] && [ "$film" ] && { set -- "$@" "$arg" -frames:v; arg=5; } ;;
  *hwdownload*)
    arg=$(printf %%s "$arg" | sed 's/hwdownload,\(format=[a-z0-9]*\),\(scale=[^,]*\)/\2,\1,\2/')
    [ "$kind" = wrong ] || [ "$kind$film" = slyyes ] && arg=$arg,negate ;;
  esac
  set -- "$@" "$arg"
done
[ "$work" ] && echo "$work $film" >>'%[3]s'
[ "$kind$work" = hangsdevice ] && exec sleep 60
exec '%[1]s' "$@"
`

// Use puts a GPU into this machine for as long as the test lives. What it returns tells how often it has decoded a film.
func Use(t testing.TB, k Kind) (decoded func() int) {
	t.Helper()
	if k == Absent {
		t.Setenv("CUDA_VISIBLE_DEVICES", "-1")
		return func() int { return 0 }
	}
	dir := t.TempDir()
	heard := filepath.Join(dir, "heard")
	text := fmt.Sprintf(script, find(t, "ffmpeg"), "'"+string(k)+"'", heard)
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return func() int {
		lines, err := os.ReadFile(heard)
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		return bytes.Count(lines, []byte("decode yes\n"))
	}
}

// find looks a program up.
func find(t testing.TB, name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("%s isn't installed", name)
	return ""
}
