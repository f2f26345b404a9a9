package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/infra"
)

// TestComposeTellsTheServicesWhatTheEmulatorHolds runs the emulator and holds compose.yaml against what it prints.
func TestComposeTellsTheServicesWhatTheEmulatorHolds(t *testing.T) {
	compose, err := os.ReadFile("../../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, "127.0.0.1:0", "stereospot", write)
		write.CloseWithError(err)
		ended <- err
	}()
	env := printed(t, read)
	for name, value := range env {
		want := name + ": " + regexp.MustCompile(`^http://127\.0\.0\.1:\d+`).ReplaceAllString(value, "http://127.0.0.1:5000") + "\n"
		if !strings.Contains(string(compose), "  "+want) {
			t.Errorf("compose.yaml doesn't say %s", want)
		}
	}
	answer, err := http.Get(env["CHUNKING_QUEUE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// printed reads the environment that the emulator prints at once, up to its last line.
func printed(t *testing.T, from io.Reader) infra.Env {
	t.Helper()
	var text strings.Builder
	for lines := bufio.NewReader(from); !strings.Contains(text.String(), "VIDEO_WORKER_QUEUE_URL"); {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(line)
	}
	env, err := infra.ParseEnv(text.String())
	if err != nil || len(env) < 14 {
		t.Fatalf("%v, %v", env, err)
	}
	return env
}
