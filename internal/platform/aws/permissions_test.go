package aws

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/platform"
)

func TestPermissionsAreReadFromTheDocumentation(t *testing.T) {
	all, err := Permissions()
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"web-ui", "media-worker", "video-worker", "inference"} {
		if len(all[service]) < 3 {
			t.Errorf("%s: %v", service, all[service])
		}
	}
	if len(all) != 4 || !slices.Contains(all["web-ui"]["jobs table indexes"], "dynamodb:Query") {
		t.Errorf("%v", all)
	}
	known := []string{
		"input bucket", "output bucket", "jobs table", "jobs table indexes", "segment completions table",
		"reassembly triggered table", "endpoint", "session key secret", "hub token secret", "task",
	}
	for _, q := range platform.QueueNames() {
		known = append(known, string(q)+" queue", string(q)+" dead-letter queue")
	}
	action := regexp.MustCompile(`^(s3|sqs|dynamodb|secretsmanager|sagemaker|ecs):[A-Za-z]+$`)
	for service, resources := range all {
		for on, actions := range resources {
			if !slices.Contains(known, on) {
				t.Errorf("%s: there is no such thing as the %q", service, on)
			}
			for _, a := range actions {
				if !action.MatchString(a) {
					t.Errorf("%s, %s: %q is no action", service, on, a)
				}
			}
		}
	}
}

func FuzzParsePermissions(f *testing.F) {
	f.Add(documentation)
	f.Add("// # Permissions\n//\n// a:\n//   - b: c, d\npackage aws")
	f.Add("// # Permissions\n//   - b: c\n")
	f.Fuzz(func(t *testing.T, source string) {
		all, err := parsePermissions(source)
		if err != nil && all != nil {
			t.Errorf("%v with %v", all, err)
		}
	})
}
