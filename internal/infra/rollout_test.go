package infra

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const definitionARN = "arn:aws:ecs:eu-central-1:111122223333:task-definition/stereospot-web-ui:"

// fakeECS is one service with one family of task definitions, whose revision 2 Terraform has registered since the
// service began to run 1.
type fakeECS struct {
	revisions    []fields // registered, from revision 1 on
	deregistered []string
	running      string   // ARN that the service was moved to last
	deployments  []fields // of the answer to the next look; the last one stays
	looks        [][]fields
}

func newFakeECS() *fakeECS {
	e := &fakeECS{running: definitionARN + "1"}
	for n, level := range []string{"info", "debug"} {
		e.revisions = append(e.revisions, fields{
			"taskDefinitionArn": fmt.Sprint(definitionARN, n+1), "family": "stereospot-web-ui", "cpu": "512", "memory": "1024", "networkMode": "awsvpc",
			"requiresCompatibilities": []string{"FARGATE"}, "taskRoleArn": "arn:task", "executionRoleArn": "arn:execution",
			"runtimePlatform": fields{"cpuArchitecture": "ARM64"}, "ephemeralStorage": fields{"sizeInGiB": 40}, "revision": n + 1, "status": "ACTIVE",
			"volumes": []fields{{"name": "scratch"}},
			"containerDefinitions": []fields{
				{"name": "log", "image": "other:1"},
				{"name": "web-ui", "image": "repository/web-ui:bootstrap", "readonlyRootFilesystem": true, "environment": []fields{{"name": "LEVEL", "value": level}}},
			},
		})
	}
	return e
}

func deployment(arn, state string, desired, running int) fields {
	return fields{"taskDefinition": arn, "status": "PRIMARY", "rolloutState": state, "rolloutStateReason": "because of " + state, "desiredCount": desired, "runningCount": running}
}

func (e *fakeECS) operations() map[string]func(fields) fields {
	return map[string]func(fields) fields{
		"DescribeServices": func(in fields) fields {
			if len(e.looks) > 0 {
				e.deployments, e.looks = e.looks[0], e.looks[1:]
			} else {
				e.deployments = []fields{deployment(e.running, "COMPLETED", 2, 2)}
			}
			return fields{"services": []fields{{"serviceName": in["services"].([]any)[0], "status": "ACTIVE", "taskDefinition": e.running, "deployments": e.deployments}}}
		},
		"DescribeTaskDefinition": func(in fields) fields {
			newest := e.revisions[len(e.revisions)-1]
			if in["taskDefinition"] == definitionARN+"1" {
				newest = e.revisions[0]
			}
			return fields{"taskDefinition": newest, "tags": []fields{{"key": "Project", "value": "stereospot"}}}
		},
		"RegisterTaskDefinition": func(in fields) fields {
			in["taskDefinitionArn"] = definitionARN + "3"
			e.revisions = append(e.revisions, in)
			return fields{"taskDefinition": in}
		},
		"UpdateService": func(in fields) fields { e.running = in["taskDefinition"].(string); return fields{} },
		"DeregisterTaskDefinition": func(in fields) fields {
			e.deregistered = append(e.deregistered, in["taskDefinition"].(string))
			return fields{}
		},
		"ListTasks": func(fields) fields { return fields{"taskArns": []string{"arn:task/1"}} },
		"DescribeTasks": func(fields) fields {
			return fields{"tasks": []fields{{"taskDefinitionArn": definitionARN + "3", "stoppedReason": "Essential container in task exited"}}}
		},
	}
}

var rollout = Rollout{Cluster: "stereospot", Service: "stereospot-web-ui", Container: "web-ui", Image: "repository/web-ui:abc"}

