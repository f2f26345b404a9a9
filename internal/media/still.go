package media

import (
	"context"
	"fmt"
	"strconv"
)

// maxStill bounds a still picture, in bytes.
const maxStill = 4 << 20

// Still decodes one frame of a converted segment and returns it as a JPEG of at most width pixels across; frame
// counts from 0. A frame behind the end is an error.
func Still(ctx context.Context, path string, frame, width int) ([]byte, error) {
	filters := fmt.Sprintf(`select=eq(n\,%d),scale=w=min(iw\,%d):h=-2:out_range=pc,format=yuvj420p`, frame, width)
	args := append(inputArgs(path), "-map", "0:v:0", "-vf", filters, "-frames:v", "1", "-fps_mode", "passthrough",
		"-q:v", "4", "-threads", strconv.Itoa(decodeThreads()), "-c:v", "mjpeg", "-f", "image2pipe", "pipe:1")
	data, err := ffmpegCommand(path, args...).output(ctx, maxStill)
	if err == nil && len(data) == 0 {
		err = &Error{Reason: fmt.Sprintf("there is no frame %d", frame)}
	}
	return data, err
}
