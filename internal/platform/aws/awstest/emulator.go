// Package awstest runs an AWS emulator for tests and lays out a deployment in it.
package awstest

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// Region is the emulated region.
const Region = "eu-central-1"

// Endpoints returns an SDK configuration for the emulator at AWS_ENDPOINT_URL (or one per service, as the SDK reads
// them from the environment), or else for moto's server, started for as long as the test lives.
func Endpoints(t testing.TB) aws.Config {
	t.Helper()
	more := []func(*config.LoadOptions) error{
		config.WithRegion(Region), config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")),
	}
	if os.Getenv("AWS_ENDPOINT_URL") == "" && os.Getenv("AWS_ENDPOINT_URL_S3") == "" {
		more = append(more, config.WithBaseEndpoint(start(t)))
	}
	cfg, err := platformaws.Load(t.Context(), slog.New(slog.DiscardHandler), more...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// start runs moto's server on a port that the system chooses, behind a gate, and returns the gate's URL.
func start(t testing.TB) string {
	t.Helper()
	cmd := exec.Command(server(t), "-H", "127.0.0.1", "-p", "0")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(said)
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it keeps nothing
		<-read
		_ = cmd.Wait() // killed
	})
	emulator, err := address(lines)
	go func() { // it logs every request, and would wait for a reader
		defer close(read)
		_, _ = io.Copy(io.Discard, lines) // ends when it is killed
	}()
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(newGate(emulator))
	t.Cleanup(front.Close)
	return front.URL
}

// address reads the URL that the server says it runs on.
func address(said *bufio.Reader) (*url.URL, error) {
	var all strings.Builder
	for {
		line, err := said.ReadString('\n')
		if _, at, found := strings.Cut(line, "Running on "); found {
			return url.Parse(strings.Fields(at)[0])
		}
		all.WriteString(line)
		if err != nil {
			return nil, fmt.Errorf("moto's server didn't start: %w\n%s", err, all.String())
		}
	}
}

// server finds moto's server: MOTO_SERVER, or where scripts/setup.sh installs it, or the PATH.
func server(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("MOTO_SERVER"); named != "" {
		return named
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "work", "moto", "bin", "moto_server")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Fatal("moto's server is not installed: run scripts/setup.sh moto")
	}
	return path
}
