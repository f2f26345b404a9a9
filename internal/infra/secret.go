package infra

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// PutSecret makes value the newest version of a secret that exists, and returns the version's id. A value that is empty
// or has blanks in it is refused: a token has none, and a mistaken line of a file does.
func PutSecret(ctx context.Context, cfg aws.Config, arn, value string) (string, error) {
	if value == "" || strings.ContainsFunc(value, unicode.IsSpace) {
		return "", errors.New("the value is empty or has blanks in it")
	}
	out, err := secretsmanager.NewFromConfig(cfg).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &arn, SecretString: &value,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}
