package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/gather"
)

// Limits of SQS.
const (
	queueBatch  = 10
	longestWait = 20 * time.Second
	longestHide = 12 * time.Hour
	batchTries  = 4 // of entries that SQS refused for reasons of its own
)

// Queue is one SQS queue.
//
// Actions it uses: sqs:SendMessage, sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility,
// sqs:GetQueueAttributes.
type Queue struct {
	client  *sqs.Client
	url     string
	deleted *gather.Batch[string] // by receipt handle
}

var _ platform.Queue = (*Queue)(nil)

// How acknowledgements that come at about the same time are gathered. A worker goes on meanwhile, and one that is killed
// before costs one more delivery of what is done.
const (
	DeleteWait  = time.Second
	deleteBound = 30 * time.Second
)

func newQueue(client *sqs.Client, url string) *Queue {
	q := &Queue{client: client, url: url}
	q.deleted = &gather.Batch[string]{Limit: queueBatch, Wait: DeleteWait, Bound: deleteBound, Do: q.deleteAll}
	return q
}

// Send implements platform.Queue, ten messages a request; entries that SQS refuses for its own reasons are sent again.
func (q *Queue) Send(ctx context.Context, delay time.Duration, bodies ...[]byte) error {
	for batch := range slices.Chunk(bodies, queueBatch) {
		pending := make([]types.SendMessageBatchRequestEntry, 0, len(batch))
		for i, body := range batch {
			pending = append(pending, types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(body)), DelaySeconds: seconds(delay),
			})
		}
		err := retryFailed(ctx, pending, func(e types.SendMessageBatchRequestEntry) string { return *e.Id },
			func(entries []types.SendMessageBatchRequestEntry) ([]types.BatchResultErrorEntry, error) {
				out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
				if err != nil {
					return nil, err
				}
				return out.Failed, nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// seconds rounds up, so that a message is never visible before its time.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// retryFailed hands entries to try and those that came back failed again, with a growing pause, unless the failure is
// the sender's.
func retryFailed[E any](ctx context.Context, entries []E, id func(E) string, try func([]E) ([]types.BatchResultErrorEntry, error)) error {
	for attempt := 1; ; attempt++ {
		failed, err := try(entries)
		if err != nil || len(failed) == 0 {
			return err
		}
		again := map[string]bool{}
		for _, f := range failed {
			if f.SenderFault || attempt == batchTries {
				return fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
			}
			again[aws.ToString(f.Id)] = true
		}
		entries = slices.DeleteFunc(slices.Clone(entries), func(e E) bool { return !again[id(e)] })
		if err := pause.For(ctx, time.Duration(attempt*attempt)*50*time.Millisecond); err != nil {
			return err
		}
	}
}

// Receive implements platform.Queue by long polling.
func (q *Queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]platform.Message, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: int32(min(max(limit, 1), queueBatch)), WaitTimeSeconds: seconds(min(wait, longestWait)),
		MessageSystemAttributeNames: received,
	})
	if err != nil {
		return nil, err
	}
	messages := make([]platform.Message, 0, len(out.Messages))
	for _, m := range out.Messages {
		messages = append(messages, message(m))
	}
	return messages, nil
}

// received are the attributes that message reads.
var received = []types.MessageSystemAttributeName{
	types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp,
}

func sortBySent(list []platform.Message) {
	slices.SortStableFunc(list, func(a, b platform.Message) int { return a.Sent.Compare(b.Sent) })
}

func message(m types.Message) platform.Message {
	receive, _ := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	sent, _ := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	return platform.Message{
		ID: aws.ToString(m.MessageId), Body: []byte(aws.ToString(m.Body)), Handle: aws.ToString(m.ReceiptHandle),
		Receive: receive, Sent: time.UnixMilli(sent),
	}
}

// Extend implements platform.Queue.
func (q *Queue) Extend(ctx context.Context, handle string, d time.Duration) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.url, ReceiptHandle: &handle, VisibilityTimeout: seconds(min(d, longestHide)),
	})
	return staleHandle(err)
}

// Delete implements platform.Queue, ten messages a request where so many are acknowledged at about the same time.
func (q *Queue) Delete(ctx context.Context, handle string) error {
	if handle == "" {
		return fmt.Errorf("%w: no handle", platform.ErrNoMessage) // which SQS would refuse the others' with
	}
	return q.deleted.Add(ctx, handle)
}

// deleteAll deletes up to ten messages and returns the error of each; those that SQS refuses for its own reasons it
// tries again.
func (q *Queue) deleteAll(ctx context.Context, handles []string) []error {
	d := deletion{queue: q, errs: make([]error, len(handles))}
	places := make([]int, len(handles))
	for i := range handles {
		places[i] = i
	}
	// What retryFailed gives up with, each entry has an error of its own about.
	_ = retryFailed(ctx, places, strconv.Itoa, func(places []int) ([]types.BatchResultErrorEntry, error) {
		return d.try(ctx, handles, places)
	})
	return d.errs
}

// deletion is a batch of messages to delete.
type deletion struct {
	queue *Queue
	errs  []error // of each message, as far as is known
}

// try deletes the messages at the places, and returns the failures that may be tried again.
func (d *deletion) try(ctx context.Context, handles []string, places []int) ([]types.BatchResultErrorEntry, error) {
	entries := make([]types.DeleteMessageBatchRequestEntry, len(places))
	for n, place := range places {
		entries[n] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(place)), ReceiptHandle: &handles[place]}
	}
	out, err := d.queue.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &d.queue.url, Entries: entries})
	for _, place := range places {
		d.errs[place] = staleHandle(err)
	}
	if err != nil {
		return nil, err
	}
	for _, f := range out.Failed {
		place, err := strconv.Atoi(aws.ToString(f.Id))
		if err != nil || place < 0 || place >= len(d.errs) {
			return nil, fmt.Errorf("SQS names an unknown message %q", aws.ToString(f.Id))
		}
		d.errs[place] = staleHandle(&smithy.GenericAPIError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message)})
	}
	return slices.DeleteFunc(out.Failed, func(f types.BatchResultErrorEntry) bool { return f.SenderFault }), nil
}

// staleHandle names the ways in which SQS says that a delivery is over.
func staleHandle(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight", "InvalidParameterValue":
			return fmt.Errorf("%w: %s", platform.ErrNoMessage, api.ErrorMessage())
		}
	}
	return err
}

// Depth implements platform.Queue. SQS counts approximately and tells the oldest message's age only to CloudWatch, so
// OldestAge is 0.
func (q *Queue) Depth(ctx context.Context) (platform.Depth, error) {
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: names})
	if err != nil {
		return platform.Depth{}, err
	}
	var n [3]int
	for i, name := range names {
		if n[i], err = strconv.Atoi(out.Attributes[string(name)]); err != nil {
			return platform.Depth{}, fmt.Errorf("queue attribute %s: %w", name, err)
		}
	}
	return platform.Depth{Visible: n[0], InFlight: n[1], Delayed: n[2]}, nil
}
