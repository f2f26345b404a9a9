package awstest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/zclconf/go-cty/cty"

	infra "github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// stack makes one deployment's resources.
type stack struct {
	*infra.Stack
	visibility time.Duration
	s3         *s3.Client
	sqs        *sqs.Client
	db         *dynamodb.Client
}

// Provision makes the buckets, queues with their dead-letter queues, tables and notifications of one deployment: those
// that infra/aws-infra describes, with prefix (lower-case, 25 characters at most) as its name. A visibility above 0 stands in for the queues' own, so that
// tests needn't wait for a quarter of an hour.
func Provision(ctx context.Context, cfg aws.Config, prefix string, visibility time.Duration) (platformaws.Resources, error) {
	r := platformaws.Resources{QueueURLs: map[platform.QueueName]string{}}
	described, err := infra.Read(infra.Values{"name": cty.StringVal(prefix)})
	if err != nil {
		return r, err
	}
	s := stack{
		Stack: described, visibility: visibility,
		s3:  s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		sqs: sqs.NewFromConfig(cfg), db: dynamodb.NewFromConfig(cfg),
	}
	if err := s.tables(ctx, &r); err != nil {
		return r, err
	}
	arns, err := s.queues(ctx, &r)
	if err != nil {
		return r, err
	}
	notifications, err := s.Notifications()
	if err != nil {
		return r, err
	}
	if err := s.buckets(ctx, &r, notifications, arns); err != nil {
		return r, err
	}
	return r, s.dropTestEvents(ctx, r, notifications)
}

// testEventPatience is how long the events may take that S3 sends to try notifications out.
const testEventPatience = time.Minute

// dropTestEvents takes the events out of the queues that S3 sent to try the notifications out, as workers would: one for
// each queue that a bucket tells of anything.
func (s stack) dropTestEvents(ctx context.Context, r platformaws.Resources, notifications []platform.Notification) error {
	type line struct {
		bucket platform.BucketName
		queue  platform.QueueName
	}
	tried, want := map[line]bool{}, map[platform.QueueName]int{}
	for _, n := range notifications {
		if l := (line{n.Bucket, n.Queue}); !tried[l] {
			tried[l] = true
			want[n.Queue]++
		}
	}
	for q, n := range want {
		url := r.QueueURLs[q]
		for end := time.Now().Add(testEventPatience); n > 0 && time.Now().Before(end); {
			out, err := s.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
			if err != nil {
				return fmt.Errorf("test events of %s: %w", q, err)
			}
			for _, m := range out.Messages {
				if _, err := s.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
					return fmt.Errorf("test events of %s: %w", q, err)
				}
				n--
			}
		}
	}
	return nil
}

// tables makes the tables and notes their names.
func (s stack) tables(ctx context.Context, r *platformaws.Resources) error {
	tables, err := s.Tables()
	if err != nil {
		return err
	}
	for role, table := range tables {
		if err := s.table(ctx, table); err != nil {
			return fmt.Errorf("table %s: %w", role, err)
		}
	}
	r.JobsTable, r.CompletionsTable, r.TriggeredTable =
		tables[infra.JobsTable].Name, tables[infra.SegmentCompletionsTable].Name, tables[infra.ReassemblyTriggeredTable].Name
	return nil
}

