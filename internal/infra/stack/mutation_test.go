package stack_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/platform"
)

// A change of Terraform alone is noticed.
func TestChangingTerraformAloneIsADifference(t *testing.T) {
	for name, c := range map[string]struct{ file, old, new, want string }{
		"Visibility":      {"queues.tf", "30 * 60", "20 * 60", "queue video-worker hides messages for 20m0s"},
		"Receives":        {"queues.tf", "max_receives = 5", "max_receives = 3", "gives up after 3 receives"},
		"QueueRenamed":    {"queues.tf", "segment-output = 2 * 60", "segments-done = 2 * 60", "segment-output"},
		"DeadLetters":     {"queues.tf", "14 * 24", "4 * 24", "keeps dead letters for 96h"},
		"Encryption":      {"queues.tf", "sqs_managed_sse_enabled    = true", "sqs_managed_sse_enabled    = false", "is not encrypted"},
		"EventPrefix":     {"notifications.tf", `prefix = "segments/"`, `prefix = "segment/"`, "Prefix:segments/"},
		"EventSuffix":     {"notifications.tf", `prefix = "input/", suffix = ".mp4"`, `prefix = "input/", suffix = ".mkv"`, "Suffix:.mp4"},
		"EventQueue":      {"notifications.tf", `queue = "chunking"`, `queue = "reassembly"`, "Queue:chunking"},
		"SageMakerPrefix": {"notifications.tf", "sagemaker-async-failures/", "sagemaker-failures/", "sagemaker-async-failures/"},
		"IndexName":       {"tables.tf", `name            = "status-created_at"`, `name            = "by-creation"`, "index status-created_at"},
		"SortKeyType":     {"tables.tf", "name = \"segment_index\"\n    type = \"N\"", "name = \"segment_index\"\n    type = \"S\"", "table segment_completions has key"},
		"TTL":             {"tables.tf", `attribute_name = "ttl"`, `attribute_name = "expires"`, `TTL "expires"`},
		"PointInTime":     {"tables.tf", "point_in_time_recovery {\n    enabled = true", "point_in_time_recovery {\n    enabled = false", "recoverable: false"},
		"ExpiryTag":       {"bucket_lifecycle.tf", `value = "segment"`, `value = "segments"`, "don't expire after a day"},
		"ExpiryOfResults": {"bucket_lifecycle.tf", `var.result_days > 0 ? "Enabled" : "Disabled"`, `"Enabled"`, "would remove finished films"},
		"UploadsTooShort": {"bucket_lifecycle.tf", "days_after_initiation = 8", "days_after_initiation = 2", "uploads are dropped after 2 days"},
		"VariableRenamed": {"tasks.tf", "JOBS_TABLE_NAME ", "JOB_TABLE_NAME ", "web-ui is not told JOBS_TABLE_NAME"},
		"VariableGone":    {"service_media_worker.tf", `SEGMENT_OUTPUT_QUEUE_URL = aws_sqs_queue.pipeline["segment-output"].url`, "", "media-worker is not told SEGMENT_OUTPUT_QUEUE_URL"},
		"VariableUnread":  {"service_web_ui.tf", "STEREOSPOT_PUBLIC_URL ", "STEREOSPOT_PUBLIC_URI ", "web-ui doesn't read STEREOSPOT_PUBLIC_URI"},
		"ModelsDiffer":    {"service_web_ui.tf", "STEREOSPOT_DEPTH_MODELS = local.depth_models", `STEREOSPOT_DEPTH_MODELS = "depth-anything-v2-small-fp16"`, `web-ui offers "depth-anything-v2-small-fp16", and inference fetches "depth-anything-v2-small"`},
		"ModelUnknown":    {"variables.tf", `default     = ["depth-anything-v2-small"]`, `default     = ["tarot"]`, "the SHA-256 of tarot isn't known here"},
		"ModelNotFree":    {"variables.tf", `default     = ["depth-anything-v2-small"]`, `default     = ["depth-anything-v2-large"]`, "agree with --accept-license"},
		"StartTooShort":   {"inference_sagemaker.tf", "= 1800", "= 300", "inference may take 5m0s"},
		"DrainTooLong":    {"tasks.tf", `drain        = "25s"`, `drain        = "300s"`, "drains for 5m0s"},
		"Root":            {"tasks.tf", `"10001:10001"`, `"0:0"`, `runs as "0:0"`},
		"ActionDropped":   {"permissions.tf", `"s3:PutObjectTagging", "s3:DeleteObject"`, `"s3:DeleteObject"`, "video-worker may not s3:PutObjectTagging on the output bucket"},
		"ActionAdded":     {"permissions.tf", `"jobs table indexes"               = ["dynamodb:Query"]`, `"jobs table indexes" = ["dynamodb:Query", "dynamodb:Scan"]`, "web-ui may dynamodb:Scan on the jobs table indexes and doesn't need to"},
		"ActionStar":      {"permissions.tf", `["secretsmanager:GetSecretValue"]`, `["secretsmanager:*"]`, "secretsmanager:*"},
		"QueueUnscaled":   {"scaling.tf", `["chunking", "segment-output", "reassembly"]`, `["chunking", "reassembly"]`, "media-worker receives from"},
		"NoAgeAlarm":      {"alarms.tf", "reassembly     = 60 * 60", "", "messages of reassembly grow old"},
		"NoDeadAlarm":     {"alarms.tf", "for_each = aws_sqs_queue.dead_letters", `for_each = { for k, v in aws_sqs_queue.dead_letters : k => v if k != "chunking" }`, "dead letters of chunking"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := stack.ReadFrom(mutated(t, c.file, c.old, c.new), imaged)
			if err != nil {
				t.Fatal(err)
			}
			found := differences(t, s, ofCode(t), true)
			if !slices.ContainsFunc(found, func(d string) bool { return strings.Contains(d, c.want) }) {
				t.Errorf("want a difference that says %q, found %q", c.want, found)
			}
		})
	}
}

