package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// onAWS is a configuration without problems.
func onAWS() WebUI {
	const queues = "https://sqs.eu-central-1.amazonaws.com/123456789012/stereospot-"
	return WebUI{
		Listen: Listen{Addr: "0.0.0.0:8080"}, Pace: Pace{Retry: time.Second}, Log: Log{LogFormat: "auto"},
		AWS: AWS{
			Platform: OnAWS, Region: "eu-central-1", InputBucketName: "films-input", OutputBucketName: "films-output",
			JobsTableName: "films-jobs", SegmentCompletionsTableName: "films-completions", ReassemblyTriggeredTableName: "films-triggered",
			ChunkingQueueURL: queues + "chunking", VideoWorkerQueueURL: queues + "video-worker", ReassemblyQueueURL: queues + "reassembly",
		},
		SegmentOutput: SegmentOutput{queues + "segment-output"},
	}
}

func TestAWSListsEveryProblemAtOnce(t *testing.T) {
	c := onAWS()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	c.Region, c.JobsTableName, c.SegmentOutputQueueURL = "", "", ""
	c.InputBucketName, c.ChunkingQueueURL = "arn:aws:s3:::films", "stereospot-chunking"
	c.SessionKeySecretARN, c.CostTag, c.TaskHour = "session-key", "Project", -1
	err := c.Check()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, variable := range []string{
		"AWS_REGION is not set", "JOBS_TABLE_NAME is not set", "SEGMENT_OUTPUT_QUEUE_URL is not set", "INPUT_BUCKET_NAME is ",
		"CHUNKING_QUEUE_URL is ", "SESSION_KEY_SECRET_ARN", "OPERATOR_COST_TAG", "STEREOSPOT_PRICE_TASK_HOUR",
	} {
		if !strings.Contains(err.Error(), variable) {
			t.Errorf("%q is not in: %v", variable, err)
		}
	}
}

func TestARoleNeedsOnlyWhatItUses(t *testing.T) {
	c := onAWS()
	video := VideoWorker{AWS: c.AWS, Pace: c.Pace}
	if err := video.Check(); err != nil {
		t.Error(err)
	}
	video.AWS = AWS{Platform: Here}
	if err := video.Check(); err != nil {
		t.Errorf("on this machine: %v", err)
	}
}

func TestThePlatformDecidesWhatIsLeftToIt(t *testing.T) {
	c := onAWS()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if c.Visibility != 0 || c.Lease != 2*time.Minute || c.Pulse != 30*time.Second || c.ReconcileEvery != time.Minute || c.LogFormat != "json" || c.DataDir != "" || c.ScratchDir == "" {
		t.Errorf("on AWS: %+v", c)
	}
	local := Serve{Listen: c.Listen, Data: Data{DataDir: t.TempDir()}, Splitting: Splitting{1}, Pace: Pace{Retry: time.Second}, Log: Log{LogFormat: "auto"}}
	if err := local.Check(); err != nil {
		t.Fatal(err)
	}
	if local.Visibility != 30*time.Second || local.Lease != 30*time.Second || local.Pulse != time.Second || local.ReconcileEvery != 15*time.Second || local.LogFormat != "auto" {
		t.Errorf("here: %+v", local)
	}
	c = onAWS()
	c.Visibility, c.Lease, c.Pulse, c.ReconcileEvery = time.Second, time.Minute, 2*time.Second, time.Hour
	if err := c.Check(); err != nil || c.Visibility != time.Second || c.Lease != time.Minute || c.Pulse != 2*time.Second || c.ReconcileEvery != time.Hour {
		t.Errorf("what was asked for is not kept: %+v, %v", c, err)
	}
}

func TestVariablesSayWhatEachServiceReads(t *testing.T) {
	if got := Services(); !slices.Contains(got, "web-ui") || !slices.Contains(got, "media-worker") || !slices.Contains(got, "video-worker") {
		t.Fatalf("%v", got)
	}
	for service, want := range map[string]map[string]bool{ // whether each is required
		"web-ui":       {"INPUT_BUCKET_NAME": true, "SEGMENT_OUTPUT_QUEUE_URL": true, "SESSION_KEY_SECRET_ARN": false, "STEREOSPOT_PASSWORD": false, "STEREOSPOT_DRAIN": false},
		"media-worker": {"SEGMENT_OUTPUT_QUEUE_URL": true, "AWS_REGION": true},
		"video-worker": {"VIDEO_WORKER_QUEUE_URL": true, "STEREOSPOT_CONVERT_JOBS": false},
	} {
		list, err := Variables(service)
		if err != nil {
			t.Fatal(err)
		}
		for name, required := range want {
			i := slices.IndexFunc(list, func(v Variable) bool { return v.Name == name })
			if i < 0 || list[i].Required != required || list[i].Help == "" {
				t.Errorf("%s of %s: %+v", name, service, list)
			}
		}
	}
	video, err := Variables("video-worker")
	if err != nil || slices.ContainsFunc(video, func(v Variable) bool {
		return v.Name == "SEGMENT_OUTPUT_QUEUE_URL" || v.Name == "SESSION_KEY_SECRET_ARN"
	}) {
		t.Errorf("video-worker: %+v, %v", video, err)
	}
	if _, err := Variables("serve"); err == nil {
		t.Error("serve is no service on AWS")
	}
}
