package aws_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// rotating is what the web server asks of secrets that are rotated.
type rotating interface {
	Keys(ctx context.Context, name string) ([][]byte, error)
}

func TestSecretsManager(t *testing.T) {
	cfg := awstest.Endpoints(t)
	client := secretsmanager.NewFromConfig(cfg)
	made, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(fmt.Sprint("session-key-", time.Now().UnixNano())), SecretString: aws.String("first\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := platformaws.ReadSecret(t.Context(), cfg, *made.ARN); text != "first" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := platformaws.ReadSecret(t.Context(), cfg, *made.ARN+"x"); text != "" || err == nil || !strings.Contains(err.Error(), *made.ARN+"x") {
		t.Errorf("a secret that isn't there: %q, %v", text, err)
	}
	rotate := func(text string) {
		t.Helper()
		if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: made.ARN, SecretString: &text}); err != nil {
			t.Fatal(err)
		}
	}
	r := deploy(t, cfg, fmt.Sprint("secrets-", time.Now().UnixMilli()))
	r.SessionKeySecret = *made.ARN
	now := time.Now()
	r.Now = func() time.Time { return now }
	one, two := platformaws.Connect(cfg, r).Secrets, platformaws.Connect(cfg, r).Secrets
	keys := func(from any, name string) [][]byte {
		t.Helper()
		k, err := from.(rotating).Keys(t.Context(), name)
		if err != nil || len(k) == 0 || len(k[0]) != 32 {
			t.Fatalf("%x, %v", k, err)
		}
		return k
	}
	first := keys(one, "session")[0]
	if !bytes.Equal(first, keys(two, "session")[0]) {
		t.Error("two tasks have different keys")
	}
	rotate("second")
	if k := keys(one, "session"); len(k) != 1 || !bytes.Equal(k[0], first) {
		t.Errorf("Secrets Manager is asked at every request: %x", k)
	}
	now = now.Add(5 * time.Minute)
	k := keys(one, "session")
	if len(k) != 2 || !bytes.Equal(k[0], first) {
		t.Errorf("another task can't know the new key yet, and it is sealed with: %x", k)
	}
	second := k[1]
	now = now.Add(6 * time.Minute)
	if k := keys(one, "session"); len(k) != 2 || !bytes.Equal(k[0], second) || !bytes.Equal(k[1], first) {
		t.Errorf("after a while: %x", k)
	}
	if s, err := one.Secret(t.Context(), "session"); err != nil || !bytes.Equal(s, second) {
		t.Errorf("%x, %v", s, err)
	}
	if k := keys(one, "webhook"); len(k) != 1 || bytes.Equal(k[0], second) || !bytes.Equal(k[0], keys(two, "webhook")[0]) {
		t.Errorf("another secret: %x", k)
	}
	if _, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: made.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if k := keys(one, "session"); !bytes.Equal(k[0], second) {
		t.Errorf("while Secrets Manager can't be asked: %x", k)
	}
	if _, err := platformaws.Connect(cfg, r).Secrets.Secret(t.Context(), "session"); err == nil {
		t.Error("a process starts without its key")
	}
}
