package aws

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"

	"github.com/stereospot/stereospot/internal/platform"
)

const (
	maxAttempts   = 8
	maxBackoff    = 10 * time.Second
	dialTimeout   = 5 * time.Second
	answerTimeout = 45 * time.Second // longer than the longest poll of SQS
)

// Resources names what a deployment consists of.
type Resources struct {
	InputBucket, OutputBucket                   string
	JobsTable, CompletionsTable, TriggeredTable string
	QueueURLs                                   map[platform.QueueName]string
	SessionKeySecret                            string // ARN of what seals sessions; empty: made and kept in the triggered table

	Now func() time.Time `json:"-"` // the clock; nil is time.Now
}

func (r Resources) clock() func() time.Time {
	if r.Now == nil {
		return time.Now
	}
	return r.Now
}

// Load returns the SDK's configuration with this package's retries and timeouts, unless more says otherwise. Credentials,
// region and endpoints come from the SDK's own chain of environment variables, files and roles.
func Load(ctx context.Context, log *slog.Logger, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, append([]func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient(answerTimeout)), config.WithRetryer(retryer), config.WithLogger(sdkLog(log)),
	}, more...)...)
}

// retryer also tries again what S3 refuses while another conditional write of the same key is under way.
func retryer() aws.Retryer {
	return retry.AddWithErrorCodes(retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = maxAttempts, maxBackoff
	}), "ConditionalRequestConflict")
}

// sdkLog writes what the SDK has to say into log, its warnings (about checksums it couldn't check, for one) as debugging
// too: what goes wrong is an error of the call.
func sdkLog(log *slog.Logger) logging.LoggerFunc {
	return func(kind logging.Classification, format string, values ...any) {
		log.Debug("AWS SDK", "kind", string(kind), "message", fmt.Sprintf(format, values...))
	}
}

// httpClient waits for an answer, and for a connection that has come to a halt, for so long.
func httpClient(patience time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout, t.MaxIdleConnsPerHost = patience, 64
			watch(t, patience)
		})
}

// Connect returns the platform of a deployment, with a configuration that Load returned. It sends nothing yet.
func Connect(cfg aws.Config, r Resources) platform.Platform {
	r.Now = r.clock()
	s3c := newS3(cfg)
	input, output := newBucket(s3c, r.InputBucket), newBucket(s3c, r.OutputBucket)
	t := &tables{
		client: dynamodb.NewFromConfig(cfg), jobs: r.JobsTable, completions: r.CompletionsTable, triggered: r.TriggeredTable, now: r.Now,
	}
	p := platform.Platform{
		Jobs: jobs{t}, Completions: newCompletions(t), Leases: leases{t}, Progress: progress{t},
		Input: input, Output: output, Uploads: input, Links: output,
		Tokens: tokens{t}, Secrets: secrets{t}, Outbox: outbox{t},
		Queues: map[platform.QueueName]platform.Queue{}, DeadLetters: map[platform.QueueName]platform.DeadLetters{},
	}
	if r.SessionKeySecret != "" {
		p.Secrets = &managedSecrets{Secrets: p.Secrets, client: secretsmanager.NewFromConfig(cfg), arn: r.SessionKeySecret, now: r.Now}
	}
	sqsc := sqs.NewFromConfig(cfg)
	for name, url := range r.QueueURLs {
		q := newQueue(sqsc, url)
		p.Queues[name], p.DeadLetters[name] = q, deadLetters{q}
	}
	return p
}
