package stack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/inference/sagemakertest"
	"github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// program is what the code says of a deployment.
type program struct {
	visibility    map[platform.QueueName]time.Duration
	maxReceives   int
	notifications []platform.Notification
	tables        map[stack.TableRole]stack.Table
	expiryTag     [2]string
	variables     map[string][]config.Variable
	permissions   map[string]map[string][]string
}

// ofCode collects what the code says. The keys of the tables are those that the conformance suite of package
// platform/aws runs on, in the emulator that is laid out from Terraform.
func ofCode(t *testing.T) program {
	t.Helper()
	text := func(name string) stack.Attribute { return stack.Attribute{Name: name, Type: "S"} }
	number := func(name string) stack.Attribute { return stack.Attribute{Name: name, Type: "N"} }
	p := program{
		visibility: map[platform.QueueName]time.Duration{}, maxReceives: platform.MaxReceives, notifications: platform.Notifications(),
		tables: map[stack.TableRole]stack.Table{
			stack.JobsTable: {Key: stack.Key{Partition: text("job_id")}, Indexes: map[string]stack.Key{
				"status-created_at":   {Partition: text("status"), Sort: number("created_at")},
				"status-completed_at": {Partition: text("status"), Sort: number("completed_at")},
			}},
			stack.SegmentCompletionsTable:  {Key: stack.Key{Partition: text("job_id"), Sort: number("segment_index")}},
			stack.ReassemblyTriggeredTable: {Key: stack.Key{Partition: text("job_id")}, TTL: "ttl"},
		},
		expiryTag: [2]string{platform.ExpireTag, platform.ExpireSegment},
		variables: map[string][]config.Variable{},
	}
	for _, q := range platform.QueueNames() {
		p.visibility[q] = q.Visibility()
	}
	var err error
	for _, service := range config.Services() {
		if p.variables[service], err = config.Variables(service); err != nil {
			t.Fatal(err)
		}
	}
	if p.permissions, err = platformaws.Permissions(); err != nil {
		t.Fatal(err)
	}
	return p
}

// imaged are values with which everything is made.
var imaged = stack.Values{"image_tag": cty.StringVal("0123abc"), "inference_image_tag": cty.StringVal("0123abc")}

func TestTerraformDeploysWhatTheProgramExpects(t *testing.T) {
	http := stack.Values{"inference_backend": cty.StringVal("http"), "inference_http_url": cty.StringVal("http://gpu.internal:8080"), "image_tag": cty.StringVal("0123abc")}
	for name, values := range map[string]stack.Values{"Sagemaker": imaged, "HTTP": http} {
		t.Run(name, func(t *testing.T) {
			s, err := stack.Read(values)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences(t, s, ofCode(t), name == "Sagemaker") {
				t.Error(d)
			}
		})
	}
}

// differences lists where Terraform and the code disagree.
func differences(t *testing.T, s *stack.Stack, p program, sagemaker bool) []string {
	t.Helper()
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, compare := range []func(*stack.Stack, program, bool, func(string, ...any)) error{
		compareQueues, compareEvents, compareTables, compareExpiry, compareEnvironment, comparePermissions, compareScaling, compareAlarms,
	} {
		if err := compare(s, p, sagemaker, say); err != nil {
			say("%v", err)
		}
	}
	slices.Sort(list)
	return list
}

const deadLetterRetention = 14 * 24 * time.Hour // SQS's most

func compareQueues(s *stack.Stack, p program, _ bool, say func(string, ...any)) error {
	queues, err := s.Queues()
	if err != nil {
		return err
	}
	for role, q := range queues {
		switch want, known := p.visibility[role]; {
		case !known:
			say("queue %s is not the program's", role)
		case q.Visibility != want:
			say("queue %s hides messages for %v, the program expects %v", role, q.Visibility, want)
		}
		if q.MaxReceives != p.maxReceives {
			say("queue %s gives up after %d receives, the program expects %d", role, q.MaxReceives, p.maxReceives)
		}
		if q.DeadLetters.Retention != deadLetterRetention || q.Retention >= q.DeadLetters.Retention {
			say("queue %s keeps dead letters for %v", role, q.DeadLetters.Retention)
		}
		if !q.Encrypted || !q.DeadLetters.Encrypted {
			say("queue %s is not encrypted", role)
		}
	}
	for role := range p.visibility {
		if _, there := queues[role]; !there {
			say("there is no queue %s", role)
		}
	}
	return nil
}

// compareEvents also knows what SageMaker answers into the output bucket, which only exists on AWS.
func compareEvents(s *stack.Stack, p program, sagemaker bool, say func(string, ...any)) error {
	got, err := s.Notifications()
	if err != nil {
		return err
	}
	want := slices.Clone(p.notifications)
	if sagemaker {
		for _, prefix := range []string{sagemakertest.ResponsePrefix, sagemakertest.FailurePrefix} {
			want = append(want, platform.Notification{Bucket: platform.OutputBucket, Prefix: prefix, Queue: platform.SegmentOutputQueue})
		}
	}
	for _, n := range want {
		if !slices.Contains(got, n) {
			say("there is no event %+v", n)
		}
	}
	for _, n := range got {
		if !slices.Contains(want, n) {
			say("event %+v is not the program's", n)
		}
	}
	return nil
}

