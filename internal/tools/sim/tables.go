package sim

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// limits are what AWS allows a second: of DynamoDB's partitions, and of one prefix in S3.
var limits = map[string]int{
	OneJob: 1000, AllJobs: 1000, OneJobsRows: 1000, OneLease: 1000, BucketWrites: 3500, BucketReads: 5500,
}

// Prices in dollars, of us-east-1, as docs/scale.md says.
const (
	queueRequest = 0.40 / 1e6
	objectWrite  = 5.00 / 1e6 // PUT and LIST
	objectRead   = 0.40 / 1e6 // GET and HEAD
	readUnit     = 0.125 / 1e6
	writeUnit    = 0.625 / 1e6
)

// price returns what all requests of a kind cost, in dollars.
func (r Report) price(q Request) float64 {
	n := float64(r.Requests[q])
	switch {
	case q.Service == "SQS":
		return n * queueRequest
	case q.Name == "PutObject" || q.Name == "ListObjectsV2":
		return n * objectWrite
	case q.Service == "DynamoDB" && (q.Name == "GetItem" || q.Name == "Query"):
		return float64(r.Units[q]) * readUnit
	case q.Service == "DynamoDB":
		return float64(r.Units[q]) * writeUnit
	case q.Name == "DeleteObjects":
		return 0
	}
	return n * objectRead
}

// Print writes the tables of docs/scale.md.
func Print(w io.Writer, reports []Report) error {
	for _, table := range []func(io.Writer, []Report) error{printFleets, printRequests, printLoads} {
		if err := table(w, reports); err != nil {
			return err
		}
	}
	return nil
}

func printFleets(w io.Writer, reports []Report) error {
	fmt.Fprintf(w, "| video-workers | media-workers | films | segments | makespan | ideal | efficiency | requests per segment | idle polls per segment |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range reports {
		_, err := fmt.Fprintf(w, "| %d | %d | %d | %d | %v | %v | %.1f %% | %.2f | %.2f |\n", r.VideoWorkers, r.MediaWorkers, r.Films, r.Films*r.Segments,
			r.Makespan.Round(time.Minute), r.Ideal.Round(time.Minute), 100*r.Efficiency(), r.Total(), float64(r.Idle)/float64(r.Films*r.Segments))
		if err != nil {
			return err
		}
	}
	return nil
}

// printRequests writes what the largest fleet asked for, and what the others did.
func printRequests(w io.Writer, reports []Report) error {
	last := reports[len(reports)-1]
	fmt.Fprintf(w, "\n| service | request |")
	for _, r := range reports {
		fmt.Fprintf(w, " %d segments |", r.Films*r.Segments)
	}
	fmt.Fprintf(w, " dollars per million segments |\n|---|---|%s--:|\n", repeat("--:|", len(reports)))
	kinds := slices.SortedFunc(maps.Keys(last.Requests), func(a, b Request) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	var sum float64
	for _, q := range kinds {
		fmt.Fprintf(w, "| %s | %s |", q.Service, q.Name)
		for _, r := range reports {
			fmt.Fprintf(w, " %.3f |", r.PerSegment(q))
		}
		dollars := 1e6 * last.price(q) / float64(last.Films*last.Segments)
		sum += dollars
		fmt.Fprintf(w, " %.2f |\n", dollars)
	}
	_, err := fmt.Fprintf(w, "| all | |%s **%.2f** |\n", repeat(" |", len(reports)), sum)
	return err
}

func repeat(s string, n int) (all string) {
	for range n {
		all += s
	}
	return all
}

func printLoads(w io.Writer, reports []Report) error {
	fmt.Fprintf(w, "\n| in the busiest second |")
	for _, r := range reports {
		fmt.Fprintf(w, " %d workers |", r.VideoWorkers)
	}
	fmt.Fprintf(w, " limit |\n|---|%s--:|\n", repeat("--:|", len(reports)))
	for _, kind := range slices.Sorted(maps.Keys(limits)) {
		fmt.Fprintf(w, "| %s |", kind)
		for _, r := range reports {
			fmt.Fprintf(w, " %d |", r.Hot[kind].PerSecond)
		}
		if _, err := fmt.Fprintf(w, " %d |\n", limits[kind]); err != nil {
			return err
		}
	}
	return nil
}
