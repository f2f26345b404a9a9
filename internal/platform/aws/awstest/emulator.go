// Package awstest runs an AWS emulator for tests and lays out a deployment in it.
package awstest

import (
	"bufio"
	"context"
	"errors"
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
	url := ""
	if os.Getenv("AWS_ENDPOINT_URL") == "" && os.Getenv("AWS_ENDPOINT_URL_S3") == "" {
		emulator, err := Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(emulator.Close)
		url = emulator.URL
	}
	cfg, err := Config(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Watched is Endpoints for moto's server alone, which is returned too: it notes who calls what.
func Watched(t testing.TB) (aws.Config, *Emulator) {
	t.Helper()
	emulator, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(emulator.Close)
	cfg, err := Config(t.Context(), emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, emulator
}

// Config returns an SDK configuration for the emulator at url, or for the one that the environment names when url is
// empty.
func Config(ctx context.Context, url string) (aws.Config, error) {
	more := []func(*config.LoadOptions) error{
		config.WithRegion(Region), config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")),
	}
	if url != "" {
		more = append(more, config.WithBaseEndpoint(url))
	}
	return platformaws.Load(ctx, slog.New(slog.DiscardHandler), more...)
}

// Emulator is moto's server behind a gate.
type Emulator struct {
	URL   string // of the gate
	Calls Calls  // that have come to it
	front *httptest.Server
	lines []*Line
	cmd   *exec.Cmd
	read  chan struct{} // closed when the server's log has ended
}

// Start runs moto's server on a port that the system chooses, until Close.
func Start() (*Emulator, error) {
	path, err := server()
	if err != nil {
		return nil, err
	}
	e := &Emulator{cmd: exec.Command(path, "-H", "127.0.0.1", "-p", "0"), read: make(chan struct{})}
	said, err := e.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(said)
	emulator, err := address(lines)
	go func() { // it logs every request, and would wait for a reader
		defer close(e.read)
		_, _ = io.Copy(io.Discard, lines) // ends when it is killed
	}()
	if err != nil {
		e.Close()
		return nil, err
	}
	e.front = httptest.NewServer(newGate(emulator, &e.Calls))
	e.URL = e.front.URL
	return e, nil
}

// Close ends the server, which keeps nothing.
func (e *Emulator) Close() {
	for _, l := range e.lines {
		l.close()
	}
	if e.front != nil {
		e.front.Close()
	}
	_ = e.cmd.Process.Kill()
	<-e.read
	_ = e.cmd.Wait() // killed
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
func server() (string, error) {
	if named := os.Getenv("MOTO_SERVER"); named != "" {
		return named, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "work", "moto", "bin", "moto_server")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("moto_server")
	if err != nil {
		return "", errors.New("moto's server is not installed: run scripts/setup.sh moto")
	}
	return path, nil
}