// mutated copies the project with one text replaced, which has to be there.
func mutated(t *testing.T, file, old, new string) string {
	t.Helper()
	from, err := stack.Directory("aws-infra")
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".tf") && !strings.HasSuffix(e.Name(), ".tfvars.example") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == file {
			if !strings.Contains(string(text), old) {
				t.Fatalf("%s doesn't hold %q", file, old)
			}
			text = []byte(strings.ReplaceAll(string(text), old, new))
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A change of the code alone is noticed too.
func TestChangingTheProgramAloneIsADifference(t *testing.T) {
	s, err := stack.Read(imaged)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*program)
		want   string
	}{
		"Visibility":   {func(p *program) { p.visibility[platform.ChunkingQueue] = time.Hour }, "queue chunking hides messages for 15m0s, the program expects 1h0m0s"},
		"NewQueue":     {func(p *program) { p.visibility["previews"] = time.Minute }, "there is no queue previews"},
		"Receives":     {func(p *program) { p.maxReceives = 9 }, "the program expects 9"},
		"Event":        {func(p *program) { p.notifications[0].Prefix = "uploads/" }, "there is no event {Bucket:input Prefix:uploads/"},
		"ExpiryTag":    {func(p *program) { p.expiryTag[1] = "clip" }, "stereospot:expire=clip"},
		"NewVariable":  {func(p *program) { p.variables["web-ui"] = append(p.variables["web-ui"], required("X_URL")) }, "web-ui is not told X_URL"},
		"VariableGone": {func(p *program) { p.variables["media-worker"] = p.variables["media-worker"][:1] }, "media-worker doesn't read INPUT_BUCKET_NAME"},
		"NewAction": {func(p *program) {
			p.permissions["media-worker"]["jobs table"] = append(p.permissions["media-worker"]["jobs table"], "dynamodb:Scan")
		}, "media-worker may not dynamodb:Scan on the jobs table"},
		"ActionGone": {func(p *program) { p.permissions["inference"]["input bucket"] = nil }, "inference may s3:GetObject on the input bucket and doesn't need to"},
	} {
		t.Run(name, func(t *testing.T) {
			p := ofCode(t)
			c.change(&p)
			found := differences(t, s, p, true)
			if !slices.ContainsFunc(found, func(d string) bool { return strings.Contains(d, c.want) }) {
				t.Errorf("want a difference that says %q, found %q", c.want, found)
			}
		})
	}
}

func required(name string) config.Variable { return config.Variable{Name: name, Required: true} }
