package config

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Place is what the roles of a deployment share everything through.
type Place string

// The places.
const (
	Here  Place = "local" // a directory of this machine
	OnAWS Place = "aws"   // S3, SQS and DynamoDB
)

// AWS chooses the managed platform and names what a deployment there consists of, as Terraform made it. Credentials come
// from the SDK's own chain: a role of the task, environment variables or files.
//
// The tag aws says what a setting is on that platform: required, or unused.
type AWS struct {
	Platform   Place  `help:"What the roles share: a data directory (local), or AWS (aws)." env:"STEREOSPOT_PLATFORM" enum:"local,aws" default:"local"`
	ScratchDir string `help:"Directory for files under way. Default: the system's for temporary files." env:"STEREOSPOT_SCRATCH_DIR" type:"path" placeholder:"DIR" group:"aws"`
	Region     string `name:"aws-region" help:"Region of the deployment." env:"AWS_REGION" placeholder:"REGION" group:"aws" aws:"required"`

	InputBucketName  string `name:"input-bucket" help:"Bucket of sources and segments." env:"INPUT_BUCKET_NAME" placeholder:"NAME" group:"aws" aws:"required"`
	OutputBucketName string `name:"output-bucket" help:"Bucket of converted segments and results." env:"OUTPUT_BUCKET_NAME" placeholder:"NAME" group:"aws" aws:"required"`

	JobsTableName                string `name:"jobs-table" help:"Table of jobs." env:"JOBS_TABLE_NAME" placeholder:"NAME" group:"aws" aws:"required"`
	SegmentCompletionsTableName  string `name:"segment-completions-table" help:"Table of converted segments and of progress." env:"SEGMENT_COMPLETIONS_TABLE_NAME" placeholder:"NAME" group:"aws" aws:"required"`
	ReassemblyTriggeredTableName string `name:"reassembly-triggered-table" help:"Table of leases, tokens and notices." env:"REASSEMBLY_TRIGGERED_TABLE_NAME" placeholder:"NAME" group:"aws" aws:"required"`

	ChunkingQueueURL    string `name:"chunking-queue" help:"Queue of uploaded films." env:"CHUNKING_QUEUE_URL" placeholder:"URL" group:"aws" aws:"required"`
	VideoWorkerQueueURL string `name:"video-worker-queue" help:"Queue of segments to convert." env:"VIDEO_WORKER_QUEUE_URL" placeholder:"URL" group:"aws" aws:"required"`
	ReassemblyQueueURL  string `name:"reassembly-queue" help:"Queue of films to join." env:"REASSEMBLY_QUEUE_URL" placeholder:"URL" group:"aws" aws:"required"`

	MetricsNamespace string `help:"CloudWatch namespace of the metrics that are written to standard output; empty: none are." env:"STEREOSPOT_METRICS_NAMESPACE" default:"StereoSpot" placeholder:"NAME" group:"aws"`
}

func (a *AWS) check(on Place, bad func(string, ...any)) {
	if on != OnAWS {
		return
	}
	if a.ScratchDir == "" {
		a.ScratchDir = os.TempDir()
	}
	missing(a, bad)
	checkName(bad, "INPUT_BUCKET_NAME", a.InputBucketName, bucketName)
	checkName(bad, "OUTPUT_BUCKET_NAME", a.OutputBucketName, bucketName)
	checkName(bad, "JOBS_TABLE_NAME", a.JobsTableName, tableName)
	checkName(bad, "SEGMENT_COMPLETIONS_TABLE_NAME", a.SegmentCompletionsTableName, tableName)
	checkName(bad, "REASSEMBLY_TRIGGERED_TABLE_NAME", a.ReassemblyTriggeredTableName, tableName)
	checkQueueURL(bad, "CHUNKING_QUEUE_URL", a.ChunkingQueueURL)
	checkQueueURL(bad, "VIDEO_WORKER_QUEUE_URL", a.VideoWorkerQueueURL)
	checkQueueURL(bad, "REASSEMBLY_QUEUE_URL", a.ReassemblyQueueURL)
}

