package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// outbox keeps notices in the triggered table, written in the transaction that ends a job.
//
// Actions it uses: dynamodb:Scan, UpdateItem, DeleteItem.
type outbox struct{ *tables }

var _ platform.Outbox = outbox{}

const noticePrefix = "notice/"

func encodeNotice(j job.Job, now time.Time) (item, error) {
	row, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	return with(nameKey(noticePrefix, fmt.Sprintf("%s-%d", j.ID, j.Version)), item{
		"row": text(string(row)), "created": number(now.UnixMilli()), "due": number(now.UnixMilli()), "attempts": number(0),
	}), nil
}

func decodeNotice(i item) (platform.Notice, error) {
	n := platform.Notice{
		ID: textOf(i, "job_id")[len(noticePrefix):], Created: time.UnixMilli(numberOf(i, "created")), Attempts: int(numberOf(i, "attempts")),
	}
	return n, json.Unmarshal([]byte(textOf(i, "row")), &n.Job)
}

// Claim implements platform.Outbox. Each notice is taken on condition that it is still due, so two claimers never get
// the same one.
func (r outbox) Claim(ctx context.Context, limit int, ttl time.Duration) ([]platform.Notice, error) {
	items, err := r.under(ctx, noticePrefix)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(numberOf(a, "created"), numberOf(b, "created")), cmp.Compare(textOf(a, "job_id"), textOf(b, "job_id")))
	})
	var list []platform.Notice
	for _, i := range items {
		if len(list) == limit {
			break
		}
		if numberOf(i, "due") > r.now().UnixMilli() {
			continue
		}
		taken, err := r.take(ctx, i, ttl)
		if refusedCondition(err) {
			continue
		}
		if err != nil {
			return list, err
		}
		n, err := decodeNotice(taken)
		if err != nil {
			return list, err
		}
		list = append(list, n)
	}
	return list, nil
}

func (r outbox) take(ctx context.Context, i item, ttl time.Duration) (item, error) {
	out, err := r.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &r.triggered, Key: item{"job_id": i["job_id"]}, ReturnValues: "ALL_NEW",
		UpdateExpression: aws.String("SET due = :due ADD attempts :one"), ConditionExpression: aws.String("due = :before"),
		ExpressionAttributeValues: item{":due": number(r.now().Add(ttl).UnixMilli()), ":one": number(1), ":before": i["due"]},
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// Postpone implements platform.Outbox.
func (r outbox) Postpone(ctx context.Context, id string, delay time.Duration) error {
	_, err := r.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &r.triggered, Key: nameKey(noticePrefix, id),
		UpdateExpression: aws.String("SET due = :due"), ConditionExpression: aws.String("attribute_exists(job_id)"),
		ExpressionAttributeValues: item{":due": number(r.now().Add(delay).UnixMilli())},
	})
	if refusedCondition(err) {
		return nil
	}
	return err
}

// Settle implements platform.Outbox.
func (r outbox) Settle(ctx context.Context, id string) error {
	_, err := r.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &r.triggered, Key: nameKey(noticePrefix, id)})
	return err
}
