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

	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// Index is a global secondary index: partition key (a string) and numeric sort key.
type Index struct{ Partition, Sort string }

// Name returns the index's name, which says its keys.
func (i Index) Name() string { return i.Partition + "-" + i.Sort }

// Table is a DynamoDB table with a string partition key.
type Table struct {
	Partition string
	Sort      string // numeric; empty: none
	Indexes   []Index
	TTL       string // attribute; empty: none
}

// The tables of a deployment.
var (
	Jobs = Table{Partition: "job_id", Indexes: []Index{{"status", "created_at"}, {"status", "completed_at"}}}

	SegmentCompletions  = Table{Partition: "job_id", Sort: "segment_index"}
	ReassemblyTriggered = Table{Partition: "job_id", TTL: "ttl"}
)

// stack makes one deployment's resources.
type stack struct {
	visibility time.Duration
	s3         *s3.Client
	sqs        *sqs.Client
	db         *dynamodb.Client
	prefix     string
}

// Provision makes the buckets, queues with their dead-letter queues, tables and notifications of one deployment, all
// named after prefix, as infra/aws-infra does. A visibility above 0 stands in for the queues' own, so that tests needn't
// wait for a quarter of an hour.
func Provision(ctx context.Context, cfg aws.Config, prefix string, visibility time.Duration) (platformaws.Resources, error) {
	s := stack{
		s3:  s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		sqs: sqs.NewFromConfig(cfg), db: dynamodb.NewFromConfig(cfg), prefix: prefix, visibility: visibility,
	}
	r := platformaws.Resources{
		InputBucket: prefix + "-input", OutputBucket: prefix + "-output",
		JobsTable: prefix + "-jobs", CompletionsTable: prefix + "-segment-completions", TriggeredTable: prefix + "-reassembly-triggered",
		QueueURLs: map[platform.QueueName]string{},
	}
	for name, table := range map[string]Table{r.JobsTable: Jobs, r.CompletionsTable: SegmentCompletions, r.TriggeredTable: ReassemblyTriggered} {
		if err := s.table(ctx, name, table); err != nil {
			return r, fmt.Errorf("table %s: %w", name, err)
		}
	}
	arns := map[platform.QueueName]string{}
	for _, q := range platform.QueueNames() {
		url, arn, err := s.queue(ctx, q)
		if err != nil {
			return r, fmt.Errorf("queue %s: %w", q, err)
		}
		r.QueueURLs[q], arns[q] = url, arn
	}
	if err := s.buckets(ctx, r, arns); err != nil {
		return r, err
	}
	return r, s.dropTestEvents(ctx, r)
}

// testEventPatience is how long the events may take that S3 sends to try a notification out.
const testEventPatience = 2 * time.Second

// dropTestEvents takes the events out of the queues that S3 sent to try the notifications out, as workers would.
func (s stack) dropTestEvents(ctx context.Context, r platformaws.Resources) error {
	want := map[platform.QueueName]int{}
	for _, n := range platform.Notifications() {
		want[n.Queue]++
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

func (s stack) table(ctx context.Context, name string, t Table) error {
	attributes := map[string]ddb.ScalarAttributeType{t.Partition: ddb.ScalarAttributeTypeS}
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: ddb.BillingModePayPerRequest, KeySchema: keys(t.Partition, t.Sort)}
	if t.Sort != "" {
		attributes[t.Sort] = ddb.ScalarAttributeTypeN
	}
	for _, i := range t.Indexes {
		attributes[i.Partition], attributes[i.Sort] = ddb.ScalarAttributeTypeS, ddb.ScalarAttributeTypeN
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, ddb.GlobalSecondaryIndex{
			IndexName: aws.String(i.Name()), KeySchema: keys(i.Partition, i.Sort), Projection: &ddb.Projection{ProjectionType: ddb.ProjectionTypeAll},
		})
	}
	for attribute, kind := range attributes {
		in.AttributeDefinitions = append(in.AttributeDefinitions, ddb.AttributeDefinition{AttributeName: aws.String(attribute), AttributeType: kind})
	}
	if _, err := s.db.CreateTable(ctx, in); err != nil || t.TTL == "" {
		return err
	}
	_, err := s.db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &name, TimeToLiveSpecification: &ddb.TimeToLiveSpecification{AttributeName: &t.TTL, Enabled: aws.Bool(true)},
	})
	return err
}

func keys(partition, sort string) []ddb.KeySchemaElement {
	k := []ddb.KeySchemaElement{{AttributeName: &partition, KeyType: ddb.KeyTypeHash}}
	if sort != "" {
		k = append(k, ddb.KeySchemaElement{AttributeName: &sort, KeyType: ddb.KeyTypeRange})
	}
	return k
}

// queue makes a queue and its dead-letter queue.
func (s stack) queue(ctx context.Context, q platform.QueueName) (url, arn string, err error) {
	name := s.prefix + "-" + string(q)
	_, dead, err := s.oneQueue(ctx, name+"-dlq", nil)
	if err != nil {
		return "", "", err
	}
	policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": dead, "maxReceiveCount": platform.MaxReceives})
	if err != nil {
		return "", "", err
	}
	visibility := cmp.Or(s.visibility, q.Visibility())
	return s.oneQueue(ctx, name, map[string]string{
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

// buckets makes the buckets and their notifications.
func (s stack) buckets(ctx context.Context, r platformaws.Resources, arns map[platform.QueueName]string) error {
	for role, name := range map[platform.BucketName]string{platform.InputBucket: r.InputBucket, platform.OutputBucket: r.OutputBucket} {
		_, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{
			Bucket: &name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: Region},
		})
		if err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
		var configured []s3types.QueueConfiguration
		for _, n := range platform.Notifications() {
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
	return s3types.QueueConfiguration{
		Id: aws.String(strings.ReplaceAll(string(n.Queue), "_", "-")), QueueArn: &arn, Events: []s3types.Event{"s3:ObjectCreated:*"},
		Filter: &s3types.NotificationConfigurationFilter{Key: &s3types.S3KeyFilter{FilterRules: []s3types.FilterRule{
			{Name: s3types.FilterRuleNamePrefix, Value: aws.String(n.Prefix)}, {Name: s3types.FilterRuleNameSuffix, Value: aws.String(n.Suffix)},
		}}},
	}
}