func compareTables(s *stack.Stack, p program, _ bool, say func(string, ...any)) error {
	tables, err := s.Tables()
	if err != nil {
		return err
	}
	for role, want := range p.tables {
		got, there := tables[role]
		if !there {
			say("there is no table %s", role)
			continue
		}
		if got.Key != want.Key || got.TTL != want.TTL {
			say("table %s has key %+v and TTL %q, the program expects %+v and %q", role, got.Key, got.TTL, want.Key, want.TTL)
		}
		for name, key := range want.Indexes {
			if got.Indexes[name] != key {
				say("table %s: index %s has key %+v, the program expects %+v", role, name, got.Indexes[name], key)
			}
		}
		if len(got.Indexes) != len(want.Indexes) || !got.OnDemand || !got.Recoverable {
			say("table %s has %d indexes; on demand: %v; recoverable: %v", role, len(got.Indexes), got.OnDemand, got.Recoverable)
		}
	}
	return nil
}

func compareExpiry(s *stack.Stack, p program, _ bool, say func(string, ...any)) error {
	rules, err := s.Expiries()
	if err != nil {
		return err
	}
	tagged := false
	uploads := map[platform.BucketName]bool{}
	for _, r := range rules {
		tag := [2]string{r.TagKey, r.TagValue}
		switch {
		case r.UploadDays > 0 && r.Days == 0 && r.Prefix == "" && r.TagKey == "":
			uploads[r.Bucket] = true
			if r.Bucket == platform.InputBucket && time.Duration(r.UploadDays)*24*time.Hour <= platform.UploadIdle {
				say("uploads are dropped after %d days, the program continues them for %v", r.UploadDays, platform.UploadIdle)
			}
		case r.UploadDays > 0:
			say("%+v: unfinished uploads need a rule of their own", r)
		case r.TagKey != "":
			tagged = tagged || tag == p.expiryTag && r.Bucket == platform.OutputBucket && r.Days == 1 && r.Prefix == ""
		case r.Bucket == platform.OutputBucket && strings.HasPrefix("jobs/", r.Prefix):
			say("%+v would remove finished films", r)
		}
	}
	if !tagged {
		say("converted segments, tagged %s=%s, don't expire after a day", p.expiryTag[0], p.expiryTag[1])
	}
	for _, bucket := range []platform.BucketName{platform.InputBucket, platform.OutputBucket} {
		if !uploads[bucket] {
			say("unfinished uploads stay in the %s bucket", bucket)
		}
	}
	return nil
}

func compareEnvironment(s *stack.Stack, p program, sagemaker bool, say func(string, ...any)) error {
	tasks, err := s.Tasks()
	if err != nil {
		return err
	}
	for service, task := range tasks {
		known := map[string]config.Variable{}
		for _, v := range p.variables[service] {
			known[v.Name] = v
			if v.Required && task.Environment[v.Name] == "" {
				say("%s is not told %s", service, v.Name)
			}
		}
		for name := range task.Environment {
			if v, reads := known[name]; !reads || v.Unused || v.Secret {
				say("%s doesn't read %s on AWS, or not in the clear", service, name)
			}
		}
		for name := range task.Secrets {
			if v, reads := known[name]; !reads || !v.Secret {
				say("%s doesn't read a secret %s", service, name)
			}
		}
		compareContainer(service, task, say)
	}
	for service := range p.variables {
		if _, there := tasks[service]; !there && service != "inference" {
			say("there is no task of %s", service)
		}
	}
	return compareInference(s, p, sagemaker, say)
}

// compareContainer holds a task against what every container here has to be.
func compareContainer(service string, task stack.Task, say func(string, ...any)) {
	drain, err := time.ParseDuration(task.Environment["STEREOSPOT_DRAIN"])
	if err != nil || drain+10*time.Second > task.StopTimeout || task.StopTimeout > 2*time.Minute {
		say("%s drains for %v and is killed after %v", service, drain, task.StopTimeout)
	}
	if !task.ReadOnly || task.User == "" || strings.HasPrefix(task.User, "0") || strings.HasPrefix(task.User, "root") {
		say("%s runs as %q; read-only: %v", service, task.User, task.ReadOnly)
	}
	if !slices.Equal(task.Command, []string{"stereospot", service}) {
		say("%s runs %q", service, task.Command)
	}
	if len(task.HealthCheck) != 4 || task.HealthCheck[2] != "healthcheck" {
		say("%s has the health check %q", service, task.HealthCheck)
	}
}

