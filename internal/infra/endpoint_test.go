package infra

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fakeSageMaker is one endpoint with its configuration and model, as Terraform made them.
type fakeSageMaker struct {
	models, configs map[string]fields
	config          string   // that the endpoint serves
	status          []string // answers to the next looks; then InService
	update          func(config string)
	updated         fields
}

func newFakeSageMaker() *fakeSageMaker {
	s := &fakeSageMaker{config: "by-terraform"}
	s.models = map[string]fields{"by-terraform": {
		"ModelName": "by-terraform", "ModelArn": "arn:model", "ExecutionRoleArn": "arn:role", "CreationTime": 1,
		"PrimaryContainer": fields{"Image": "repository/stereo-inference:old", "Environment": fields{"HF_TOKEN_SECRET_ARN": "arn:secret"}},
		"VpcConfig":        fields{"Subnets": []string{"subnet-1"}, "SecurityGroupIds": []string{"sg-1"}},
	}}
	s.configs = map[string]fields{"by-terraform": {
		"EndpointConfigName": "by-terraform", "EndpointConfigArn": "arn:config", "CreationTime": 1,
		"ProductionVariants":   []fields{{"VariantName": "all", "ModelName": "by-terraform", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}},
		"AsyncInferenceConfig": fields{"OutputConfig": fields{"S3OutputPath": "s3://out/r/", "S3FailurePath": "s3://out/f/"}, "ClientConfig": fields{"MaxConcurrentInvocationsPerInstance": 2}},
	}}
	s.update = func(config string) { s.status, s.config = []string{"Updating", "Updating"}, config }
	return s
}

func (s *fakeSageMaker) operations() map[string]func(fields) fields {
	missing := fields{"__type": "ValidationException", "message": "Could not find it"}
	of := func(kind map[string]fields, key string) func(fields) fields {
		return func(in fields) fields {
			if found, ok := kind[in[key].(string)]; ok {
				return found
			}
			return missing
		}
	}
	add := func(kind map[string]fields, key string) func(fields) fields {
		return func(in fields) fields { kind[in[key].(string)] = in; return fields{} }
	}
	remove := func(kind map[string]fields, key string) func(fields) fields {
		return func(in fields) fields { delete(kind, in[key].(string)); return fields{} }
	}
	return map[string]func(fields) fields{
		"DescribeEndpoint": func(fields) fields {
			answer := fields{"EndpointName": "depth", "EndpointArn": "arn:endpoint", "EndpointConfigName": s.config, "EndpointStatus": "InService", "FailureReason": "the container didn't answer /ping"}
			if len(s.status) > 0 {
				answer["EndpointStatus"], s.status = s.status[0], s.status[1:]
			}
			return answer
		},
		"DescribeEndpointConfig": of(s.configs, "EndpointConfigName"), "CreateEndpointConfig": add(s.configs, "EndpointConfigName"), "DeleteEndpointConfig": remove(s.configs, "EndpointConfigName"),
		"DescribeModel": of(s.models, "ModelName"), "CreateModel": add(s.models, "ModelName"), "DeleteModel": remove(s.models, "ModelName"),
		"ListTags": func(fields) fields {
			return fields{"Tags": []fields{{"Key": "Project", "Value": "stereospot"}, {"Key": "aws:cloudformation:stack-id", "Value": "x"}}}
		},
		"UpdateEndpoint": func(in fields) fields {
			s.updated = in
			s.update(in["EndpointConfigName"].(string))
			return fields{"EndpointArn": "arn:endpoint"}
		},
	}
}

var redeploy = Redeploy{Endpoint: "depth", Settings: "by-terraform", Image: "repository/stereo-inference:new", Now: func() time.Time { return time.Unix(1790000000, 0) }}

