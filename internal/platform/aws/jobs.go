package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// The global secondary indexes of the jobs table.
const (
	byCreation   = "status-created_at"
	byCompletion = "status-completed_at"
)

// jobs stores a job as one item: the row as JSON, beside it what is queried or counted. completed_segments and
// updated_at are counted up without reading the row and win over what it says.
//
// Actions it uses: dynamodb:GetItem, PutItem, UpdateItem, DeleteItem, TransactWriteItems, Query (also on the indexes).
type jobs struct{ *tables }

var _ platform.Jobs = jobs{}

func jobKey(id string) item { return item{"job_id": text(id)} }

func encodeJob(j job.Job) (item, error) {
	row, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	i := item{
		"job_id": text(j.ID), "status": text(string(j.Status)), "created_at": number(j.CreatedAt.UnixMilli()),
		"version": number(j.Version), "completed_segments": number(int64(j.CompletedSegments)),
		"updated_at": number(j.UpdatedAt.UnixMilli()), "row": text(string(row)),
		"title_lower": text(strings.ToLower(j.Title)), "owner": text(j.Owner),
	}
	if !j.CompletedAt.IsZero() {
		i["completed_at"] = number(j.CompletedAt.UnixMilli())
	}
	return i, nil
}

func decodeJob(i item) (job.Job, error) {
	var j job.Job
	if err := json.Unmarshal([]byte(textOf(i, "row")), &j); err != nil {
		return j, fmt.Errorf("job %s: %w", textOf(i, "job_id"), err)
	}
	j.Version, j.CompletedSegments = numberOf(i, "version"), int(numberOf(i, "completed_segments"))
	if at := numberOf(i, "updated_at"); at > j.UpdatedAt.UnixMilli() {
		j.UpdatedAt = time.UnixMilli(at).UTC()
	}
	return j, nil
}

// Create implements platform.Jobs.
func (r jobs) Create(ctx context.Context, j job.Job) error {
	j.Version = 1
	i, err := encodeJob(j)
	if err != nil {
		return err
	}
	err = r.put(ctx, r.jobs, i, expression{text: "attribute_not_exists(job_id)"})
	if refusedCondition(err) {
		return fmt.Errorf("job %s: %w", j.ID, platform.ErrExists)
	}
	return err
}

// Get implements platform.Jobs.
func (r jobs) Get(ctx context.Context, id string) (job.Job, error) {
	i, err := r.get(ctx, r.jobs, jobKey(id))
	if err != nil {
		return job.Job{}, err
	}
	if i == nil {
		return job.Job{}, fmt.Errorf("job %s: %w", id, platform.ErrNotFound)
	}
	return decodeJob(i)
}

// Update implements platform.Jobs: it reads, changes, and writes on condition that the version is still the one read.
func (r jobs) Update(ctx context.Context, id string, change func(*job.Job) error) (job.Job, error) {
	for attempt := 1; ; attempt++ {
		before, err := r.Get(ctx, id)
		if err != nil {
			return job.Job{}, err
		}
		after := before
		after.Warnings, after.Expired = slices.Clone(before.Warnings), slices.Clone(before.Expired)
		if err := change(&after); err != nil {
			return before, err
		}
		after.Version = before.Version + 1
		err = r.replace(ctx, before, after)
		if err == nil || !refusedCondition(err) && !contended(err) && !transactionRefused(err) {
			return after, err
		}
		if err := backOff(ctx, attempt); err != nil {
			return before, err
		}
	}
}

// replace writes after if the row is still before; with the notice of the job's end where somebody is to be told.
func (r jobs) replace(ctx context.Context, before, after job.Job) error {
	i, err := encodeJob(after)
	if err != nil {
		return err
	}
	unchanged := expression{text: "version = :before", values: item{":before": number(before.Version)}}
	if after.Webhook == "" || after.Status == before.Status || !after.Status.Terminal() {
		return r.put(ctx, r.jobs, i, unchanged)
	}
	notice, err := encodeNotice(after, r.now())
	if err != nil {
		return err
	}
	_, err = r.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: &r.jobs, Item: i, ConditionExpression: &unchanged.text, ExpressionAttributeValues: unchanged.values}},
		{Put: &types.Put{TableName: &r.triggered, Item: notice}},
	}})
	return err
}

// conditionFailed is the reason of an item whose condition did not hold.
const conditionFailed = "ConditionalCheckFailed"

// transactionRefused reports whether a transaction failed because a condition did not hold.
func transactionRefused(err error) bool { return slices.Contains(reasons(err), conditionFailed) }

// reasons returns why each item of a transaction was refused, "None" for those that weren't; nil for any other error.
func reasons(err error) []string {
	cancelled := new(types.TransactionCanceledException)
	if !errors.As(err, &cancelled) {
		return nil
	}
	list := make([]string, len(cancelled.CancellationReasons))
	for i, r := range cancelled.CancellationReasons {
		list[i] = aws.ToString(r.Code)
	}
	return list
}