func TestAServiceIsMovedToTheNewImageAndWaitedFor(t *testing.T) {
	e, before := newFakeECS(), deployment(definitionARN+"1", "COMPLETED", 2, 2)
	after := func(state string, running int) fields { return deployment(definitionARN+"3", state, 2, running) }
	e.looks = [][]fields{
		{before}, {before}, // ECS's answer is old
		{after("IN_PROGRESS", 0), before}, {after("IN_PROGRESS", 2), before}, {after("IN_PROGRESS", 2)}, {after("COMPLETED", 2), before}, {after("COMPLETED", 2)},
	}
	_, cfg := newWire(t, e.operations())
	w, _ := watching(t)
	if err := rollout.Run(t.Context(), cfg, w); err != nil {
		t.Fatal(err)
	}
	if len(e.looks) != 0 || e.running != definitionARN+"3" || len(e.deregistered) != 0 {
		t.Errorf("%d looks left, runs %s, withdrawn %v", len(e.looks), e.running, e.deregistered)
	}
	want := fields{}
	for key, value := range e.revisions[1] { // the newest, which Terraform registered
		if key != "revision" && key != "status" {
			want[key] = value
		}
	}
	made := e.revisions[2]
	want["taskDefinitionArn"], want["tags"] = made["taskDefinitionArn"], made["tags"]
	want["containerDefinitions"].([]fields)[1]["image"] = "repository/web-ui:abc"
	for key := range want {
		if diff := cmp.Diff(fmt.Sprint(want[key]), fmt.Sprint(pruned(made[key]))); diff != "" {
			t.Errorf("%s:\n%s", key, diff)
		}
	}
	if fmt.Sprint(made["tags"]) != "[map[key:Project value:stereospot]]" {
		t.Errorf("tags are %v", made["tags"])
	}
}

// pruned drops what the SDK writes of empty members.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner = pruned(inner); inner == nil || inner == float64(0) || fmt.Sprint(inner) == "[]" || fmt.Sprint(inner) == "map[]" {
				delete(v, key)
			}
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

func TestAServiceThatFailsGoesBack(t *testing.T) {
	before, failed := deployment(definitionARN+"1", "COMPLETED", 2, 2), deployment(definitionARN+"3", "FAILED", 2, 0)
	for name, looks := range map[string][][]fields{
		"given up":               {{before}, {failed, before}},
		"given up and taken off": {{before}, {deployment(definitionARN+"3", "IN_PROGRESS", 2, 0), before}, {before}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newFakeECS()
			e.looks = looks
			_, cfg := newWire(t, e.operations())
			w, said := watching(t)
			err := rollout.Run(t.Context(), cfg, w)
			if err == nil || !strings.Contains(err.Error(), "Essential container in task exited") || !strings.Contains(err.Error(), "runs stereospot-web-ui:1 again") {
				t.Error(err)
			}
			if e.running != definitionARN+"1" || fmt.Sprint(e.deregistered) != "["+definitionARN+"3]" {
				t.Errorf("runs %s, withdrawn %v", e.running, e.deregistered)
			}
			if !strings.Contains(said.String(), "going back to stereospot-web-ui:1") {
				t.Error(said)
			}
		})
	}
}

func TestAServiceThatNeverBecomesStableGoesBackEvenWhenStopped(t *testing.T) {
	for name, stop := range map[string]bool{"out of patience": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			e := newFakeECS()
			operations := e.operations()
			settled := operations["DescribeServices"]
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			operations["DescribeServices"] = func(in fields) fields {
				if e.running == definitionARN+"3" {
					if stop {
						cancel()
					}
					e.looks = [][]fields{{deployment(definitionARN+"3", "IN_PROGRESS", 2, 1)}}
				}
				return settled(in)
			}
			_, cfg := newWire(t, operations)
			w, _ := watching(t)
			if !stop {
				w.Patience = 2 * time.Second // that it goes back takes a look within the same
			}
			if err := rollout.Run(ctx, cfg, w); err == nil || !strings.Contains(err.Error(), "again") {
				t.Error(err)
			}
			if e.running != definitionARN+"1" {
				t.Errorf("runs %s", e.running)
			}
		})
	}
}

func TestAServiceWithoutThatContainerIsLeftAlone(t *testing.T) {
	e := newFakeECS()
	calls, cfg := newWire(t, e.operations())
	w, _ := watching(t)
	other := rollout
	other.Container = "media-worker"
	if err := other.Run(t.Context(), cfg, w); err == nil || !strings.Contains(err.Error(), "no container media-worker") {
		t.Error(err)
	}
	if calls.called("UpdateService") || calls.called("RegisterTaskDefinition") {
		t.Error("it was changed")
	}
}
