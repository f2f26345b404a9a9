package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/gather"
)

// completions records converted segments.
//
// Actions it uses: dynamodb:TransactWriteItems (PutItem on completions, UpdateItem on jobs), GetItem, Query,
// BatchWriteItem, UpdateItem.
type completions struct {
	*tables
	pending *gather.Batch[*recording]
}

// recording is one completion on its way into the table.
type recording struct {
	platform.Completion
	job job.Job // after it
}

// How completions that come at about the same time are gathered: those of one job are one transaction. Simulations go by
// the same numbers.
const (
	RecordBatch = 25 // of the 100 items that a transaction may hold
	RecordWait  = 50 * time.Millisecond
	recordBound = time.Minute
)

func newCompletions(t *tables) completions {
	r := completions{tables: t}
	r.pending = &gather.Batch[*recording]{Limit: RecordBatch, Wait: RecordWait, Bound: recordBound, Do: r.recordAll}
	return r
}

var _ platform.Completions = completions{}

func segmentKey(jobID string, at int64) item {
	return item{"job_id": text(jobID), "segment_index": number(at)}
}

// Record implements platform.Completions. Rows and counter are one transaction, whose condition is that the rows are
// absent: however often it is repeated, also after an answer was lost, a segment counts once.
func (r completions) Record(ctx context.Context, c platform.Completion) (job.Job, error) {
	recorded := &recording{Completion: c}
	err := r.pending.Add(ctx, recorded)
	if err != nil {
		return job.Job{}, err // without a look at recorded, which may still be under way
	}
	return recorded.job, nil
}

// recordAll records completions of any jobs, each job's in a transaction of its own.
func (r completions) recordAll(ctx context.Context, list []*recording) []error {
	ofJob := map[string][]int{} // places in list
	for i, c := range list {
		ofJob[c.JobID] = append(ofJob[c.JobID], i)
	}
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for id, places := range ofJob {
		all.Go(func() {
			indexes := map[int]platform.Completion{} // a segment may have been reported twice
			for _, i := range places {
				indexes[list[i].Index] = list[i].Completion
			}
			j, err := r.recordOf(ctx, id, slices.Collect(maps.Values(indexes)))
			for n, i := range places {
				list[i].job, errs[i] = j, err
				// As if they had come one by one: so one alone is told that the job is ready.
				list[i].job.CompletedSegments = max(0, j.CompletedSegments-(len(places)-1-n))
			}
		})
	}
	all.Wait()
	return errs
}

// recordOf records completions of different segments of one job, and reads the job after it.
func (r completions) recordOf(ctx context.Context, jobID string, pending []platform.Completion) (job.Job, error) {
	for attempt := 1; len(pending) > 0; attempt++ {
		in, err := r.transaction(jobID, pending)
		if err != nil {
			return job.Job{}, err
		}
		_, err = r.client.TransactWriteItems(ctx, in)
		if err == nil {
			break
		}
		if transactionRefused(err) {
			refused := reasons(err)
			if refused[len(pending)] == conditionFailed { // the job's own: it is gone, or going
				break
			}
			recorded := 0 // already
			pending = slices.DeleteFunc(pending, func(platform.Completion) bool {
				recorded++
				return refused[recorded-1] == conditionFailed
			})
			continue
		}
		if !contended(err) {
			return job.Job{}, err
		}
		if err := backOff(ctx, attempt); err != nil {
			return job.Job{}, err
		}
	}
	j, err := jobs{r.tables}.Get(ctx, jobID)
	if err == nil && j.Status == job.Deleting {
		err = fmt.Errorf("job %s is being removed: %w", jobID, platform.ErrNotFound)
	}
	return j, err
}

// transaction writes the completions' rows and counts them on their job, which comes last.
func (r completions) transaction(jobID string, list []platform.Completion) (*dynamodb.TransactWriteItemsInput, error) {
	in := &dynamodb.TransactWriteItemsInput{}
	for _, c := range list {
		row, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: &types.Put{
			TableName: &r.tables.completions, Item: with(segmentKey(c.JobID, int64(c.Index)), item{"row": text(string(row))}),
			ConditionExpression: aws.String("attribute_not_exists(job_id)"),
		}})
	}
	in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Update: &types.Update{
		TableName: &r.jobs, Key: jobKey(jobID),
		UpdateExpression:         aws.String("ADD completed_segments :more, version :one SET updated_at = :now"),
		ConditionExpression:      aws.String("attribute_exists(job_id) AND #status <> :deleting"),
		ExpressionAttributeNames: map[string]string{"#status": "status"},
		ExpressionAttributeValues: item{
			":more": number(int64(len(list))), ":one": number(1), ":now": number(r.now().UnixMilli()), ":deleting": text(string(job.Deleting)),
		},
	}})
	return in, nil
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
	_, err := jobs{r.tables}.Update(ctx, jobID, func(j *job.Job) error {
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
	return r.deleteAll(ctx, r.tables.completions, keys)
}

// progress is kept beside the completions, below 0.
//
// Actions it uses: dynamodb:PutItem, Query, BatchWriteItem.
type progress struct{ *tables }

var _ platform.Progress = progress{}

func progressAt(index int) int64 { return -1 - int64(index) }

// Report implements platform.Progress.
func (r progress) Report(ctx context.Context, jobID string, p platform.SegmentProgress) error {
	_, err := r.write(ctx, jobID, p, expression{})
	return err
}

// Begin implements platform.Progress: it is the first where the write replaces nothing.
func (r progress) Begin(ctx context.Context, jobID string, p platform.SegmentProgress, fresh time.Duration) (first bool, err error) {
	before, err := r.write(ctx, jobID, p, expression{
		text: "attribute_not_exists(job_id) OR reported_at <= :before OR reported_at >= :after",
		values: item{
			":before": number(p.Updated.Add(-fresh).UnixMilli()), ":after": number(p.Updated.Add(fresh).UnixMilli()),
		},
	})
	if refusedCondition(err) {
		return false, fmt.Errorf("segment %d of job %s: %w", p.Index, jobID, platform.ErrLeaseHeld)
	}
	return err == nil && before == nil, err
}

// write returns what was there before.
func (r progress) write(ctx context.Context, jobID string, p platform.SegmentProgress, condition expression) (before item, err error) {
	row, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return r.exchange(ctx, r.completions, with(segmentKey(jobID, progressAt(p.Index)), item{
		"row": text(string(row)), "reported_at": number(p.Updated.UnixMilli()),
	}), condition)
}

// Of implements platform.Progress.
func (r progress) Of(ctx context.Context, jobID string) ([]platform.SegmentProgress, error) {
	var all []platform.SegmentProgress
	err := r.ofJob(ctx, jobID, math.MinInt32, -1, func(i item) error {
		if i["row"] == nil {
			return nil // cleared
		}
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

// Clear implements platform.Progress. Of segments that are named an item without a report stays, older than any.
func (r progress) Clear(ctx context.Context, jobID string, segments ...int) error {
	if len(segments) > 0 {
		begun := make([]types.WriteRequest, len(segments))
		for i, s := range segments {
			begun[i].PutRequest = &types.PutRequest{Item: with(segmentKey(jobID, progressAt(s)), item{"reported_at": number(0)})}
		}
		return r.writeAll(ctx, r.completions, begun)
	}
	var keys []item
	err := r.ofJob(ctx, jobID, math.MinInt32, -1, func(i item) error {
		keys = append(keys, segmentKey(jobID, numberOf(i, "segment_index")))
		return nil
	})
	if err != nil {
		return err
	}
	return r.deleteAll(ctx, r.completions, keys)
}
