package config

import (
	"strings"
	"testing"
	"time"
)

func TestInferenceNeedsOnlyWhatItsBackendUses(t *testing.T) {
	for name, c := range map[string]struct {
		on   Place
		part Inference
		want []string // problems
	}{
		"local":           {Here, Inference{}, nil},
		"local on AWS":    {OnAWS, Inference{Backend: InProcess}, nil},
		"http":            {Here, Inference{Backend: ByHTTP, URL: "http://gpu:8080", Dir: "/srv", MaxInFlight: 1, Timeout: time.Hour}, nil},
		"http on AWS":     {OnAWS, Inference{Backend: ByHTTP, URL: "https://gpu/x/", MaxInFlight: 64, Timeout: time.Minute}, nil},
		"sagemaker":       {OnAWS, Inference{Backend: SageMaker, Endpoint: "films-1", MaxInFlight: 4096, Timeout: 6 * time.Hour}, nil},
		"nothing of http": {Here, Inference{Backend: ByHTTP}, []string{"INFERENCE_HTTP_URL", "STEREOSPOT_INFERENCE_DIR", "INFERENCE_MAX_IN_FLIGHT", "INFERENCE_TIMEOUT"}},
		"no address":      {OnAWS, Inference{Backend: ByHTTP, URL: "gpu:8080", MaxInFlight: 1, Timeout: time.Hour}, []string{"INFERENCE_HTTP_URL"}},
		"no endpoint":     {OnAWS, Inference{Backend: SageMaker, MaxInFlight: 1, Timeout: time.Hour}, []string{"SAGEMAKER_ENDPOINT_NAME is not set"}},
		"an ARN":          {OnAWS, Inference{Backend: SageMaker, Endpoint: "arn:aws:x/y", MaxInFlight: 1, Timeout: time.Hour}, []string{"SAGEMAKER_ENDPOINT_NAME is "}},
		"sagemaker at home": {Here, Inference{Backend: SageMaker, Endpoint: "films", MaxInFlight: 5000, Timeout: 7 * time.Hour}, []string{
			"--platform aws", "INFERENCE_MAX_IN_FLIGHT", "INFERENCE_TIMEOUT"}},
	} {
		problems := 0
		err := all(c.on, &c.part)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", name, want, err)
			}
			problems++
		}
		if err != nil && strings.Count(err.Error(), "\n")+1 != problems {
			t.Errorf("%s: want %d problems: %v", name, problems, err)
		}
	}
}

func TestOnlyOtherProcessesHaveLimitsOfTheirOwn(t *testing.T) {
	for backend, want := range map[Backend]int{"": 2, InProcess: 2, ByHTTP: 9, SageMaker: 9} {
		if i := (Inference{Backend: backend, MaxInFlight: 9}); i.InFlight(2) != want || i.Elsewhere() != (want == 9) {
			t.Errorf("%q: %d in flight", backend, i.InFlight(2))
		}
	}
}

func TestServiceListsEveryProblemAtOnce(t *testing.T) {
	c := InferenceService{Service: Service{Addr: "nowhere", Jobs: 65, Wait: -1, Drain: -1}, HubToken: HubToken{"token"}}
	err := c.Check()
	for _, want := range []string{"--addr", "--jobs", "--wait", "--drain", "HF_TOKEN_SECRET_ARN"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	c = InferenceService{Service: Service{Addr: "0.0.0.0:8080"}}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}
