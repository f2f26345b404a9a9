package media

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
)

func TestTroubleOfTheMachineIsToldFromTroubleOfTheFile(t *testing.T) {
	killed := exec.Command("sh", "-c", "kill -9 $$").Run()
	failed := exec.Command("false").Run()
	for name, c := range map[string]struct {
		said      string
		exit      error
		transient bool
		full      bool
	}{
		"killed":    {"", killed, true, false},
		"failed":    {"Something odd", failed, false, false},
		"memory":    {"Cannot allocate memory", failed, true, false},
		"full disk": {"av_interleaved_write_frame(): No space left on device", failed, true, true},
		"replaced":  {"film.mp4: No such file or directory", failed, true, false},
		"damaged":   {"moov atom not found", failed, false, false},
	} {
		err := explain("film.mp4", c.said, c.exit)
		told := new(Error)
		if !errors.As(err, &told) || told.Transient != c.transient || errors.Is(err, syscall.ENOSPC) != c.full {
			t.Errorf("%s: transient %v, full disk %v (%v)", name, told.Transient, errors.Is(err, syscall.ENOSPC), err)
		}
	}
}
