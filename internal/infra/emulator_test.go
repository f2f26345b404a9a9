package infra

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	codebuildtypes "github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// TestOnTheEmulator starts it once for everything that it knows.
func TestOnTheEmulator(t *testing.T) {
	cfg := awstest.Endpoints(t)
	t.Run("the registry's password is the token's second half", func(t *testing.T) { registryPassword(t, cfg) })
	t.Run("an image is there once it was pushed", func(t *testing.T) { imageAppears(t, cfg) })
	t.Run("a secret gets a new version", func(t *testing.T) { secretChanges(t, cfg) })
	t.Run("a build is started and waited for", func(t *testing.T) { buildEnds(t, cfg) })
}

func registryPassword(t *testing.T, cfg aws.Config) {
	password, err := RegistryPassword(t.Context(), cfg)
	if err != nil || password != "123456789012-auth-token" {
		t.Errorf("%q, %v", password, err)
	}
}

func imageAppears(t *testing.T, cfg aws.Config) {
	client := ecr.NewFromConfig(cfg)
	made, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("stereospot/web-ui")})
	if err != nil {
		t.Fatal(err)
	}
	repository := aws.ToString(made.Repository.RepositoryUri)
	has := func() bool {
		there, err := HasImage(t.Context(), cfg, repository, "abc")
		if err != nil {
			t.Fatal(err)
		}
		return there
	}
	if has() {
		t.Error("it is there before it was pushed")
	}
	manifest := `{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": [], "config": {"digest": "sha256:0", "size": 0}}`
	_, err = client.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("stereospot/web-ui"), ImageTag: aws.String("abc"), ImageManifest: &manifest})
	if err != nil {
		t.Fatal(err)
	}
	if !has() {
		t.Error("it isn't there after it was pushed")
	}
	if _, err := HasImage(t.Context(), cfg, repository+"-other", "abc"); err == nil {
		t.Error("a repository that isn't there has no image, it is said")
	}
}

func secretChanges(t *testing.T, cfg aws.Config) {
	client := secretsmanager.NewFromConfig(cfg)
	made, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("hub-token"), SecretString: aws.String("old")})
	if err != nil {
		t.Fatal(err)
	}
	version, err := PutSecret(t.Context(), cfg, aws.ToString(made.ARN), "hf_new")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "hf a", "hf\n"} {
		if _, err := PutSecret(t.Context(), cfg, aws.ToString(made.ARN), bad); err == nil {
			t.Errorf("%q was written", bad)
		}
	}
	now, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: made.ARN, VersionId: &version})
	if err != nil || aws.ToString(now.SecretString) != "hf_new" {
		t.Errorf("%v, %v", now, err)
	}
}

func buildEnds(t *testing.T, cfg aws.Config) {
	_, err := codebuild.NewFromConfig(cfg).CreateProject(t.Context(), &codebuild.CreateProjectInput{
		Name: aws.String("inference"), ServiceRole: aws.String("arn:aws:iam::123456789012:role/build"),
		Artifacts:   &codebuildtypes.ProjectArtifacts{Type: codebuildtypes.ArtifactsTypeNoArtifacts},
		Source:      &codebuildtypes.ProjectSource{Type: codebuildtypes.SourceTypeS3, Location: aws.String("bucket/key.zip")},
		Environment: &codebuildtypes.ProjectEnvironment{Type: codebuildtypes.EnvironmentTypeLinuxContainer, Image: aws.String("image"), ComputeType: codebuildtypes.ComputeTypeBuildGeneral1Small},
	})
	if err != nil {
		t.Fatal(err)
	}
	w, said := watching(t)
	var log strings.Builder
	if err := (Build{Project: "inference", Revision: "abc"}).Run(t.Context(), cfg, w, &log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "build inference:") {
		t.Error(said)
	}
	if err := (Build{Project: "other"}).Run(t.Context(), cfg, w, &log); err == nil {
		t.Error("a project that isn't there was built")
	}
}
