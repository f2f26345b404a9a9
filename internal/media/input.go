package media

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// readableFormats are the demuxers that FFmpeg may use on what people bring: containers that hold their
// own media. Anything that names other files or hosts (hls, dash, concat, sdp, rtsp, image2, imf,
// lavfi, playlists, subtitle files) stays out, and so do raw streams, which have no clock.
// wav and flac are there to be told apart from what isn't media at all.
const readableFormats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,nut,mxf,gxf,wtv,dv,ivf,rm,yuv4mpegpipe,wav,flac"

// inputArgs returns the options that open one local file as FFmpeg's input, preceded by options for
// it. Nothing but this file can be opened through it: MOV's references to other files stay off, as is FFmpeg's default.
func inputArgs(path string, options ...string) []string {
	args := append([]string{"-protocol_whitelist", "file,pipe", "-format_whitelist", readableFormats}, options...)
	return append(args, "-i", fileURL(path))
}

// fileURL names a local file so that FFmpeg never takes a part of it for a protocol or an option.
func fileURL(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return "file:" + path
}

// installHint is what to do when FFmpeg is missing or old.
const installHint = "apt-get install ffmpeg (version 5.1 or newer)"

func missingTool(err error) error {
	return &Error{Reason: "FFmpeg is not installed: " + installHint, Err: err}
}

var versionPattern = regexp.MustCompile(`^ff\w+ version n?(\d+)\.(\d+)`)

// CheckTools returns an *Error when ffmpeg or ffprobe is missing or older than 5.1. Builds from
// FFmpeg's master carry no such number and are taken to be new.
func CheckTools(ctx context.Context) error {
	for _, t := range Tools(ctx) {
		if t.Err != nil {
			return t.Err
		}
	}
	return nil
}

func checkVersion(banner string) error {
	m := versionPattern.FindStringSubmatch(banner)
	if m == nil {
		return nil
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major > 5 || major == 5 && minor >= 1 {
		return nil
	}
	return &Error{Reason: fmt.Sprintf("FFmpeg %d.%d is too old: %s", major, minor, installHint)}
}

// How many of explanations, from the first, speak of the disk, and how many of the machine in general. A file that
// isn't there may have been replaced at that moment.
const diskExplanations, machineExplanations = 2, 9

const noGPU = "this machine has no NVIDIA GPU that FFmpeg can use, or no driver for it: choose software, such as --encoder auto"

// explanations map what FFmpeg says to what a person needs to know; %s is the file's name. The
// first that matches counts, so causes stand before consequences.
var explanations = []struct{ said, reason string }{
	{"No space left on device", "the disk is full: make room and start again"},
	{"Disk quota exceeded", "the disk quota is used up: make room and start again"},
	{"Cannot load libcuda", noGPU},
	{"Cannot load libnvidia-encode", noGPU},
	{"No capable devices found", noGPU},
	{"CUDA_ERROR_NO_DEVICE", noGPU},
	{"Too many open files", "too many files are open: raise the limit (ulimit -n) or use fewer jobs"},
	{"Cannot allocate memory", "%s needs more memory than there is"},
	{"No such file or directory", "%s does not exist"},
	{"moov atom not found", "%s is truncated or not finished: its index (moov) is missing"},
	{"File ended prematurely", "%s is cut off: the file ends in the middle of its content"},
	{"Permission denied", "%s can't be opened: permission denied"},
	{"Format not on whitelist", "%s is not a video that StereoSpot can read: its content is a playlist or a format that is not a video container"},
	{"not on whitelist", "%s refers to something outside itself, which StereoSpot does not open"},
	{"Error setting preset", "the encoder has no such preset: choose one like veryfast, medium or slow with --encoder-preset"},
	{"Error setting option preset", "the encoder has no such preset: choose one like veryfast, medium or slow with --encoder-preset"},
	{"Unknown encoder", "this FFmpeg lacks the encoder that was asked for: choose another with --encoder"},
	{"Decoder (codec", "%s uses a codec that this FFmpeg can't decode"},
	{"does not contain any stream", "%s holds no video"},
	{"Invalid data found when processing input", "%s is not a video that StereoSpot can read, or it is damaged"},
	{"End of file", "%s is not a video that StereoSpot can read, or it is cut off"},
	{"Input/output error", "%s can't be read: the disk reports an error"},
}

// explain turns a failed run's messages into one line for people. The messages stay in the cause, for the log.
func explain(about, messages string, exit error) error {
	cause := fmt.Errorf("%w: %s", exit, strings.TrimSpace(messages))
	for i, e := range explanations {
		if !strings.Contains(messages, e.said) {
			continue
		}
		if i < diskExplanations {
			cause = fmt.Errorf("%w: %w", syscall.ENOSPC, cause)
		}
		return &Error{Reason: fill(e.reason, about), Err: cause, Transient: i < machineExplanations}
	}
	return &Error{Reason: fmt.Sprintf("%s: FFmpeg failed: %s", about, lastLine(messages, exit)), Err: cause, Transient: wasKilled(exit)}
}

// wasKilled reports whether a signal ended the process: the kernel's when memory ran out, or a person's.
func wasKilled(exit error) bool {
	e := new(exec.ExitError)
	return errors.As(exit, &e) && e.ExitCode() == -1
}

func fill(reason, about string) string { return strings.ReplaceAll(reason, "%s", about) }

// diskError tells a full disk apart from other failures to write.
func diskError(err error) error {
	for _, e := range explanations[:diskExplanations] {
		if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(e.said)) {
			return &Error{Reason: e.reason, Err: fmt.Errorf("%w: %w", syscall.ENOSPC, err), Transient: true}
		}
	}
	return err
}

var contextPattern = regexp.MustCompile(`\[[^\]]* @ 0x[0-9a-f]+\] `)

// lastLine returns the last thing that was said, without the address of the speaker.
func lastLine(messages string, exit error) string {
	lines := strings.FieldsFunc(messages, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		if s := strings.TrimSpace(contextPattern.ReplaceAllString(lines[i], "")); s != "" {
			return s
		}
	}
	return exit.Error()
}
