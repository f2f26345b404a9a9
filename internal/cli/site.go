package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/web"
)

// site is where a process finds what it shares with others: a data directory, or AWS.
type site struct {
	name     string // for people
	platform platform.Platform
	objects  http.Handler     // serves signed links; nil where they lead to a server of their own
	sweeper  pipeline.Sweeper // nil where a crash leaves nothing to sweep
	close    func() error

	origins   []string                            // where links lead that objects doesn't serve
	linksLast func(context.Context) time.Duration // nil: as long as one likes
	jobLinks  func(id string, from, to time.Time) []web.Link
	perAsk    bool // whether every request to it is paid for

	scratchDir  string // in which the process's own directory for files under way is made
	scratchFlag string // by which a person chooses another
	filmsHere   bool   // whether films are kept on the disk of scratchDir
}

// openSite opens the site that the process was told to work on.
func openSite(ctx context.Context, c roles, log *slog.Logger) (*site, error) {
	if c.aws.Platform == config.OnAWS {
		return openAWS(ctx, c, log)
	}
	return openDirectory(ctx, c.data, c.pace)
}

// openDirectory opens a data directory, and makes it if there is none.
func openDirectory(ctx context.Context, data config.Data, pace config.Pace) (*site, error) {
	dir := data.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("can't make the data directory: %w (choose another with --data-dir)", err)
	}
	store, err := local.Open(ctx, dir, local.Options{Notifications: platform.Notifications(), Visibility: pace.Visibility})
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return &site{
		name: dir, platform: store.Platform(), objects: store.Handler(), sweeper: store, close: store.Close,
		scratchDir: filepath.Join(dir, "scratch"), scratchFlag: "--data-dir", filmsHere: true,
	}, nil
}

// openAWS connects to a deployment on AWS and makes sure that all of it can be reached.
func openAWS(ctx context.Context, c roles, log *slog.Logger) (*site, error) {
	more := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(c.aws.Region)}
	if c.told != nil {
		more = append(more, platformaws.CountRequests(&c.told.requests))
	}
	cfg, err := platformaws.Load(ctx, log, more...)
	if err != nil {
		return nil, fmt.Errorf("configuration of AWS: %w", err)
	}
	r := resources(c)
	if err := platformaws.Check(ctx, cfg, r); err != nil {
		return nil, problemList{err}
	}
	origins, err := platformaws.Origins(ctx, cfg, r)
	if err != nil {
		return nil, err
	}
	return &site{
		jobLinks: consoleLinks(platformaws.Console{Region: c.aws.Region, LogGroups: c.operator.LogGroups, CostTag: c.operator.CostTag}),
		origins:  origins, linksLast: func(ctx context.Context) time.Duration { return platformaws.LinksLast(ctx, cfg, r) }, perAsk: true,
		name: r.InputBucket + " and " + r.OutputBucket, platform: platformaws.Connect(cfg, r), close: func() error { return nil },
		scratchDir: filepath.Join(c.aws.ScratchDir, "stereospot"), scratchFlag: "--scratch-dir",
	}, nil
}

// consoleLinks leads operators to AWS's web console, as far as they have said what to look for there.
func consoleLinks(c platformaws.Console) func(id string, from, to time.Time) []web.Link {
	return func(id string, from, to time.Time) []web.Link {
		links := []web.Link{{Name: "Log lines", URL: c.Lines(id, from, to)}, {Name: "Costs on these days", URL: c.Costs(from, to)}}
		return slices.DeleteFunc(links, func(l web.Link) bool { return l.URL == "" })
	}
}

// resources names what the process uses of a deployment.
func resources(c roles) platformaws.Resources {
	r := platformaws.Resources{
		InputBucket: c.aws.InputBucketName, OutputBucket: c.aws.OutputBucketName, JobsTable: c.aws.JobsTableName,
		CompletionsTable: c.aws.SegmentCompletionsTableName, TriggeredTable: c.aws.ReassemblyTriggeredTableName,
		SessionKeySecret: c.sessions.SessionKeySecretARN, QueueURLs: map[platform.QueueName]string{},
	}
	for name, url := range map[platform.QueueName]string{
		platform.ChunkingQueue: c.aws.ChunkingQueueURL, platform.VideoWorkerQueue: c.aws.VideoWorkerQueueURL,
		platform.ReassemblyQueue: c.aws.ReassemblyQueueURL, platform.SegmentOutputQueue: c.segmentOutput.SegmentOutputQueueURL,
	} {
		if url != "" {
			r.QueueURLs[name] = url
		}
	}
	return r
}
