package main

import "testing"

func TestDepthBetweenSeenFramesFollowsTheMotion(t *testing.T) {
	o, err := newOracle("solids", depthW, depthH)
	if err != nil {
		t.Fatal(err)
	}
	c, err := o.cost(3)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("off by %.2f px of %.0f, held still %.2f", c.carried, fullDisparity, c.held)
	if c.carried == 0 || c.carried > 0.75*c.held {
		t.Errorf("off by %.2f px on average, by %.2f px if it were held still", c.carried, c.held)
	}
}
