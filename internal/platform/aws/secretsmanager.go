package aws

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/stereospot/stereospot/internal/platform"
)

// The stages of a secret's versions that Secrets Manager names itself.
const (
	currentVersion  = "AWSCURRENT"
	previousVersion = "AWSPREVIOUS"
)

// ReadSecret returns the current text of a secret, without spaces around it.
func ReadSecret(ctx context.Context, cfg aws.Config, arn string) (string, error) {
	v, err := readVersion(ctx, secretsmanager.NewFromConfig(cfg), arn, currentVersion)
	return v.text, err
}

// secretVersion is one version of a secret; its zero value is none.
type secretVersion struct {
	text string
	made time.Time
}

// key makes 32 bytes of a version of any length.
func (v secretVersion) key() []byte {
	sum := sha256.Sum256([]byte(v.text))
	return sum[:]
}

// readVersion reads a secret's version; platform.ErrNotFound where there is none of the stage.
func readVersion(ctx context.Context, client *secretsmanager.Client, arn, stage string) (secretVersion, error) {
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionStage: &stage})
	if errors.As(err, new(*types.ResourceNotFoundException)) {
		return secretVersion{}, fmt.Errorf("secret %s (%s): %w", arn, stage, platform.ErrNotFound)
	}
	if err != nil {
		return secretVersion{}, fmt.Errorf("secret %s: %s", arn, why(err))
	}
	v := secretVersion{text: strings.TrimSpace(aws.ToString(out.SecretString)), made: aws.ToTime(out.CreatedDate)}
	if v.text == "" {
		v.text = string(out.SecretBinary)
	}
	if v.text == "" {
		return v, fmt.Errorf("secret %s is empty", arn)
	}
	return v, nil
}

// sessionKey is the name by which the web server asks for what it seals sessions with.
const sessionKey = "session"

// refreshSecret is how long a process works with the versions that it read, so that a rotation reaches every one within
// it.
const refreshSecret = 5 * time.Minute

// managedSecrets takes the session key from Secrets Manager, so that operators can rotate it, and other secrets from
// the table.
//
// Actions it uses: secretsmanager:GetSecretValue.
type managedSecrets struct {
	platform.Secrets
	client *secretsmanager.Client
	arn    string
	now    func() time.Time

	mu                sync.Mutex
	read              time.Time
	current, previous secretVersion
}

var _ platform.Secrets = (*managedSecrets)(nil)

// Secret implements platform.Secrets.
func (m *managedSecrets) Secret(ctx context.Context, name string) ([]byte, error) {
	if name != sessionKey {
		return m.Secrets.Secret(ctx, name)
	}
	keys, err := m.Keys(ctx, name)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// Keys returns the key to seal with, and after it the others that may have sealed what is still good: the secret's
// current version and the one before. A new version is sealed with once every process has had the time to see it.
func (m *managedSecrets) Keys(ctx context.Context, name string) ([][]byte, error) {
	if name != sessionKey {
		key, err := m.Secrets.Secret(ctx, name)
		return [][]byte{key}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current.text == "" || m.now().Sub(m.read) >= refreshSecret {
		if err := m.refresh(ctx); err != nil && m.current.text == "" {
			return nil, err
		}
	}
	switch {
	case m.previous.text == "":
		return [][]byte{m.current.key()}, nil
	case m.now().Sub(m.current.made) < 2*refreshSecret:
		return [][]byte{m.previous.key(), m.current.key()}, nil
	}
	return [][]byte{m.current.key(), m.previous.key()}, nil
}

// refresh reads the secret. What was read before stays in use while Secrets Manager can't be asked.
func (m *managedSecrets) refresh(ctx context.Context) error {
	m.read = m.now() // also after a failure: not every request is to ask again
	current, err := readVersion(ctx, m.client, m.arn, currentVersion)
	if err != nil {
		return err
	}
	previous, err := readVersion(ctx, m.client, m.arn, previousVersion)
	if err != nil && !errors.Is(err, platform.ErrNotFound) {
		return err
	}
	m.current, m.previous = current, previous
	return nil
}
