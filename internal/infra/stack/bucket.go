package stack

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stereospot/stereospot/internal/platform"
)

// Buckets returns the buckets' names in AWS, by role.
func (s *Stack) Buckets() (map[platform.BucketName]string, error) {
	all, err := s.project.Resources("aws_s3_bucket")
	if err != nil {
		return nil, err
	}
	buckets := map[platform.BucketName]string{}
	for _, r := range all {
		if r.Key != "" { // the others don't hold films
			buckets[platform.BucketName(r.Key)] = r.Text("bucket")
		}
	}
	return buckets, nil
}

// Notifications returns the events of new objects, in no order that means anything.
func (s *Stack) Notifications() ([]platform.Notification, error) {
	all, err := s.project.Resources("aws_s3_bucket_notification")
	if err != nil {
		return nil, err
	}
	var list []platform.Notification
	for _, r := range all {
		for _, q := range r.Blocks["queue"] {
			if events := q.Texts("events"); !slices.Equal(events, []string{"s3:ObjectCreated:*"}) {
				return nil, fmt.Errorf("%s: events %q: new objects alone may tell", r.Address, events)
			}
			list = append(list, platform.Notification{
				Bucket: platform.BucketName(keyOf(r.Text("bucket"))), Prefix: q.Text("filter_prefix"), Suffix: q.Text("filter_suffix"),
				Queue: platform.QueueName(keyOf(q.Text("queue_arn"))),
			})
		}
	}
	slices.SortFunc(list, func(a, b platform.Notification) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return list, nil
}

// Expiry is a lifecycle rule that is in force.
type Expiry struct {
	Bucket           platform.BucketName
	Prefix           string // "" for any key
	TagKey, TagValue string // "" for any tag
	Days             int    // after which an object goes; 0: it stays
	UploadDays       int    // after which an unfinished upload goes; 0: it stays
}

// Expiries returns the lifecycle rules of the film buckets.
func (s *Stack) Expiries() ([]Expiry, error) {
	all, err := s.project.Resources("aws_s3_bucket_lifecycle_configuration")
	if err != nil {
		return nil, err
	}
	var list []Expiry
	for _, r := range all {
		bucket := platform.BucketName(keyOf(r.Text("bucket")))
		for _, rule := range r.Blocks["rule"] {
			if bucket == "" || rule.Text("status") != "Enabled" {
				continue
			}
			filter := rule.One("filter")
			tag := filter.One("tag")
			list = append(list, Expiry{
				Bucket: bucket, Prefix: filter.Text("prefix"), TagKey: tag.Text("key"), TagValue: tag.Text("value"),
				Days:       int(rule.One("expiration").Number("days")),
				UploadDays: int(rule.One("abort_incomplete_multipart_upload").Number("days_after_initiation")),
			})
		}
	}
	return list, nil
}
