package main

import "testing"

// Small pictures keep the test quick; docs/quality.md has the figures at full size.
const depthW, depthH = 384, 216

func TestClassicAgreesWithTheTruthOnTranslationScenes(t *testing.T) {
	var estimated, prior float64
	for _, name := range translations {
		a, err := measureAgreement(name, depthW, depthH)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f, prior %.2f", name, a.estimated, a.prior)
		estimated += a.estimated / float64(len(translations))
		prior += a.prior / float64(len(translations))
	}
	if estimated < 0.6 || estimated <= prior {
		t.Errorf("mean rank correlation %.2f, want 0.6 and better than the prior's %.2f", estimated, prior)
	}
}

func TestClassicIsStillWhereNothingMoves(t *testing.T) {
	jitter, err := measureJitter(depthW, depthH)
	if err != nil || jitter > 0.25 {
		t.Errorf("jitter %.3f px, want at most 0.25 (%v)", jitter, err)
	}
}

func TestClassicSettlesAtOnceAfterACut(t *testing.T) {
	if n, err := measureSettling(depthW, depthH); err != nil || n != 0 {
		t.Errorf("%d frames to settle, want 0 (%v)", n, err)
	}
}

func TestSpearmanOfKnownLists(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{1, 2, 3, 4}, []float32{10, 20, 30, 1000}, 1},
		{[]float32{1, 2, 3, 4}, []float32{4, 3, 2, 1}, -1},
		{[]float32{1, 2, 2, 3}, []float32{1, 3, 2, 4}, 0.9486832980505138},
		{[]float32{1, 1}, []float32{1, 2}, 0},
	} {
		if got := spearman(c.a, c.b); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("spearman(%v, %v) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
