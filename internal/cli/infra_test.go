package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// operate runs a command with a standard input, and returns its exit code and what it printed.
func operate(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(in), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestOperatorsCommandsReachTheDeployment(t *testing.T) {
	cfg := awstest.Endpoints(t)
	t.Setenv("AWS_ENDPOINT_URL", aws.ToString(cfg.BaseEndpoint))
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "us-east-1") // the deployment's own goes before it
	secrets := secretsmanager.NewFromConfig(cfg)
	made, err := secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("hub-token")})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	deployment, private := filepath.Join(dir, "deployment.env"), filepath.Join(dir, ".env")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outputs := `{"aws_region": {"value": "` + awstest.Region + `"}, "hf_token_secret_arn": {"value": "` + aws.ToString(made.ARN) + `"}}`
	if code, _, errOut := operate(t, outputs, "infra", "env", "-o", deployment); code != exitDone {
		t.Fatal(errOut)
	}

	code, out, errOut := operate(t, "", "infra", "registry-password", "--deployment", deployment)
	if code != exitDone || out != "123456789012-auth-token\n" {
		t.Errorf("%d: %q %q", code, out, errOut)
	}

	write(private, "HF_TOKEN=hf_private\n")
	code, out, errOut = operate(t, "", "infra", "update-hf-token", "--deployment", deployment, "--env-file", private)
	if code != exitDone || strings.Contains(out+errOut, "hf_private") {
		t.Errorf("%d: %q %q", code, out, errOut)
	}
	now, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: made.ARN})
	if err != nil || aws.ToString(now.SecretString) != "hf_private" {
		t.Errorf("the secret is %v, %v", now, err)
	}
	if text, err := os.ReadFile(private); err != nil || string(text) != "HF_TOKEN=hf_private\n" {
		t.Errorf("the private file is now %q, %v", text, err)
	}

	write(private, "HF_TOKEN=hf_private oops\n")
	code, out, errOut = operate(t, "", "infra", "update-hf-token", "--deployment", deployment, "--env-file", private)
	if code != exitFailed || strings.Contains(out+errOut, "hf_private") {
		t.Errorf("%d: %q %q", code, out, errOut)
	}

	code, _, errOut = operate(t, "", "infra", "deploy", "web-ui", "abc", "--deployment", deployment)
	if code != exitFailed || !strings.Contains(errOut, "ECS_CLUSTER_NAME, ECS_SERVICE_NAME_WEB_UI, ECR_REPOSITORY_URL_WEB_UI") {
		t.Errorf("%d: %q", code, errOut)
	}
}

func TestOperatorsCommandsSayWhatIsToBeDoneFirst(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), ".env")
	code, _, errOut := operate(t, "", "infra", "registry-password", "--deployment", nowhere)
	if code != exitFailed || !strings.Contains(errOut, "npx nx run aws-infra:terraform-output writes it") {
		t.Errorf("%d: %q", code, errOut)
	}
	code, _, errOut = operate(t, "{}", "infra", "env", "-o", nowhere)
	if code != exitFailed || !strings.Contains(errOut, "run terraform-apply first") {
		t.Errorf("%d: %q", code, errOut)
	}
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("a file was written")
	}
}

func TestTheBackendIsWrittenFromItsProjectsOutputs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backend.tfbackend")
	outputs := `{"backend_config": {"value": {"bucket": "b", "region": "eu-central-1", "dynamodb_table": "lock"}}}`
	if code, _, errOut := operate(t, outputs, "infra", "backend", "-o", path); code != exitDone {
		t.Fatal(errOut)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "bucket = \"b\"\ndynamodb_table = \"lock\"\nregion = \"eu-central-1\"\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestHealthcheckFollowsTheAnswersStatus(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	for _, c := range []struct{ status, code int }{{200, exitDone}, {204, exitDone}, {404, exitFailed}, {503, exitFailed}} {
		status = c.status
		if code, _, errOut := operate(t, "", "healthcheck", server.URL); code != c.code {
			t.Errorf("status %d: exit code %d (%s)", c.status, code, errOut)
		}
	}
	server.Close()
	if code, _, _ := operate(t, "", "healthcheck", server.URL); code != exitFailed {
		t.Error("nobody answers, and all is well")
	}
}
