package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// good is a configuration without problems.
func good(t *testing.T) Serve {
	return Serve{
		Listen: Listen{Addr: "127.0.0.1:0"}, Data: Data{DataDir: t.TempDir()}, Splitting: Splitting{MediaJobs: 1},
		Upkeep: Upkeep{ReconcileEvery: time.Second, ResendAfter: time.Second},
		Pace:   Pace{Visibility: time.Second, Lease: time.Second, Pulse: time.Second, Retry: time.Second},
	}
}

func TestEveryProblemIsListedAtOnce(t *testing.T) {
	c := good(t)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	c.Addr, c.PublicURL, c.ConvertJobs, c.MediaJobs, c.ResendAfter, c.Pulse = "nowhere", "films", 65, 0, -1, -1
	err := c.Check()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, flag := range []string{"--addr", "--public-url", "--convert-jobs", "--media-jobs", "--resend-after", "--pulse"} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("%s is not named in: %v", flag, err)
		}
	}
}

func TestDataGoesWhereTheDesktopKeepsIt(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for xdg, want := range map[string]string{
		"": filepath.Join(home, ".local/share/stereospot"), "/srv/data": "/srv/data/stereospot", "relative": filepath.Join(home, ".local/share/stereospot"),
	} {
		t.Setenv("XDG_DATA_HOME", xdg)
		c := good(t)
		c.DataDir = ""
		if err := c.Check(); err != nil || c.DataDir != want {
			t.Errorf("XDG_DATA_HOME=%q: %s, %v; want %s", xdg, c.DataDir, err, want)
		}
	}
}

func TestPasswordComesFromItsFileOrTheEnvironment(t *testing.T) {
	t.Setenv("STEREOSPOT_PASSWORD", "from the environment")
	c := good(t)
	if err := c.Check(); err != nil || c.Password != "from the environment" {
		t.Errorf("%q, %v", c.Password, err)
	}
	c.PasswordFile = filepath.Join(t.TempDir(), "password")
	if err := c.Check(); err == nil {
		t.Error("a file that isn't there was taken")
	}
	for text, want := range map[string]bool{"from the file\n": true, "\n": false, "": false} {
		if err := os.WriteFile(c.PasswordFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); (err == nil) != want || want && c.Password != text {
			t.Errorf("%q: %q, %v", text, c.Password, err)
		}
	}
}

func TestSizesAndSpansReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "2GiB": 2 << 30, "500MB": 5e8, "1.5 GiB": 3 << 29, "7B": 7, "12": 12} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for text, want := range map[string]time.Duration{"0": 0, "90m": 90 * time.Minute, "30d": 720 * time.Hour, "1.5d": 36 * time.Hour, "36h": 36 * time.Hour} {
		var s Span
		if err := s.UnmarshalText([]byte(text)); err != nil || time.Duration(s) != want {
			t.Errorf("%q is %v, %v; want %v", text, time.Duration(s), err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "-1h", "NaN", "1e300GiB", "d", "NaNd", "GiB", "-3d", "Infd"} {
		var size Size
		var span Span
		if err := size.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("size %q was accepted as %d", text, size)
		}
		if err := span.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("span %q was accepted as %v", text, time.Duration(span))
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("2GiB")
	f.Fuzz(func(t *testing.T, text string) {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil && s < 0 {
			t.Errorf("%q is %d", text, s)
		}
	})
}

func FuzzSpan(f *testing.F) {
	f.Add("30d")
	f.Fuzz(func(t *testing.T, text string) {
		var s Span
		if err := s.UnmarshalText([]byte(text)); err == nil && s < 0 {
			t.Errorf("%q is %v", text, time.Duration(s))
		}
	})
}