func (s stack) table(ctx context.Context, t infra.Table) error {
	attributes := map[infra.Attribute]bool{}
	keys := func(k infra.Key) []ddb.KeySchemaElement {
		attributes[k.Partition] = true
		schema := []ddb.KeySchemaElement{{AttributeName: &k.Partition.Name, KeyType: ddb.KeyTypeHash}}
		if k.Sort.Name != "" {
			attributes[k.Sort] = true
			schema = append(schema, ddb.KeySchemaElement{AttributeName: &k.Sort.Name, KeyType: ddb.KeyTypeRange})
		}
		return schema
	}
	in := &dynamodb.CreateTableInput{TableName: &t.Name, BillingMode: ddb.BillingModePayPerRequest, KeySchema: keys(t.Key)}
	for name, key := range t.Indexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, ddb.GlobalSecondaryIndex{
			IndexName: &name, KeySchema: keys(key), Projection: &ddb.Projection{ProjectionType: ddb.ProjectionTypeAll},
		})
	}
	for a := range attributes {
		in.AttributeDefinitions = append(in.AttributeDefinitions, ddb.AttributeDefinition{AttributeName: &a.Name, AttributeType: ddb.ScalarAttributeType(a.Type)})
	}
	if _, err := s.db.CreateTable(ctx, in); err != nil || t.TTL == "" {
		return err
	}
	_, err := s.db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &t.Name, TimeToLiveSpecification: &ddb.TimeToLiveSpecification{AttributeName: &t.TTL, Enabled: aws.Bool(true)},
	})
	return err
}

// queues makes the queues, notes their URLs and returns their ARNs.
func (s stack) queues(ctx context.Context, r *platformaws.Resources) (map[platform.QueueName]string, error) {
	queues, err := s.Queues()
	if err != nil {
		return nil, err
	}
	arns := map[platform.QueueName]string{}
	for _, q := range queues {
		url, arn, err := s.queue(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("queue %s: %w", q.Role, err)
		}
		r.QueueURLs[q.Role], arns[q.Role] = url, arn
	}
	return arns, nil
}

// queue makes a queue and its dead-letter queue.
func (s stack) queue(ctx context.Context, q infra.Queue) (url, arn string, err error) {
	_, dead, err := s.oneQueue(ctx, q.DeadLetters.Name, nil)
	if err != nil {
		return "", "", err
	}
	policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": dead, "maxReceiveCount": q.MaxReceives})
	if err != nil {
		return "", "", err
	}
	visibility := cmp.Or(s.visibility, q.Visibility)
	return s.oneQueue(ctx, q.Name, map[string]string{
		string(sqstypes.QueueAttributeNameVisibilityTimeout): fmt.Sprint(int(visibility.Seconds())),
		string(sqstypes.QueueAttributeNameRedrivePolicy):     string(policy),
	})
}

func (s stack) oneQueue(ctx context.Context, name string, attributes map[string]string) (url, arn string, err error) {
	made, err := s.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		return "", "", err
	}
	out, err := s.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", "", err
	}
	return aws.ToString(made.QueueUrl), out.Attributes[string(sqstypes.QueueAttributeNameQueueArn)], nil
}

// buckets makes the buckets with their notifications, and notes their names.
func (s stack) buckets(ctx context.Context, r *platformaws.Resources, notifications []platform.Notification, arns map[platform.QueueName]string) error {
	names, err := s.Buckets()
	if err != nil {
		return err
	}
	r.InputBucket, r.OutputBucket = names[platform.InputBucket], names[platform.OutputBucket]
	for role, name := range names {
		_, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{
			Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: Region},
		})
		if err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
		var configured []s3types.QueueConfiguration
		for _, n := range notifications {
			if n.Bucket == role {
				configured = append(configured, notification(n, arns[n.Queue]))
			}
		}
		_, err = s.s3.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
			Bucket: &name, NotificationConfiguration: &s3types.NotificationConfiguration{QueueConfigurations: configured},
		})
		if err != nil {
			return fmt.Errorf("notifications of %s: %w", name, err)
		}
	}
	return nil
}

func notification(n platform.Notification, arn string) s3types.QueueConfiguration {
	rules := []s3types.FilterRule{{Name: s3types.FilterRuleNamePrefix, Value: &n.Prefix}}
	if n.Suffix != "" {
		rules = append(rules, s3types.FilterRule{Name: s3types.FilterRuleNameSuffix, Value: &n.Suffix})
	}
	return s3types.QueueConfiguration{
		Id: aws.String(strings.Trim(n.Prefix, "/")), QueueArn: &arn, Events: []s3types.Event{"s3:ObjectCreated:*"},
		Filter: &s3types.NotificationConfigurationFilter{Key: &s3types.S3KeyFilter{FilterRules: rules}},
	}
}
