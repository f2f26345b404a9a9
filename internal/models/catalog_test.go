package models

import (
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
)

// registry is one of four models, of which one's content isn't known, one has two files and one isn't free.
func registry() []Model {
	return []Model{
		{Name: "fine", Repo: "owner/fine", SHA256: strings.Repeat("a", 64), License: apache},
		{Name: "vague", Repo: "owner/vague", License: apache},
		{Name: "pair", Repo: "owner/pair", SHA256: strings.Repeat("1", 64), Weights: Weights{"model.onnx_data", 1, strings.Repeat("2", 64)}, License: apache},
		{Name: "costly", Repo: "owner/costly", SHA256: strings.Repeat("c", 64), License: nonCommercial, NonCommercial: true},
	}
}

func TestCatalogSettlesDepthSources(t *testing.T) {
	own := strings.Repeat("0", 64)
	c, err := NewCatalog(registry(), []string{"costly", "mine=" + own, "fine"})
	if err != nil {
		t.Fatal(err)
	}
	if names, err := c.Names(); err != nil || !slices.Equal(names, []string{"costly", "mine", "fine"}) {
		t.Errorf("names %v, %v", names, err)
	}
	for _, s := range []struct{ asked, want job.DepthOptions }{
		{job.DepthOptions{Model: job.Classic}, job.DepthOptions{Model: job.Classic}},
		{job.DepthOptions{Model: job.AutoDepth, Every: 3}, job.DepthOptions{Model: "costly", Content: strings.Repeat("c", 64), Every: 3}},
		{job.DepthOptions{Model: "mine"}, job.DepthOptions{Model: "mine", Content: own}},
		{job.DepthOptions{Model: "fine", Content: strings.Repeat("a", 64)}, job.DepthOptions{Model: "fine", Content: strings.Repeat("a", 64)}},
	} {
		if got, err := c.Resolve(s.asked); err != nil || got != s.want || !got.Settles(s.asked) {
			t.Errorf("%+v becomes %+v, %v", s.asked, got, err)
		}
	}
	for _, s := range []struct {
		asked job.DepthOptions
		want  string
	}{
		{job.DepthOptions{Model: "vague"}, "use classic or costly or mine or fine"},
		{job.DepthOptions{Model: "fine", Content: own}, "not " + own},
	} {
		if _, err := c.Resolve(s.asked); err == nil || !strings.Contains(err.Error(), s.want) {
			t.Errorf("%+v: %v", s.asked, err)
		}
	}
}

func TestCatalogKnowsAModelOfTwoFilesByBoth(t *testing.T) {
	// SHA-256 of 64 ones, a line feed and 64 twos.
	const content = "f010287b35f18d5064ad68310c9178d47eb3b893105a97ad86cdd2a4d9db62cc"
	for _, entry := range []string{"pair", "pair=" + content} {
		c, err := NewCatalog(registry(), []string{entry})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Resolve(job.DepthOptions{Model: "pair"}); err != nil || got.Content != content {
			t.Errorf("%s: %+v, %v", entry, got, err)
		}
	}
	if _, err := NewCatalog(registry(), []string{"pair=" + strings.Repeat("1", 64)}); err == nil || !strings.Contains(err.Error(), "pair has SHA-256 "+content) {
		t.Errorf("one file's hash for both: %v", err)
	}
}

func TestListsOfModelsAreRefusedWithEveryReason(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	for entry, want := range map[string]string{
		"vague": "SHA-256 of vague isn't known here: write vague=SHA256", "tarot": "SHA-256 of tarot isn't known here", "fine=" + zeros: "not " + zeros,
		"classic": "names no model", "auto=" + zeros: "names no model", "../fine": "names no model", "fine=ABC": "names no model", "mine.onnx": "names no model", "": "names no model",
	} {
		if _, err := NewCatalog(registry(), []string{"costly", entry}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", entry, err)
		}
	}
	_, err := NewCatalog(registry(), []string{"fine", "fine", "tarot"})
	if err == nil || !strings.Contains(err.Error(), "fine is named twice") || !strings.Contains(err.Error(), "tarot") {
		t.Error(err)
	}
	if _, err := NewCatalog(registry(), nil); err == nil {
		t.Error("a catalog of nothing is one")
	}
}

func TestWantedModelsCanBeFetchedOrAreNamedByContent(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	list, err := Wanted(registry(), []string{"fine", "vague=" + zeros, "mine=" + zeros}, false)
	if err != nil || len(list) != 3 || list[0].Repo != "owner/fine" || list[1].SHA256 != zeros || list[1].Repo != "owner/vague" || list[2].Repo != "" {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = Wanted(registry(), []string{"costly", "tarot"}, false)
	if err == nil || !strings.Contains(err.Error(), "agree with --accept-license") || !strings.Contains(err.Error(), `unknown model "tarot": use fine, vague, pair, costly`) {
		t.Error(err)
	}
	if _, err := Wanted(registry(), []string{"costly"}, true); err != nil {
		t.Error(err)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add("fine")
	f.Add("mine=" + strings.Repeat("0", 64))
	f.Add("../mine=")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseEntry(registry(), text)
		if err == nil && (m.Name == "" || isPath(m.Name) || !strings.HasPrefix(text, m.Name)) {
			t.Errorf("%q is %+v", text, m)
		}
	})
}