// Delete implements platform.Jobs.
func (r jobs) Delete(ctx context.Context, id string) error {
	_, err := r.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &r.jobs, Key: jobKey(id)})
	return err
}

// place is where a job stands in the order of lists: by creation in milliseconds, then by id, both falling.
type place struct {
	created int64
	id      string
}

func placeOf(j job.Job) place { return place{j.CreatedAt.UnixMilli(), j.ID} }

// after reports whether p comes later in a list than q.
func (p place) after(q place) bool {
	return p.created < q.created || p.created == q.created && p.id < q.id
}

func (p place) token() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", p.created, p.id))
}

func parsePlace(token string) (p place, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return p, platform.ErrBadToken
	}
	if n, err := fmt.Sscanf(string(raw), "%d %s", &p.created, &p.id); n != 2 || err != nil || !job.ValidID(p.id) || p.token() != token {
		return p, platform.ErrBadToken
	}
	return p, nil
}

// List implements platform.Jobs by merging the indexes of the statuses asked for. An index is eventually consistent: a
// job that has just changed may be missing, or listed as it was.
func (r jobs) List(ctx context.Context, q platform.JobQuery) ([]job.Job, string, error) {
	limit := min(q.Limit, 1000)
	if limit <= 0 {
		limit = 50
	}
	var from *place
	if q.Token != "" {
		p, err := parsePlace(q.Token)
		if err != nil {
			return nil, "", err
		}
		from = &p
	}
	statuses := q.Statuses
	if len(statuses) == 0 {
		statuses = job.Statuses()
	}
	found := make([][]job.Job, len(statuses))
	g, searching := errgroup.WithContext(ctx)
	for n, s := range statuses {
		g.Go(func() (err error) {
			found[n], err = r.newest(searching, s, q, from, limit+1)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, "", err
	}
	list := slices.Concat(found...)
	slices.SortFunc(list, func(a, b job.Job) int {
		if placeOf(b).after(placeOf(a)) {
			return -1
		}
		return 1
	})
	// A job on its way from one status to another may be in both indexes.
	list = slices.CompactFunc(list, func(a, b job.Job) bool { return a.ID == b.ID })
	if len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], placeOf(list[limit-1]).token(), nil
}

// inStatus queries the jobs in a status, newest first.
func inStatus(table string, s job.Status) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &table, IndexName: aws.String(byCreation), ScanIndexForward: aws.Bool(false),
		KeyConditionExpression:    aws.String("#status = :status"),
		ExpressionAttributeNames:  map[string]string{"#status": "status"},
		ExpressionAttributeValues: item{":status": text(string(s))},
	}
}

var errEnough = errors.New("enough")

// newest returns up to limit jobs in a status, newest first, that come after from and fit the query.
func (r jobs) newest(ctx context.Context, s job.Status, q platform.JobQuery, from *place, limit int) ([]job.Job, error) {
	in := inStatus(r.jobs, s)
	if from != nil {
		in.KeyConditionExpression = aws.String("#status = :status AND created_at <= :created")
		in.ExpressionAttributeValues[":created"] = number(from.created)
	}
	filter(in, q)
	if in.FilterExpression == nil {
		in.Limit = aws.Int32(int32(limit))
	}
	var list []job.Job
	err := r.each(ctx, in, func(i item) error {
		j, err := decodeJob(i)
		if err != nil {
			return err
		}
		if from == nil || placeOf(j).after(*from) {
			list = append(list, j)
		}
		if len(list) >= limit && placeOf(list[limit-1]).created > numberOf(i, "created_at") {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

// filter restricts a query to an owner and a part of the title.
func filter(in *dynamodb.QueryInput, q platform.JobQuery) {
	var parts []string
	if q.Owner != "" {
		parts = append(parts, "#owner = :owner")
		in.ExpressionAttributeNames["#owner"] = "owner"
		in.ExpressionAttributeValues[":owner"] = text(q.Owner)
	}
	if q.Search != "" {
		parts = append(parts, "contains(title_lower, :search)")
		in.ExpressionAttributeValues[":search"] = text(strings.ToLower(q.Search))
	}
	if len(parts) > 0 {
		in.FilterExpression = aws.String(strings.Join(parts, " AND "))
	}
}

// Count implements platform.Jobs by counting each status's index entries, which reads all of them.
func (r jobs) Count(ctx context.Context, owner string) (map[job.Status]int, error) {
	counts := map[job.Status]int{}
	for _, s := range job.Statuses() {
		in := inStatus(r.jobs, s)
		in.Select = types.SelectCount
		filter(in, platform.JobQuery{Owner: owner})
		pages := dynamodb.NewQueryPaginator(r.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			counts[s] += int(page.Count)
		}
	}
	return counts, nil
}
