package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/media"
)

func TestDocumentsNameEveryFieldOfTheJSON(t *testing.T) {
	page, err := os.ReadFile("../../docs/convert.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{jsonEvent{}, findings{}, media.CarriedStream{}, media.Segment{}} {
		kind := reflect.TypeOf(v)
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if name == "" || name == "event" || name == "index" {
				continue
			}
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/convert.md doesn't name %q of %s", name, kind)
			}
		}
	}
}
