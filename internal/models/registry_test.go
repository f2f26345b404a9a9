package models

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
)

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	repoPattern   = regexp.MustCompile(`^[\w.-]+/[\w.-]+$`)
	commitPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)
	filePattern   = regexp.MustCompile(`^([\w-]+/)*[\w-]+\.onnx$`)
)

func TestRegistryEntriesSayWhatAndWhere(t *testing.T) {
	for _, m := range Registry() {
		for what, ok := range map[string]bool{
			"a name that is a directory's, too": namePattern.MatchString(m.Name) && m.Name != job.Classic && m.Name != job.AutoDepth,
			"a repository":                      repoPattern.MatchString(m.Repo),
			"a commit, which nobody can move":   commitPattern.MatchString(m.Revision),
			"a file":                            filePattern.MatchString(m.File),
			"a size":                            m.TotalSize() > 1e6 && m.Size > 0,
			"no weights, or all that is to know of them": m.Weights == Weights{} ||
				m.Weights.File == m.File+weightsEnding && m.Weights.Size > 0 && sha256Pattern.MatchString(m.Weights.SHA256) && m.SHA256 != "",
			"weights under the name by which the network knows them": m.Weights == Weights{} || path.Base(m.File) == fileName,
			"no SHA-256 or a whole one":                              m.SHA256 == "" || sha256Pattern.MatchString(m.SHA256),
			"parameters":                                             m.Parameters > 1e6,
			"a quality":                                              m.Quality != "",
			"no share of pairs, or a percentage that isn't chance": m.DA2K == 0 || m.DA2K > 50 && m.DA2K <= 100,
			"a time with a GPU, or neither":                        m.GPUTime > 0 == (m.GPU != ""),
			"a rank":                                               m.Rank > 0,
			"a picture of whole patches":                           m.Spec.Multiple > 0 && m.Spec.Side > 0 && m.Spec.Side%m.Spec.Multiple == 0,
			"deviations":                                           m.Spec.Std[0] > 0 && m.Spec.Std[1] > 0 && m.Spec.Std[2] > 0,
		} {
			if !ok {
				t.Errorf("%s needs %s: %+v", m.Name, what, m)
			}
		}
	}
}

func TestRegistryEntriesDiffer(t *testing.T) {
	seen := map[any]string{}
	for _, m := range Registry() {
		type file struct{ repo, revision, path string }
		for _, key := range []any{m.Name, m.Rank, file{m.Repo, m.Revision, m.File}, m.SHA256} {
			if other, taken := seen[key]; taken && key != "" {
				t.Errorf("%s and %s share %v", m.Name, other, key)
			}
			seen[key] = m.Name
		}
	}
}

// forbidsCommerce are the licences of the registry, by SPDX identifier, each read by a person.
var forbidsCommerce = map[string]bool{"Apache-2.0": false, "CC-BY-NC-4.0": true}

func TestLicencesThatForbidCommercialUseAreFlagged(t *testing.T) {
	for _, m := range Registry() {
		forbids, known := forbidsCommerce[m.License]
		if !known {
			t.Errorf("%s: licence %q is new: read it, and say whether it forbids commercial use", m.Name, m.License)
		}
		if m.NonCommercial != forbids {
			t.Errorf("%s: licence %s, non-commercial %v", m.Name, m.License, m.NonCommercial)
		}
	}
}

func TestRecommendedModelIsTheBestThatAnyoneMayUse(t *testing.T) {
	best, ok := find(Registry(), Recommended)
	if !ok || best.NonCommercial || best.SHA256 == "" {
		t.Fatalf("%s is recommended: %+v", Recommended, best)
	}
	for _, m := range Registry() {
		if !m.NonCommercial && m.Rank > best.Rank {
			t.Errorf("%s is free, too, and better", m.Name)
		}
	}
}

func TestRanksFollowWhatWasPublished(t *testing.T) {
	for _, a := range Registry() {
		for _, b := range Registry() {
			if a.DA2K > b.DA2K && b.DA2K > 0 && a.Rank < b.Rank {
				t.Errorf("%s puts %.1f %% of pairs in order, %s %.1f %%, and ranks behind it", a.Name, a.DA2K, b.Name, b.DA2K)
			}
		}
	}
}

func TestDocumentNamesEveryModelWithItsLicence(t *testing.T) {
	page, err := os.ReadFile("../../docs/models.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.HasPrefix(line, "| `") {
			rows[name] += rest
		}
	}
	for _, m := range Registry() {
		for _, want := range []string{m.License, m.Repo, m.Revision[:7]} {
			if !strings.Contains(rows[m.Name], want) {
				t.Errorf("docs/models.md has no %s for %s", want, m.Name)
			}
		}
	}
}
