package aws

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// completions records converted segments.
//
// Actions it uses: dynamodb:TransactWriteItems (PutItem on completions, UpdateItem on jobs), GetItem, Query,
// BatchWriteItem, UpdateItem.
type completions struct{ *tables }

var _ platform.Completions = completions{}

func segmentKey(jobID string, at int64) item {
	return item{"job_id": text(jobID), "segment_index": number(at)}
}

// Record implements platform.Completions. Row and counter are one transaction, whose condition is that the row is
// absent: however often it is repeated, also after an answer was lost, the segment counts once.
func (r completions) Record(ctx context.Context, c platform.Completion) (job.Job, error) {
	row, err := json.Marshal(c)
	if err != nil {
		return job.Job{}, err
	}
	in := &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{
			TableName: &r.completions, Item: with(segmentKey(c.JobID, int64(c.Index)), item{"row": text(string(row))}),
			ConditionExpression: aws.String("attribute_not_exists(job_id)"),
		}},
		{Update: &types.Update{
			TableName: &r.jobs, Key: jobKey(c.JobID),
			UpdateExpression:          aws.String("ADD completed_segments :one, version :one SET updated_at = :now"),
			ConditionExpression:       aws.String("attribute_exists(job_id)"),
			ExpressionAttributeValues: item{":one": number(1), ":now": number(c.Completed.UnixMilli())},
		}},
	}}
	for attempt := 1; ; attempt++ {
		_, err := r.client.TransactWriteItems(ctx, in)
		switch {
		case err == nil, transactionRefused(err): // refused: it is recorded already, or the job is gone, which Get tells
			return jobs(r).Get(ctx, c.JobID)
		case !contended(err):
			return job.Job{}, err
		}
		if err := backOff(ctx, attempt); err != nil {
			return job.Job{}, err
		}
	}
}

// All implements platform.Completions.
func (r completions) All(ctx context.Context, jobID string) ([]platform.Completion, error) {
	var all []platform.Completion
	err := r.ofJob(ctx, jobID, 0, math.MaxInt32, func(i item) error {
		var c platform.Completion
		if err := json.Unmarshal([]byte(textOf(i, "row")), &c); err != nil {
			return err
		}
		all = append(all, c)
		return nil
	})
	return all, err
}

// Forget implements platform.Completions: rows first, so that whoever is killed in between leaves a counter that is too
// high for rows that are missing, and a repetition mends it.
func (r completions) Forget(ctx context.Context, jobID string) error {
	if err := r.forgetRows(ctx, jobID); err != nil {
		return err
	}
	_, err := jobs(r).Update(ctx, jobID, func(j *job.Job) error {
		j.CompletedSegments = 0
		return nil
	})
	if errors.Is(err, platform.ErrNotFound) {
		return nil
	}
	return err
}

func (r completions) forgetRows(ctx context.Context, jobID string) error {
	var keys []item
	err := r.ofJob(ctx, jobID, 0, math.MaxInt32, func(i item) error {
		keys = append(keys, segmentKey(jobID, numberOf(i, "segment_index")))
		return nil
	})
	if err != nil {
		return err
	}
	return r.deleteAll(ctx, r.completions, keys)
}

// progress is kept beside the completions, below 0.
type progress struct{ *tables }

var _ platform.Progress = progress{}

func progressAt(index int) int64 { return -1 - int64(index) }

// Report implements platform.Progress.
func (r progress) Report(ctx context.Context, jobID string, p platform.SegmentProgress) error {
	row, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return r.put(ctx, r.completions, with(segmentKey(jobID, progressAt(p.Index)), item{"row": text(string(row))}), expression{})
}

// Of implements platform.Progress.
func (r progress) Of(ctx context.Context, jobID string) ([]platform.SegmentProgress, error) {
	var all []platform.SegmentProgress
	err := r.ofJob(ctx, jobID, math.MinInt32, -1, func(i item) error {
		var p platform.SegmentProgress
		if err := json.Unmarshal([]byte(textOf(i, "row")), &p); err != nil {
			return err
		}
		all = append(all, p)
		return nil
	})
	slices.Reverse(all)
	return all, err
}

// Clear implements platform.Progress.
func (r progress) Clear(ctx context.Context, jobID string, segments ...int) error {
	var keys []item
	for _, s := range segments {
		keys = append(keys, segmentKey(jobID, progressAt(s)))
	}
	if len(segments) == 0 {
		err := r.ofJob(ctx, jobID, math.MinInt32, -1, func(i item) error {
			keys = append(keys, segmentKey(jobID, numberOf(i, "segment_index")))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.deleteAll(ctx, r.completions, keys)
}