func TestAnEndpointIsMovedToTheNewImage(t *testing.T) {
	s := newFakeSageMaker()
	_, cfg := newWire(t, s.operations())
	w, _ := watching(t)
	if err := redeploy.Run(t.Context(), cfg, w); err != nil {
		t.Fatal(err)
	}
	const name = "depth-20260921-141320"
	if s.config != name || s.updated["RetainAllVariantProperties"] != true {
		t.Errorf("serves %s: %v", s.config, s.updated)
	}
	for what, want := range map[string][2]any{
		"container": {fields{"Image": "repository/stereo-inference:new", "Environment": fields{"HF_TOKEN_SECRET_ARN": "arn:secret"}}, s.models[name]["PrimaryContainer"]},
		"role":      {"arn:role", s.models[name]["ExecutionRoleArn"]},
		"network":   {s.models["by-terraform"]["VpcConfig"], s.models[name]["VpcConfig"]},
		"tags":      {"[map[Key:Project Value:stereospot]]", s.models[name]["Tags"]},
		"async":     {s.configs["by-terraform"]["AsyncInferenceConfig"], s.configs[name]["AsyncInferenceConfig"]},
		"variant": {[]fields{{"VariantName": "all", "ModelName": name, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}},
			s.configs[name]["ProductionVariants"]},
	} {
		if fmt.Sprint(want[0]) != fmt.Sprint(pruned(want[1])) {
			t.Errorf("%s is %v; want %v", what, want[1], want[0])
		}
	}
	if len(s.models) != 2 || len(s.configs) != 2 {
		t.Errorf("models %v, configurations %v: Terraform's are to stay", s.models, s.configs)
	}
}

// Terraform makes another model and configuration when a setting changes, and has removed those in use by then.
func TestAnEndpointIsMovedToTheSettingsThatWereAppliedLast(t *testing.T) {
	s := newFakeSageMaker()
	s.models = map[string]fields{"applied": {
		"ModelName": "applied", "ModelArn": "arn:model", "ExecutionRoleArn": "arn:role",
		"PrimaryContainer": fields{"Image": "repository/stereo-inference:old", "Environment": fields{"STEREOSPOT_FETCH_MODELS": "depth-anything-v2-small"}},
	}}
	variants := []fields{{"VariantName": "all", "ModelName": "applied", "InstanceType": "ml.g6.xlarge"}}
	s.configs = map[string]fields{"applied": {"EndpointConfigName": "applied", "ProductionVariants": variants}}
	_, cfg := newWire(t, s.operations())
	w, _ := watching(t)
	newer := redeploy
	newer.Settings = "applied"
	if err := newer.Run(t.Context(), cfg, w); err != nil {
		t.Fatal(err)
	}
	want := fields{"Image": "repository/stereo-inference:new", "Environment": fields{"STEREOSPOT_FETCH_MODELS": "depth-anything-v2-small"}}
	if got := s.models[s.config]["PrimaryContainer"]; fmt.Sprint(pruned(got)) != fmt.Sprint(want) {
		t.Errorf("the endpoint runs %v, want %v", got, want)
	}
	if got := fmt.Sprint(s.configs[s.config]["ProductionVariants"]); !strings.Contains(got, "ml.g6.xlarge") {
		t.Errorf("on %s", got)
	}
}

func TestAnEndpointThatFailsKeepsWhatItServed(t *testing.T) {
	s := newFakeSageMaker()
	s.update = func(string) { s.status = []string{"Updating", "RollingBack"} }
	_, cfg := newWire(t, s.operations())
	w, _ := watching(t)
	err := redeploy.Run(t.Context(), cfg, w)
	if err == nil || !strings.Contains(err.Error(), "the container didn't answer /ping") {
		t.Error(err)
	}
	if s.config != "by-terraform" || len(s.models) != 1 || len(s.configs) != 1 {
		t.Errorf("serves %s, models %v, configurations %v", s.config, s.models, s.configs)
	}
}

func TestWhatAnEndpointMayStillBecomeIsNotRemoved(t *testing.T) {
	s := newFakeSageMaker()
	s.update = func(config string) {
		s.config = config
		for range 100_000 {
			s.status = append(s.status, "Updating")
		}
	}
	_, cfg := newWire(t, s.operations())
	w, _ := watching(t)
	w.Patience = 100 * time.Millisecond
	if err := redeploy.Run(t.Context(), cfg, w); err == nil || !strings.Contains(err.Error(), "may still be on its way") {
		t.Error(err)
	}
	if len(s.models) != 2 || len(s.configs) != 2 {
		t.Errorf("models %v, configurations %v", s.models, s.configs)
	}
}

func TestAnEndpointThatIsBusyIsLeftAlone(t *testing.T) {
	s := newFakeSageMaker()
	s.status = []string{"Updating"}
	calls, cfg := newWire(t, s.operations())
	w, _ := watching(t)
	if err := redeploy.Run(t.Context(), cfg, w); err == nil || !strings.Contains(err.Error(), "wait until it is in service") {
		t.Error(err)
	}
	if calls.called("CreateModel") {
		t.Error("a model was made")
	}
}