// compareInference holds what the inference service is told against what it reads.
func compareInference(s *stack.Stack, p program, sagemaker bool, say func(string, ...any)) error {
	told, err := s.InferenceEnvironment()
	if err != nil {
		return err
	}
	if (told != nil) != sagemaker {
		say("a SageMaker model is there: %v", told != nil)
	}
	if err := compareModels(s, told, say); err != nil {
		return err
	}
	variables := p.variables["inference"]
	for name := range told {
		reads := func(v config.Variable) bool { return v.Name == name && !v.Unused }
		if name != "AWS_REGION" && !slices.ContainsFunc(variables, reads) {
			say("inference doesn't read %s on AWS", name)
		}
	}
	return nil
}

// leastStart is how long an instance must be allowed until it is well: a large model of 1.3 GB at 1.5 MB a second.
const leastStart = 15 * time.Minute

// compareModels holds the models that web-ui names against those that the inference service fetches.
func compareModels(s *stack.Stack, inference map[string]string, say func(string, ...any)) error {
	tasks, err := s.Tasks()
	if err != nil {
		return err
	}
	offered := tasks["web-ui"].Environment["STEREOSPOT_DEPTH_MODELS"]
	if _, err := models.NewCatalog(models.Registry(), strings.Split(offered, ",")); err != nil {
		say("web-ui is told %q: %v", offered, err)
	}
	start, err := s.InferenceStart()
	if err != nil || inference == nil {
		return err
	}
	fetched := inference["STEREOSPOT_FETCH_MODELS"]
	if fetched != offered {
		say("web-ui offers %q, and inference fetches %q", offered, fetched)
	}
	if _, err := models.Wanted(models.Registry(), strings.Split(fetched, ","), inference["STEREOSPOT_ACCEPT_LICENSE"] == "true"); err != nil {
		say("inference is told %q: %v", fetched, err)
	}
	if start < leastStart {
		say("inference may take %v until it is well, its models with it", start)
	}
	return nil
}

func comparePermissions(s *stack.Stack, p program, sagemaker bool, say func(string, ...any)) error {
	got, err := s.Permissions()
	if err != nil {
		return err
	}
	for service, resources := range p.permissions {
		if service == "inference" && !sagemaker {
			continue // it runs elsewhere, under a role of the operator's
		}
		for on, want := range resources {
			if on == "endpoint" && !sagemaker {
				continue
			}
			for _, action := range missing(want, got[service][on]) {
				say("%s may not %s on the %s", service, action, on)
			}
		}
	}
	for service, resources := range got {
		for on, actions := range resources {
			for _, action := range missing(actions, p.permissions[service][on]) {
				say("%s may %s on the %s and doesn't need to", service, action, on)
			}
		}
	}
	return nil
}

// missing returns what of want isn't in got.
func missing(want, got []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
}

// compareScaling: a worker has to scale by just the queues that it receives from; else a message waits for nobody.
func compareScaling(s *stack.Stack, p program, _ bool, say func(string, ...any)) error {
	scalings, err := s.Scalings()
	if err != nil {
		return err
	}
	for service, on := range p.permissions {
		var receives []platform.QueueName
		for _, q := range platform.QueueNames() {
			if slices.Contains(on[string(q)+" queue"], "sqs:ReceiveMessage") {
				receives = append(receives, q)
			}
		}
		scaling, scales := scalings[service]
		if !scales || service == "inference" {
			if len(receives) > 0 {
				say("%s receives from %v and doesn't scale", service, receives)
			}
			continue
		}
		by, err := s.ScaledBy(scaling)
		if err != nil {
			return err
		}
		if !slices.Equal(by, receives) {
			say("%s receives from %v and scales by %v", service, receives, by)
		}
		if scaling.Min != 0 || scaling.Max < 1 {
			say("%s has %d to %d tasks", service, scaling.Min, scaling.Max)
		}
	}
	return nil
}

// compareAlarms: every dead-letter queue and every queue's age has an alarm that tells somebody.
func compareAlarms(s *stack.Stack, _ program, _ bool, say func(string, ...any)) error {
	alarms, err := s.Alarms()
	if err != nil {
		return err
	}
	queues, err := s.Queues()
	if err != nil {
		return err
	}
	watched := func(queue, metric string) bool {
		return slices.ContainsFunc(alarms, func(a stack.Alarm) bool {
			m := a.Expression.Metrics["m"]
			return m.Queue == queue && m.Name == metric && slices.Contains(a.Actions, "aws_sns_topic.alarms.arn")
		})
	}
	for role, q := range queues {
		if !watched(q.DeadLetters.Name, "ApproximateNumberOfMessagesVisible") {
			say("nobody hears of dead letters of %s", role)
		}
		if !watched(q.Name, "ApproximateAgeOfOldestMessage") {
			say("nobody hears when messages of %s grow old", role)
		}
	}
	return nil
}
