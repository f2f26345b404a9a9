package infra

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// RegistryUser is the name that goes with RegistryPassword.
const RegistryUser = "AWS"

// RegistryPassword asks ECR for the password that `docker login` takes, valid for twelve hours. It is a secret.
func RegistryPassword(ctx context.Context, cfg aws.Config) (string, error) {
	out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return "", err
	}
	if len(out.AuthorizationData) == 0 {
		return "", errors.New("ECR gave no token")
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return "", errors.New("ECR's token is not in base 64")
	}
	user, password, found := strings.Cut(string(token), ":")
	if !found || user != RegistryUser || password == "" {
		return "", errors.New("ECR's token is not of the form user:password")
	}
	return password, nil
}

// HasImage reports whether an image with this tag lies in the repository, whose address is HOST/NAME.
func HasImage(ctx context.Context, cfg aws.Config, repository, tag string) (bool, error) {
	_, name, found := strings.Cut(repository, "/")
	if !found {
		return false, fmt.Errorf("%q is no address of a repository", repository)
	}
	_, err := ecr.NewFromConfig(cfg).DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: &name, ImageIds: []types.ImageIdentifier{{ImageTag: &tag}},
	})
	if absent := (*types.ImageNotFoundException)(nil); errors.As(err, &absent) {
		return false, nil
	}
	return err == nil, err
}
