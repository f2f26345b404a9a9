package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// healthcheckCommand asks a role of this machine whether it is well. It is for containers, which have no curl.
type healthcheckCommand struct {
	URL     string        `arg:"" optional:"" help:"Address to ask." default:"http://127.0.0.1:8080/healthz"`
	Timeout time.Duration `help:"How long the answer may take." default:"4s"`
}

// Help implements kong's detailed help.
func (healthcheckCommand) Help() string {
	return `Examples:
  stereospot healthcheck
  stereospot healthcheck http://127.0.0.1:9100/healthz

Exit codes: 0 the answer's status is 2xx, 1 it isn't or there is none, 2 wrong usage.`
}

// Run implements the command.
func (c *healthcheckCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return usageError{err}
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 200)) // a courtesy; the status says enough
		return fmt.Errorf("%s answers %s: %s", c.URL, answer.Status, said)
	}
	return nil
}
