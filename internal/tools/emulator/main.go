// Command emulator runs an AWS emulator with an empty deployment in it, for trying the services out on one machine:
//
//	go run ./internal/tools/emulator
//
// It prints the environment that the services need to find it. Everything is forgotten when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/infra"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "address to listen on")
	name := flag.String("name", "stereospot", "name of the deployment")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *name, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
}

// run lays the deployment out, then listens and serves until ctx ends.
func run(ctx context.Context, addr, name string, out io.Writer) error {
	moto, err := awstest.Start()
	if err != nil {
		return err
	}
	defer moto.Close()
	inner, err := url.Parse(moto.URL)
	if err != nil {
		return err
	}
	env, err := provision(ctx, moto.URL, name)
	if err != nil {
		return fmt.Errorf("laying the deployment out: %w", err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if err := announce(out, env, moto.URL, listener.Addr().(*net.TCPAddr).Port); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: front(inner), ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // which ends Serve below
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// front passes requests on with the host that they were sent to, of which the emulator makes the URLs of queues.
func front(inner *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.Out.Host = r.In.Host
	}}
}

// provision makes the deployment in the emulator at a URL, and returns what the services have to be told.
func provision(ctx context.Context, at, name string) (infra.Env, error) {
	cfg, err := awstest.Config(ctx, at)
	if err != nil {
		return nil, err
	}
	made, err := awstest.Provision(ctx, cfg, name, 0)
	if err != nil {
		return nil, err
	}
	env := environment(made)
	env["AWS_ENDPOINT_URL"] = at
	return env, nil
}

// announce writes the environment with this machine's address in the place of the emulator's own.
func announce(out io.Writer, env infra.Env, inner string, port int) error {
	for name, value := range env {
		if rest, found := strings.CutPrefix(value, inner); found {
			env[name] = fmt.Sprintf("http://127.0.0.1:%d%s", port, rest)
		}
	}
	text, err := env.Format()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// environment names what was made as the services read it.
func environment(r platformaws.Resources) infra.Env {
	env := infra.Env{
		"STEREOSPOT_PLATFORM": "aws", "AWS_REGION": awstest.Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"INPUT_BUCKET_NAME": r.InputBucket, "OUTPUT_BUCKET_NAME": r.OutputBucket, "JOBS_TABLE_NAME": r.JobsTable,
		"SEGMENT_COMPLETIONS_TABLE_NAME": r.CompletionsTable, "REASSEMBLY_TRIGGERED_TABLE_NAME": r.TriggeredTable,
	}
	for queue, at := range r.QueueURLs {
		env[strings.ToUpper(strings.ReplaceAll(string(queue), "-", "_"))+"_QUEUE_URL"] = at
	}
	return env
}
