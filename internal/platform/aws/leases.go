package aws

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/stereospot/stereospot/internal/platform"
)

// leases are items of the triggered table. expires (epoch milliseconds) decides; DynamoDB removes items some time after
// ttl (epoch seconds), which only tidies up.
//
// Actions it uses: dynamodb:PutItem, UpdateItem, DeleteItem.
type leases struct{ *tables }

var _ platform.Leases = leases{}

func leaseKey(name string) item { return nameKey("lease/", name) }

// graceTTL keeps an expired lease visible for whoever looks into a stuck job.
const graceTTL = 24 * time.Hour

func (r leases) times(ttl time.Duration) item {
	expires := r.now().Add(ttl)
	return item{"expires": number(expires.UnixMilli()), "ttl": number(expires.Add(graceTTL).Unix())}
}

// Acquire implements platform.Leases.
func (r leases) Acquire(ctx context.Context, name, owner string, ttl time.Duration) error {
	err := r.put(ctx, r.triggered, with(with(leaseKey(name), r.times(ttl)), item{"owner": text(owner)}), expression{
		text:   "attribute_not_exists(job_id) OR #owner = :owner OR expires <= :now",
		names:  map[string]string{"#owner": "owner"},
		values: item{":owner": text(owner), ":now": number(r.now().UnixMilli())},
	})
	if refusedCondition(err) {
		return fmt.Errorf("%s: %w", name, platform.ErrLeaseHeld)
	}
	return err
}

// Renew implements platform.Leases.
func (r leases) Renew(ctx context.Context, name, owner string, ttl time.Duration) error {
	t := r.times(ttl)
	_, err := r.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &r.triggered, Key: leaseKey(name),
		UpdateExpression:         aws.String("SET expires = :expires, #ttl = :ttl"),
		ConditionExpression:      aws.String("#owner = :owner AND expires > :now"),
		ExpressionAttributeNames: map[string]string{"#owner": "owner", "#ttl": "ttl"},
		ExpressionAttributeValues: item{
			":expires": t["expires"], ":ttl": t["ttl"], ":owner": text(owner), ":now": number(r.now().UnixMilli()),
		},
	})
	if refusedCondition(err) {
		return fmt.Errorf("%s: %w", name, platform.ErrLeaseLost)
	}
	return err
}

// Release implements platform.Leases.
func (r leases) Release(ctx context.Context, name, owner string) error {
	_, err := r.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &r.triggered, Key: leaseKey(name), ConditionExpression: aws.String("#owner = :owner"),
		ExpressionAttributeNames: map[string]string{"#owner": "owner"}, ExpressionAttributeValues: item{":owner": text(owner)},
	})
	if refusedCondition(err) {
		return nil
	}
	return err
}
