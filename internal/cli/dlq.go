package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// dlqCommand groups what an operator does with dead letters.
type dlqCommand struct {
	List    dlqListCommand    `cmd:"" help:"List dead letters, oldest first."`
	Redrive dlqRedriveCommand `cmd:"" help:"Put dead letters back into their queues, once what made them fail is mended."`
	Purge   dlqPurgeCommand   `cmd:"" help:"Drop dead letters."`
}

// deadLetterBox is where dead letters lie: a server, or a data directory.
type deadLetterBox interface {
	// DeadLetters lists every queue's dead letters, oldest first.
	DeadLetters(ctx context.Context) ([]client.DeadLetter, error)
	// Redrive moves a queue's dead letters back and returns how many.
	Redrive(ctx context.Context, queue string) (int, error)
	// Purge drops a queue's dead letters and returns how many.
	Purge(ctx context.Context, queue string) (int, error)
}

// dlqFlags say which box and which queue.
type dlqFlags struct {
	serverFlags
	DataDir string `help:"Work on this data directory itself instead of asking a server." type:"path" placeholder:"DIR"`
	Queue   string `help:"Only this queue: ${enum}." enum:"all,chunking,video-worker,segment-output,reassembly" default:"all"`
}

// open returns the box and what closes it.
func (f *dlqFlags) open(ctx context.Context) (deadLetterBox, func() error, error) {
	if f.DataDir == "" {
		server, err := f.connect(nil)
		return server, func() error { return nil }, err
	}
	store, err := openData(ctx, f.DataDir)
	if err != nil {
		return nil, nil, err
	}
	return localBox(store.DeadLetters()), store.Close, nil
}

// openData opens a data directory that is there already.
func openData(ctx context.Context, dir string) (*local.Store, error) {
	if _, err := os.Stat(filepath.Join(dir, local.DatabaseFile)); err != nil {
		return nil, fmt.Errorf("%s is no data directory of StereoSpot: name the one that serve uses with --data-dir", dir)
	}
	return local.Open(ctx, dir, local.Options{Notifications: platform.Notifications()})
}

// localBox is a data directory's dead letters.
type localBox map[platform.QueueName]platform.DeadLetters

// maxDeadLetters bounds what is listed of a queue; a queue that has more has one cause for them all.
const maxDeadLetters = 1000

// DeadLetters implements deadLetterBox.
func (b localBox) DeadLetters(ctx context.Context) ([]client.DeadLetter, error) {
	var all []client.DeadLetter
	for _, name := range platform.QueueNames() {
		messages, err := b[name].List(ctx, maxDeadLetters)
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			all = append(all, client.DeadLetter{
				Queue: string(name), ID: m.ID, Body: string(m.Body), Receives: m.Receive, SentAt: m.Sent,
			})
		}
	}
	return all, nil
}

// Redrive implements deadLetterBox.
func (b localBox) Redrive(ctx context.Context, queue string) (int, error) {
	total := 0
	for {
		n, err := b[platform.QueueName(queue)].Redrive(ctx, maxDeadLetters)
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}

// Purge implements deadLetterBox.
func (b localBox) Purge(ctx context.Context, queue string) (int, error) {
	return b[platform.QueueName(queue)].Purge(ctx)
}

// queues returns the names of the queues that are meant.
func (f *dlqFlags) queues() []string {
	if f.Queue != "all" {
		return []string{f.Queue}
	}
	var names []string
	for _, name := range platform.QueueNames() {
		names = append(names, string(name))
	}
	return names
}

type dlqListCommand struct {
	dlqFlags
	JSON bool `name:"json" help:"Print one JSON object per dead letter."`
}

// Help implements kong's detailed help.
func (dlqListCommand) Help() string {
	return `Examples:
  stereospot dlq list
  stereospot dlq list --queue video-worker --json | jq -r .body
  stereospot dlq list --data-dir /var/lib/stereospot     without a server`
}

// Run implements the command.
func (c *dlqListCommand) Run(ctx context.Context, std streams) (err error) {
	box, closeBox, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBox()) }()
	letters, err := box.DeadLetters(ctx)
	if err != nil {
		return err
	}
	var wanted []client.DeadLetter
	for _, l := range letters {
		if c.Queue == "all" || c.Queue == l.Queue {
			wanted = append(wanted, l)
		}
	}
	if c.JSON {
		return encodeEach(std.out, wanted)
	}
	return printDeadLetters(std.out, wanted, time.Now())
}

func printDeadLetters(out io.Writer, letters []client.DeadLetter, now time.Time) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(out, "no dead letters")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "QUEUE\tMESSAGE\tTRIES\tAGE\tABOUT")
	for _, l := range letters {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", l.Queue, l.ID, l.Receives, clock(now.Sub(l.SentAt)), about(l.Body))
	}
	return w.Flush()
}

// about names what a message is about: an object's key, a job, or its beginning where it is neither.
func about(body string) string {
	var m struct {
		JobID   string `json:"job_id"`
		Records []struct {
			S3 struct {
				Object struct {
					Key string `json:"key"`
				} `json:"object"`
			} `json:"s3"`
		}
	}
	if json.Unmarshal([]byte(body), &m) == nil {
		var keys []string
		for _, r := range m.Records {
			keys = append(keys, r.S3.Object.Key)
		}
		if text := strings.TrimSpace(m.JobID + " " + strings.Join(keys, " ")); text != "" {
			return printable(text)
		}
	}
	return printable(string([]rune(body)[:min(60, len([]rune(body)))]))
}

type dlqRedriveCommand struct{ dlqFlags }

// Help implements kong's detailed help.
func (dlqRedriveCommand) Help() string {
	return `Example:
  stereospot dlq redrive --queue video-worker

A job that failed with its message stays failed: stereospot jobs retry starts it again.`
}

// Run implements the command.
func (c *dlqRedriveCommand) Run(ctx context.Context, std streams) error {
	return c.each(ctx, std, "put back", deadLetterBox.Redrive)
}

type dlqPurgeCommand struct {
	dlqFlags
	Yes bool `short:"y" help:"Really drop them."`
}

// Help implements kong's detailed help.
func (dlqPurgeCommand) Help() string {
	return `Example:
  stereospot dlq purge --queue chunking -y`
}

// Run implements the command.
func (c *dlqPurgeCommand) Run(ctx context.Context, std streams) error {
	if !c.Yes {
		return usagef("dead letters that are purged are gone: look with stereospot dlq list, then repeat this with -y")
	}
	return c.each(ctx, std, "dropped", deadLetterBox.Purge)
}

// each does one thing to every queue that is meant.
func (f *dlqFlags) each(ctx context.Context, std streams, done string, do func(deadLetterBox, context.Context, string) (int, error)) (err error) {
	box, closeBox, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBox()) }()
	for _, queue := range f.queues() {
		n, err := do(box, ctx, queue)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s: %d %s\n", queue, n, done)
	}
	return nil
}
