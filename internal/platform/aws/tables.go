package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/stereospot/stereospot/internal/pause"
)

// tables are the three DynamoDB tables, which everything that isn't an object or a message lives in.
type tables struct {
	client *dynamodb.Client
	// jobs: one item a job. Partition key job_id; GSIs status-created_at and status-completed_at.
	jobs string
	// completions: partition key job_id, sort key segment_index. A converted segment is at its index; what is known of
	// the progress of segment i is at -1-i.
	completions string
	// triggered: partition key job_id, which here is any name: leases, tokens, secrets and notices, each under a prefix.
	triggered string
	now       func() time.Time
}

// item is a row: DynamoDB's attributes by name.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// textOf returns a string attribute, "" when it is absent.
func textOf(i item, name string) string {
	s, _ := i[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

// numberOf returns a whole-number attribute, 0 when it is absent.
func numberOf(i item, name string) int64 {
	n, _ := i[name].(*types.AttributeValueMemberN)
	if n == nil {
		return 0
	}
	v, _ := strconv.ParseInt(n.Value, 10, 64)
	return v
}

// get reads one item, strongly consistent; nil when there is none.
func (t *tables) get(ctx context.Context, table string, key item) (item, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// expression is a condition or an update with its names and values.
type expression struct {
	text   string
	names  map[string]string
	values item
}

func (e expression) condition() *string {
	if e.text == "" {
		return nil
	}
	return &e.text
}

func refusedCondition(err error) bool {
	return errors.As(err, new(*types.ConditionalCheckFailedException))
}

// contended reports whether a write lost against another one and may be tried again.
func contended(err error) bool {
	cancelled := new(types.TransactionCanceledException)
	if errors.As(err, &cancelled) {
		for _, r := range cancelled.CancellationReasons {
			if code := aws.ToString(r.Code); code == "TransactionConflict" || code == "ThrottlingError" {
				return true
			}
		}
		return false
	}
	return errors.As(err, new(*types.TransactionConflictException))
}

// backOff waits before attempt number n+1 (n from 1), longer each time and not in step with others.
func backOff(ctx context.Context, n int) error {
	return pause.For(ctx, time.Duration(rand.Int64N(int64(20*time.Millisecond)<<min(n, 6))))
}

// each calls visit with every item of a query, page by page.
func (t *tables) each(ctx context.Context, in *dynamodb.QueryInput, visit func(item) error) error {
	pages := dynamodb.NewQueryPaginator(t.client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			if err := visit(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofJob queries a job's items of the completions table whose sort key is in [first, last].
func (t *tables) ofJob(ctx context.Context, jobID string, first, last int64, visit func(item) error) error {
	return t.each(ctx, &dynamodb.QueryInput{
		TableName: &t.completions, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("job_id = :job AND segment_index BETWEEN :first AND :last"),
		ExpressionAttributeValues: item{":job": text(jobID), ":first": number(first), ":last": number(last)},
	}, visit)
}

// writeBatch is what one BatchWriteItem request may hold.
const writeBatch = 25

// deleteAll removes items by their keys.
func (t *tables) deleteAll(ctx context.Context, table string, keys []item) error {
	deletions := make([]types.WriteRequest, len(keys))
	for i, key := range keys {
		deletions[i].DeleteRequest = &types.DeleteRequest{Key: key}
	}
	return t.writeAll(ctx, table, deletions)
}

// writeAll makes the writes, and again those that DynamoDB leaves unprocessed.
func (t *tables) writeAll(ctx context.Context, table string, writes []types.WriteRequest) error {
	for batch := range slices.Chunk(writes, writeBatch) {
		for attempt := 1; len(batch) > 0; attempt++ {
			out, err := t.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: batch}})
			if err != nil {
				return err
			}
			if batch = out.UnprocessedItems[table]; len(batch) > 0 {
				if err := backOff(ctx, attempt); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// put writes an item if the condition holds.
func (t *tables) put(ctx context.Context, table string, i item, condition expression) error {
	_, err := t.client.PutItem(ctx, putting(table, i, condition))
	return err
}

func putting(table string, i item, condition expression) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{
		TableName: &table, Item: i, ConditionExpression: condition.condition(),
		ExpressionAttributeNames: condition.names, ExpressionAttributeValues: condition.values,
	}
}

// exchange is put that returns the item that was there before, nil where there was none.
func (t *tables) exchange(ctx context.Context, table string, i item, condition expression) (before item, err error) {
	in := putting(table, i, condition)
	in.ReturnValues = types.ReturnValueAllOld
	out, err := t.client.PutItem(ctx, in)
	if err != nil || len(out.Attributes) == 0 {
		return nil, err
	}
	return out.Attributes, nil
}

// under returns the items of the triggered table whose name begins with prefix. The table holds only what is under
// way, so reading it whole is cheap.
func (t *tables) under(ctx context.Context, prefix string) ([]item, error) {
	var all []item
	pages := dynamodb.NewScanPaginator(t.client, &dynamodb.ScanInput{
		TableName: &t.triggered, ConsistentRead: aws.Bool(true), FilterExpression: aws.String("begins_with(job_id, :prefix)"),
		ExpressionAttributeValues: item{":prefix": text(prefix)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", prefix, err)
		}
		all = append(all, page.Items...)
	}
	return all, nil
}

// nameKey is the key of an item of the triggered table.
func nameKey(prefix, name string) item { return item{"job_id": text(prefix + name)} }

// with returns a copy of i with more attributes.
func with(i, more item) item {
	i = maps.Clone(i)
	maps.Copy(i, more)
	return i
}
