package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/stereospot/stereospot/internal/media"
)

// tools checks FFmpeg: that it is there, new enough, and has what conversions use.
func tools(ctx context.Context) []Check {
	var checks []Check
	usable := true
	for _, t := range media.Tools(ctx) {
		c := Check{Name: t.Name, State: OK, Detail: shortVersion(t.Version)}
		if t.Err != nil {
			usable = false
			c.State = Fail
			c.Detail, c.Advice, _ = strings.Cut(t.Err.Error(), ": ")
		}
		checks = append(checks, c)
	}
	if usable {
		checks = append(checks, parts(ctx))
	}
	return checks
}

// shortVersion leaves the builder's copyright out of "ffmpeg version 5.1 Copyright (c) …".
func shortVersion(banner string) string {
	version, _, _ := strings.Cut(banner, " Copyright")
	return version
}

func parts(ctx context.Context) Check {
	c := Check{Name: "ffmpeg parts", State: OK, Detail: "has the encoders, filters and formats that conversions use"}
	missing, err := media.MissingParts(ctx)
	switch {
	case err != nil:
		c.State, c.Detail, c.Advice = Fail, err.Error(), "reinstall FFmpeg: apt-get install --reinstall ffmpeg"
	case slices.Equal(missing, []string{"libx265"}):
		c.State, c.Detail = Warn, "lacks libx265: 10-bit films can only become 8-bit H.264"
		c.Advice = "install a complete FFmpeg, such as Debian's"
	case len(missing) > 0:
		c.State, c.Detail = Fail, "lacks "+strings.Join(missing, ", ")
		c.Advice = "install a complete FFmpeg, such as Debian's"
	}
	return c
}