// missing reports what the platform needs of a part and has not been told.
func missing(p part, bad func(string, ...any)) {
	for _, s := range settings(p) {
		if s.Required && s.value == "" {
			bad("%s is not set: %s", s.Name, strings.TrimSuffix(lowerFirst(s.Help), "."))
		}
	}
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// What S3 and DynamoDB take as names.
const (
	bucketName = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`
	tableName  = `^[A-Za-z0-9_.-]{3,255}$`
)

func checkName(bad func(string, ...any), variable, name, pattern string) {
	if name != "" && !regexp.MustCompile(pattern).MatchString(name) {
		bad("%s is %q, which can't be a name on AWS: use the name alone, not its ARN or URL", variable, name)
	}
}

func checkQueueURL(bad func(string, ...any), variable, address string) {
	u, err := url.Parse(address)
	if address != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		bad("%s is %q: use the queue's URL, such as https://sqs.eu-central-1.amazonaws.com/123456789012/name", variable, address)
	}
}

// SegmentOutput names the queue that only some roles use.
type SegmentOutput struct {
	SegmentOutputQueueURL string `name:"segment-output-queue" help:"Queue of converted segments." env:"SEGMENT_OUTPUT_QUEUE_URL" placeholder:"URL" group:"aws" aws:"required"`
}

func (s *SegmentOutput) check(on Place, bad func(string, ...any)) {
	if on == OnAWS {
		missing(s, bad)
		checkQueueURL(bad, "SEGMENT_OUTPUT_QUEUE_URL", s.SegmentOutputQueueURL)
	}
}

// Sessions says what seals people's sessions, so that every web-ui task can open what another one sealed.
type Sessions struct {
	SessionKeySecretARN string `name:"session-key-secret" help:"Secret in Secrets Manager that sessions are sealed with. Default: one that web-ui makes and keeps beside the leases." env:"SESSION_KEY_SECRET_ARN" placeholder:"ARN" group:"aws"`
}

func (s *Sessions) check(_ Place, bad func(string, ...any)) {
	checkSecretARN(bad, "SESSION_KEY_SECRET_ARN", s.SessionKeySecretARN)
}

// HubToken says where the token is that opens the hub's models to the inference service.
type HubToken struct {
	HFTokenSecretARN string `name:"hf-token-secret" help:"Secret in Secrets Manager that holds the hub's token, used where HF_TOKEN is not set." env:"HF_TOKEN_SECRET_ARN" placeholder:"ARN" group:"aws"`
}

func (h *HubToken) check(_ Place, bad func(string, ...any)) {
	checkSecretARN(bad, "HF_TOKEN_SECRET_ARN", h.HFTokenSecretARN)
}

func checkSecretARN(bad func(string, ...any), variable, arn string) {
	if arn != "" && (!strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":secretsmanager:")) {
		bad("%s is %q: use the secret's ARN", variable, arn)
	}
}

// Operator says where operators look beside the page; empty settings show no links.
type Operator struct {
	LogGroups []string `name:"operator-log-groups" help:"CloudWatch log groups of the services: a job's page links to its lines there, for administrators." env:"OPERATOR_LOG_GROUPS" placeholder:"GROUP" group:"aws"`
	CostTag   string   `name:"operator-cost-tag" help:"Cost allocation tag of the deployment, as key=value: a job's page links to its cost, for administrators." env:"OPERATOR_COST_TAG" placeholder:"KEY=VALUE" group:"aws"`
}

func (o *Operator) check(_ Place, bad func(string, ...any)) {
	if slices.Contains(o.LogGroups, "") {
		bad("OPERATOR_LOG_GROUPS holds an empty name: separate the groups with one comma each")
	}
	if key, value, found := strings.Cut(o.CostTag, "="); o.CostTag != "" && (!found || key == "" || value == "") {
		bad("OPERATOR_COST_TAG is %q: use key=value", o.CostTag)
	}
}

// Prices are what a service costs, in any one currency, from which the metrics estimate its cost. 0 leaves a part out.
type Prices struct {
	TaskHour   float64 `name:"price-task-hour" help:"Price of an hour of this service's task, its vCPUs and its memory, for the metrics." env:"STEREOSPOT_PRICE_TASK_HOUR" placeholder:"PRICE" group:"aws"`
	Requests1K float64 `name:"price-1k-requests" help:"Price of a thousand requests to S3, SQS and DynamoDB on average, for the metrics." env:"STEREOSPOT_PRICE_1K_REQUESTS" placeholder:"PRICE" group:"aws"`
}

func (p *Prices) check(_ Place, bad func(string, ...any)) {
	checkPrice(bad, "STEREOSPOT_PRICE_TASK_HOUR", p.TaskHour)
	checkPrice(bad, "STEREOSPOT_PRICE_1K_REQUESTS", p.Requests1K)
}

// InferencePrice is what is paid for a conversion that happens elsewhere; 0 leaves it out.
type InferencePrice struct {
	GPUHour float64 `name:"price-gpu-hour" help:"Price of an hour of an inference instance that converts for this service, for the metrics." env:"STEREOSPOT_PRICE_GPU_HOUR" placeholder:"PRICE" group:"aws"`
}

func (p *InferencePrice) check(_ Place, bad func(string, ...any)) {
	checkPrice(bad, "STEREOSPOT_PRICE_GPU_HOUR", p.GPUHour)
}

func checkPrice(bad func(string, ...any), variable string, price float64) {
	if !(price >= 0) { // NaN too
		bad("%s is %v: use a price of 0 or more", variable, price)
	}
}
