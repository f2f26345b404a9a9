//go:build race

package pipeline_test

// raceDetector slows the report's picture tenfold, so that fewer calls are tried.
const raceDetector = true
