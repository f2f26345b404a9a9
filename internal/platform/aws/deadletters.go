package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/stereospot/stereospot/internal/platform"
)

// deadLetters is a queue's dead-letter queue, found by the queue's redrive policy.
//
// Actions it uses beside Queue's: sqs:GetQueueUrl, sqs:StartMessageMoveTask, sqs:PurgeQueue on the dead-letter queue.
type deadLetters struct{ *Queue }

var _ platform.DeadLetters = deadLetters{}

// queue returns the dead-letter queue and its ARN.
func (d deadLetters) queue(ctx context.Context) (*Queue, string, error) {
	out, err := d.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &d.url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameRedrivePolicy},
	})
	if err != nil {
		return nil, "", err
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if err := json.Unmarshal([]byte(out.Attributes[string(types.QueueAttributeNameRedrivePolicy)]), &policy); err != nil || policy.Target == "" {
		return nil, "", fmt.Errorf("%s has no dead-letter queue", d.url)
	}
	name := policy.Target[strings.LastIndexByte(policy.Target, ':')+1:]
	found, err := d.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return nil, "", err
	}
	return newQueue(d.client, aws.ToString(found.QueueUrl)), policy.Target, nil
}

// peekSeconds is how long messages that are looked at are hidden, in case whoever looks dies.
const peekSeconds = 30

// borrow receives up to limit dead letters and hides them for a moment.
func borrow(ctx context.Context, q *Queue, limit int) ([]platform.Message, error) {
	var list []platform.Message
	for len(list) < limit {
		out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &q.url, MaxNumberOfMessages: int32(min(queueBatch, limit-len(list))), VisibilityTimeout: peekSeconds,
			MessageSystemAttributeNames: received,
		})
		if err != nil || len(out.Messages) == 0 {
			return list, err
		}
		for _, m := range out.Messages {
			list = append(list, message(m))
		}
	}
	return list, nil
}

// List implements platform.DeadLetters. SQS shows messages only by delivering them, so it hands them back at once.
func (d deadLetters) List(ctx context.Context, limit int) ([]platform.Message, error) {
	q, _, err := d.queue(ctx)
	if err != nil {
		return nil, err
	}
	list, err := borrow(ctx, q, limit)
	for _, m := range list {
		err = errors.Join(err, q.Extend(ctx, m.Handle, 0))
	}
	sortBySent(list)
	return list, err
}

// Redrive implements platform.DeadLetters: all of them by a move task of SQS's own, fewer (and where there are no move
// tasks) one by one, each sent before it is deleted.
func (d deadLetters) Redrive(ctx context.Context, limit int) (int, error) {
	q, arn, err := d.queue(ctx)
	if err != nil {
		return 0, err
	}
	depth, err := q.Depth(ctx)
	if err != nil {
		return 0, err
	}
	if depth.Visible > 0 && limit >= depth.Visible+depth.InFlight {
		_, err := d.client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn})
		if err == nil || !unsupported(err) {
			return depth.Visible, err
		}
	}
	return d.move(ctx, q, limit)
}

// unsupported reports whether the service has no such operation, as an emulator says.
func unsupported(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", "InvalidAction", "UnknownOperationException":
		return true
	}
	return false
}

// move sends each letter before it deletes it: whoever is killed in between leaves one too many, never one too few.
func (d deadLetters) move(ctx context.Context, from *Queue, limit int) (int, error) {
	list, err := borrow(ctx, from, limit)
	for n, m := range list {
		if err := errors.Join(d.Send(ctx, 0, m.Body), err); err != nil {
			return n, err
		}
		if err := from.Delete(ctx, m.Handle); err != nil {
			return n, err
		}
	}
	return len(list), err
}

// Purge implements platform.DeadLetters. SQS drops messages within a minute and allows it once a minute.
func (d deadLetters) Purge(ctx context.Context) (int, error) {
	q, _, err := d.queue(ctx)
	if err != nil {
		return 0, err
	}
	depth, err := q.Depth(ctx)
	if err != nil {
		return 0, err
	}
	_, err = q.client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &q.url})
	return depth.Visible + depth.InFlight, err
}
