//go:build race

package local

// raceDetector slows SQLite tenfold, so the suite gets smaller amounts.
const raceDetector = true
