package sim

import (
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform/memory"
)

// Request is a kind of request to AWS.
type Request struct{ Service, Name string }

// Inference is the service under which inference's own requests are counted, which aren't the control plane's.
const Inference = "inference"

// requests are some of one kind, made one after another.
type requests struct {
	Request
	n     int
	loads []load
	units int // of DynamoDB that are paid for, all together
}

// load is what requests ask of a resource with a limit of its own, in units a second.
type load struct {
	kind  string
	of    string // which one of the kind
	units int
}

// The kinds of load. A write unit is 1 KB written to DynamoDB; a job's item has two, and a transaction costs twice.
const (
	OneJob       = "write units of one job's item"
	AllJobs      = "write units of all jobs' items, which is one key of an index while all have one status"
	OneJobsRows  = "write units of one job's completions and progress"
	OneLease     = "write units of one lease"
	BucketWrites = "PUT and DELETE of one bucket"
	BucketReads  = "GET, HEAD and LIST of one bucket"
)

// jobUnits is how many write units a job's item takes: its row and what is beside it are between 1 and 2 KB. The index that
// lists jobs by status holds a copy, which is written and paid for as well.
const jobUnits = 2

// listUnits is how many read units a page of 200 jobs takes, eventually consistent.
const listUnits = 50

// latency is how long the requests take, of which none waits for another's answer.
func (r requests) latency() time.Duration {
	each := map[string]time.Duration{"S3": 30 * time.Millisecond, "SQS": 15 * time.Millisecond, "DynamoDB": 8 * time.Millisecond}[r.Service]
	return time.Duration(r.n) * each
}

// batches is how many requests n things take.
func batches(n, size int) int { return (n + size - 1) / size }

// requestsOf returns what the AWS adapters make of a call.
func requestsOf(c memory.Call) []requests {
	group, _, _ := strings.Cut(c.Method, ".")
	switch group {
	case "Objects":
		return objectRequests(c)
	case "Queue":
		return queueRequests(c)
	}
	return rowRequests(c)
}

func objectRequests(c memory.Call) []requests {
	bucket, key, _ := strings.Cut(c.On, "/")
	reads, writes := []load{{BucketReads, bucket, 1}}, []load{{BucketWrites, bucket, 1}}
	switch c.Method {
	case "Objects.Head":
		return []requests{{Request{"S3", "HeadObject"}, 1, reads, 0}}
	case "Objects.Get":
		return []requests{{Request{"S3", "GetObject"}, 1, reads, 0}}
	case "Objects.List":
		return []requests{{Request{"S3", "ListObjectsV2"}, 1, reads, 0}}
	case "Objects.Delete":
		return []requests{{Request{"S3", "DeleteObjects"}, batches(c.N, 1000), writes, 0}}
	}
	if bucket == "output" && strings.Contains(key, "/segments/") { // which only inference writes
		return []requests{{Request{Inference, "PutObject"}, 1, writes, 0}}
	}
	return []requests{{Request{"S3", "PutObject"}, 1, writes, 0}}
}

func queueRequests(c memory.Call) []requests {
	name := map[string]string{
		"Queue.Send": "SendMessageBatch", "Queue.Receive": "ReceiveMessage", "Queue.Extend": "ChangeMessageVisibility", "Queue.Depth": "GetQueueAttributes",
	}[c.Method]
	if name == "" {
		return nil // Delete, which is counted where it is gathered
	}
	return []requests{{Request{"SQS", name}, batches(max(c.N, 1), 10), nil, 0}}
}

// Requests that several calls consist of.
var (
	getItem = Request{"DynamoDB", "GetItem"}
	putItem = Request{"DynamoDB", "PutItem"}
	query   = Request{"DynamoDB", "Query"}
)

func rowRequests(c memory.Call) []requests {
	jobWrite := []load{{OneJob, c.On, jobUnits}, {AllJobs, "", jobUnits}}
	rows := func(n int) []load { return []load{{OneJobsRows, c.On, n}} }
	clear := requests{Request{"DynamoDB", "BatchWriteItem"}, batches(c.N, 25), rows(c.N), c.N}
	lease := []load{{OneLease, c.On, 1}}
	switch c.Method {
	case "Jobs.Create":
		return []requests{{putItem, 1, jobWrite, 2 * jobUnits}}
	case "Jobs.Get":
		return []requests{{getItem, 1, nil, 1}}
	case "Jobs.Update":
		return []requests{{getItem, 1, nil, 1}, {putItem, 1, jobWrite, 2 * jobUnits}}
	case "Jobs.Delete":
		return []requests{{Request{"DynamoDB", "DeleteItem"}, 1, jobWrite, 2 * jobUnits}}
	case "Jobs.List":
		return []requests{{query, max(c.N, 1), nil, max(c.N, 1) * listUnits}}
	case "Completions.All", "Progress.Of":
		return []requests{{query, 1, nil, 1}}
	case "Completions.Forget":
		return []requests{{query, 1, nil, 1}, clear, {getItem, 1, nil, 1}, {putItem, 1, jobWrite, 2 * jobUnits}}
	case "Progress.Begin", "Progress.Report":
		return []requests{{putItem, 1, rows(1), 1}}
	case "Progress.Clear":
		return []requests{{query, 1, nil, 1}, clear}
	case "Progress.ClearSome":
		return []requests{clear}
	case "Leases.Acquire":
		return []requests{{putItem, 1, lease, 1}}
	case "Leases.Renew":
		return []requests{{Request{"DynamoDB", "UpdateItem"}, 1, lease, 1}}
	case "Leases.Release":
		return []requests{{Request{"DynamoDB", "DeleteItem"}, 1, lease, 1}}
	}
	return nil // Record, which is counted where it is gathered, and what a fleet doesn't call
}

// recordRequests are those of n completions of a job in one transaction.
func recordRequests(jobID string, n int) []requests {
	return []requests{
		{Request{"DynamoDB", "TransactWriteItems"}, 1, []load{
			{OneJob, jobID, 2 * jobUnits}, {AllJobs, "", jobUnits}, {OneJobsRows, jobID, 2 * n},
		}, 3*jobUnits + 2*n},
		{getItem, 1, nil, 1},
	}
}
