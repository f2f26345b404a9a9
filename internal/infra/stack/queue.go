package stack

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/infra/terraform"
	"github.com/stereospot/stereospot/internal/platform"
)

// Queue is a queue with its dead-letter queue.
type Queue struct {
	Role        platform.QueueName
	Name        string // in AWS
	Visibility  time.Duration
	Retention   time.Duration
	MaxReceives int
	Encrypted   bool
	DeadLetters DeadLetters
	address     string
}

// DeadLetters is where a queue's messages end that were received too often.
type DeadLetters struct {
	Name      string
	Retention time.Duration
	Encrypted bool
	address   string
}

// Queues returns the queues, by role.
func (s *Stack) Queues() (map[platform.QueueName]Queue, error) {
	all, err := s.project.Resources("aws_sqs_queue")
	if err != nil {
		return nil, err
	}
	byARN := map[string]terraform.Resource{}
	for _, r := range all {
		byARN[r.Address+".arn"] = r
	}
	queues := map[platform.QueueName]Queue{}
	for _, r := range all {
		policy := r.Text("redrive_policy")
		if policy == "" {
			continue // a dead-letter queue, or one that loses what fails: whoever asks for its role finds none
		}
		q, err := queue(r, policy, byARN)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Address, err)
		}
		queues[q.Role] = q
	}
	return queues, nil
}

func queue(r terraform.Resource, policy string, byARN map[string]terraform.Resource) (Queue, error) {
	var redrive struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
		MaxReceiveCount     int    `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(policy), &redrive); err != nil {
		return Queue{}, err
	}
	dead, ok := byARN[redrive.DeadLetterTargetArn]
	if !ok {
		return Queue{}, fmt.Errorf("dead letters go to %q, which is no queue of the project", redrive.DeadLetterTargetArn)
	}
	return Queue{
		Role: platform.QueueName(r.Key), Name: r.Text("name"), address: r.Address,
		Visibility: seconds(r.Block, "visibility_timeout_seconds"), Retention: seconds(r.Block, "message_retention_seconds"),
		MaxReceives: redrive.MaxReceiveCount, Encrypted: r.Truth("sqs_managed_sse_enabled"),
		DeadLetters: DeadLetters{
			Name: dead.Text("name"), Retention: seconds(dead.Block, "message_retention_seconds"),
			Encrypted: dead.Truth("sqs_managed_sse_enabled"), address: dead.Address,
		},
	}, nil
}

func seconds(b terraform.Block, argument string) time.Duration {
	return time.Duration(b.Number(argument) * float64(time.Second))
}

// keyOf returns the for_each key of a reference such as `aws_s3_bucket.media["input"].id`.
func keyOf(reference string) string {
	_, rest, _ := strings.Cut(reference, `["`)
	key, _, _ := strings.Cut(rest, `"]`)
	return key
}
