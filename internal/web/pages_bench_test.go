package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// BenchmarkDashboardOf10000Jobs shows the first page, the 50 newest films of 10,000, a tenth of them under way.
func BenchmarkDashboardOf10000Jobs(b *testing.B) {
	s := newSite(b)
	status := func(i int) job.Status {
		if i%10 == 0 {
			return job.ChunkingComplete
		}
		return job.Completed
	}
	for i := range 10_000 {
		s.addJob(status(i), func(j *job.Job) {
			j.Title, j.CreatedAt = fmt.Sprintf("Film %05d.mkv", i), time.Unix(int64(i), 0)
		})
	}
	s.get("/", false, http.StatusOK)
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		s.get("/", false, http.StatusOK)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
}
