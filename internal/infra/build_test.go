package infra

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// fakeBuild is one build of CodeBuild, whose log grows by a line a look.
type fakeBuild struct {
	states []string // answers to the looks; the last stays
	lines  int
	asked  fields
}

func (b *fakeBuild) operations() map[string]func(fields) fields {
	build := func() fields {
		return fields{
			"id": "inference:1", "buildStatus": b.states[0], "logs": fields{"groupName": "/build", "streamName": "1"},
			"phases": []fields{
				{"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED"},
				{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": []fields{{"message": "exit status 1"}}},
			},
		}
	}
	return map[string]func(fields) fields{
		"StartBuild": func(in fields) fields { b.asked = in; return fields{"build": build()} },
		"BatchGetBuilds": func(fields) fields {
			if b.lines++; len(b.states) > 1 {
				b.states = b.states[1:]
			}
			return fields{"builds": []fields{build()}}
		},
		"StopBuild": func(fields) fields { b.states = []string{"STOPPED"}; return fields{"build": build()} },
		"GetLogEvents": func(in fields) fields {
			if b.lines < 2 {
				return fields{"__type": "ResourceNotFoundException"}
			}
			from := 0
			if token, ok := in["nextToken"].(string); ok {
				fmt.Sscanf(token, "f/%d", &from)
			}
			events := []fields{}
			for n := from; n < b.lines && len(events) < 2; n++ { // in small pages
				events = append(events, fields{"message": fmt.Sprintf("line %d\r\n", n), "timestamp": n})
			}
			return fields{"events": events, "nextForwardToken": fmt.Sprintf("f/%d", from+len(events))}
		},
	}
}

func TestABuildsLogIsShownWholeAndOnce(t *testing.T) {
	b := &fakeBuild{states: []string{"IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED"}}
	_, cfg := newWire(t, b.operations())
	w, _ := watching(t)
	var log strings.Builder
	if err := (Build{Project: "inference", Revision: "abc"}).Run(t.Context(), cfg, w, &log); err != nil {
		t.Fatal(err)
	}
	if want := "line 0\nline 1\nline 2\nline 3\nline 4\n"; log.String() != want {
		t.Errorf("log is %q; want %q", log.String(), want)
	}
	if b.asked["sourceVersion"] != "abc" || b.asked["projectName"] != "inference" {
		t.Error(b.asked)
	}
}

func TestABuildThatFailsSaysWhere(t *testing.T) {
	b := &fakeBuild{states: []string{"IN_PROGRESS", "FAILED"}}
	_, cfg := newWire(t, b.operations())
	w, _ := watching(t)
	err := Build{Project: "inference"}.Run(t.Context(), cfg, w, &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "FAILED in BUILD: exit status 1") {
		t.Error(err)
	}
}

func TestABuildNobodyWaitsForIsStopped(t *testing.T) {
	b := &fakeBuild{states: []string{"IN_PROGRESS"}}
	operations := b.operations()
	look := operations["BatchGetBuilds"]
	ctx, cancel := context.WithCancel(t.Context())
	operations["BatchGetBuilds"] = func(in fields) fields { cancel(); return look(in) }
	calls, cfg := newWire(t, operations)
	w, _ := watching(t)
	if err := (Build{Project: "inference"}).Run(ctx, cfg, w, &strings.Builder{}); err == nil {
		t.Error("no error")
	}
	if !calls.called("StopBuild") {
		t.Error("it goes on")
	}
}
