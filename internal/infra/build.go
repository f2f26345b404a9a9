package infra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
)

// Build is one run of a CodeBuild project.
type Build struct {
	Project  string
	Revision string // commit to build; empty: the project's own
}

// Run starts the build and waits for its end, copying its log to out as it comes. A build that doesn't succeed is an
// error that names the phase. When ctx ends first, the build is stopped.
func (b Build) Run(ctx context.Context, cfg aws.Config, w Watch, out io.Writer) error {
	client := codebuild.NewFromConfig(cfg)
	in := &codebuild.StartBuildInput{ProjectName: &b.Project}
	if b.Revision != "" {
		in.SourceVersion = &b.Revision
	}
	started, err := client.StartBuild(ctx, in)
	if err != nil {
		return err
	}
	id := aws.ToString(started.Build.Id)
	w.sayf("build %s has started", id)
	log := &buildLog{client: cloudwatchlogs.NewFromConfig(cfg), out: out}
	err = w.until(ctx, func(ctx context.Context) (bool, error) { return lookAtBuild(ctx, client, id, log) })
	if err != nil && ctx.Err() != nil {
		_, stopErr := client.StopBuild(context.WithoutCancel(ctx), &codebuild.StopBuildInput{Id: &id})
		return errors.Join(err, stopErr)
	}
	return err
}

// lookAtBuild copies what is new in a build's log, and reports whether the build has ended, with an error if not well.
func lookAtBuild(ctx context.Context, client *codebuild.Client, id string, log *buildLog) (bool, error) {
	got, err := client.BatchGetBuilds(ctx, &codebuild.BatchGetBuildsInput{Ids: []string{id}})
	if err != nil {
		return false, err
	}
	if len(got.Builds) == 0 {
		return false, fmt.Errorf("CodeBuild knows no build %s", id)
	}
	b := got.Builds[0] // asked for before the log, so that a build that has ended has its whole log copied
	if err := log.copy(ctx, b.Logs); err != nil {
		return false, fmt.Errorf("the build's log: %w", err)
	}
	switch b.BuildStatus {
	case types.StatusTypeInProgress:
		return false, nil
	case types.StatusTypeSucceeded:
		return true, nil
	default:
		return true, fmt.Errorf("build %s: %s%s", id, b.BuildStatus, failedPhase(b.Phases))
	}
}

// failedPhase says in which phase a build failed, and why.
func failedPhase(phases []types.BuildPhase) string {
	for _, p := range phases {
		if p.PhaseStatus == types.StatusTypeSucceeded || p.PhaseStatus == types.StatusTypeInProgress || p.PhaseStatus == "" {
			continue
		}
		said := " in " + string(p.PhaseType)
		for _, c := range p.Contexts {
			said += ": " + strings.TrimSpace(aws.ToString(c.Message))
		}
		return said
	}
	return ""
}

// buildLog copies a log stream from where it was.
type buildLog struct {
	client *cloudwatchlogs.Client
	next   *string // token of what comes after what was copied
	out    io.Writer
}

// copy writes the events that are new. A stream that isn't there yet has none.
func (l *buildLog) copy(ctx context.Context, at *types.LogsLocation) error {
	if at == nil || at.GroupName == nil || at.StreamName == nil {
		return nil
	}
	for {
		page, err := l.client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: at.GroupName, LogStreamName: at.StreamName, StartFromHead: aws.Bool(true), NextToken: l.next,
		})
		if absent := (*logtypes.ResourceNotFoundException)(nil); errors.As(err, &absent) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			if _, err := fmt.Fprintln(l.out, strings.TrimRight(aws.ToString(e.Message), "\r\n")); err != nil {
				return err
			}
		}
		end := aws.ToString(page.NextForwardToken) == aws.ToString(l.next) // CloudWatch repeats the token at the end
		if l.next = page.NextForwardToken; end {
			return nil
		}
	}
}
