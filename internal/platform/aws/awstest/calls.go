package awstest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Call is what a request does, as IAM judges it.
type Call struct {
	Caller   string // access key id of whoever signed it
	Action   string // such as s3:GetObject
	Resource string // name of a bucket, a table, a table's index as table/index, a queue, or a secret
}

// Calls are the calls that an emulator has seen. Safe for concurrent use.
type Calls struct {
	mu   sync.Mutex
	seen map[Call]int
}

// Seen returns every call, with how often it was made.
func (c *Calls) Seen() map[Call]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// note writes down what a request does, and leaves its body to be read again.
func (c *Calls) note(r *http.Request) error {
	var body []byte
	if r.Header.Get("X-Amz-Target") != "" {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[Call]int{}
	}
	for _, call := range callsOf(r, body) {
		c.seen[call]++
	}
	return nil
}

// callsOf returns what a request does; transactions and batches are several calls.
func callsOf(r *http.Request, body []byte) []Call {
	caller := callerOf(r)
	var made []Call
	add := func(action, resource string) { made = append(made, Call{caller, action, resource}) }
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch service {
	case "AmazonSQS":
		add("sqs:"+strings.TrimSuffix(operation, "Batch"), queueOf(body))
	case "secretsmanager":
		add("secretsmanager:"+operation, text(body, "SecretId"))
	case "DynamoDB_20120810":
		for _, c := range tableCalls(operation, body) {
			add(c.Action, c.Resource)
		}
	case "":
		for _, action := range bucketActions(r) {
			bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			add(action, bucket)
		}
	}
	return made
}

// callerOf reads the access key id out of a signature (AWS Signature Version 4), in the header or in the address.
func callerOf(r *http.Request) string {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, rest, found := strings.Cut(r.Header.Get("Authorization"), "Credential="); found {
		credential = rest
	}
	id, _, _ := strings.Cut(credential, "/")
	return id
}

// text returns a string of a JSON object.
func text(body []byte, name string) string {
	var in map[string]json.RawMessage
	var s string
	if json.Unmarshal(body, &in) != nil || json.Unmarshal(in[name], &s) != nil {
		return ""
	}
	return s
}

func queueOf(body []byte) string {
	if name := text(body, "QueueName"); name != "" {
		return name
	}
	if arn := text(body, "SourceArn"); arn != "" {
		return arn[strings.LastIndexByte(arn, ':')+1:]
	}
	u, err := url.Parse(text(body, "QueueUrl"))
	if err != nil {
		return ""
	}
	return u.Path[strings.LastIndexByte(u.Path, '/')+1:]
}

// tableCalls returns a DynamoDB operation's parts.
func tableCalls(operation string, body []byte) []Call {
	var in struct {
		TableName, IndexName string
		RequestItems         map[string]json.RawMessage
		TransactItems        []map[string]struct{ TableName string }
	}
	if json.Unmarshal(body, &in) != nil {
		return nil
	}
	var made []Call
	for table := range in.RequestItems {
		made = append(made, Call{Action: "dynamodb:" + operation, Resource: table})
	}
	for _, item := range in.TransactItems {
		for part, of := range item {
			action := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}[part]
			made = append(made, Call{Action: "dynamodb:" + action, Resource: of.TableName})
		}
	}
	if in.TableName != "" {
		on := in.TableName
		if in.IndexName != "" {
			on += "/" + in.IndexName
		}
		made = append(made, Call{Action: "dynamodb:" + operation, Resource: on})
	}
	return made
}

// bucketActions returns the actions of an S3 request ("Required permissions for Amazon S3 API operations").
func bucketActions(r *http.Request) []string {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("delete"), r.Method == http.MethodDelete && !q.Has("uploadId"):
		return []string{"s3:DeleteObject"}
	case r.Method == http.MethodDelete:
		return []string{"s3:AbortMultipartUpload"}
	case r.Method == http.MethodPut || r.Method == http.MethodPost:
		if r.Header.Get("X-Amz-Tagging") != "" {
			return []string{"s3:PutObject", "s3:PutObjectTagging"}
		}
		return []string{"s3:PutObject"}
	case q.Has("uploadId"):
		return []string{"s3:ListMultipartUploadParts"}
	case key == "":
		return []string{"s3:ListBucket"}
	}
	return []string{"s3:GetObject"}
}

// Callers returns who has called, sorted.
func (c *Calls) Callers() []string {
	callers := map[string]bool{}
	for call := range c.Seen() {
		callers[call.Caller] = true
	}
	return slices.Sorted(maps.Keys(callers))
}
