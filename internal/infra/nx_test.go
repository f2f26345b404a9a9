package infra

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	codebuildtypes "github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// TestNxTargets runs Nx itself on a copy of the workspace. AWS is the emulator and, for what that lacks, the fakes of the
// other tests; terraform and docker are programs that write down how they were called.
func TestNxTargets(t *testing.T) {
	if os.Getenv("STEREOSPOT_TEST_NX") == "" {
		t.Skip("make nx-test runs it: it needs Nx from npm")
	}
	n := newNxWorkspace(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"the graph shows who depends on whom", n.graph},
		{"a change affects what stands on it", n.affected},
		{"planning makes the backend first", n.plan},
		{"validating needs no backend", n.validate},
		{"outputs become the deployment's file", n.output},
		{"destroying passes the consent on", n.destroy},
		{"docker is signed in", n.login},
		{"the hub's token reaches its secret", n.token},
		{"a film is taken through the deployment", n.smoke},
		{"a service is built, pushed and rolled out", n.deploy},
		{"inference is built by CodeBuild", n.inferenceBuild},
		{"inference is redeployed", n.inferenceRedeploy},
	} {
		if !t.Run(step.name, step.run) {
			return // the later ones stand on it
		}
	}
}

// nxWorkspace is the copy, with the AWS behind it.
type nxWorkspace struct {
	dir, commit string
	env         []string
	secrets     *secretsmanager.Client
	secret      string // ARN of the hub's token
	ecs         *fakeECS
	sagemaker   *fakeSageMaker
}

func newNxWorkspace(t *testing.T) *nxWorkspace {
	cfg := awstest.Endpoints(t)
	n := &nxWorkspace{dir: t.TempDir(), secrets: secretsmanager.NewFromConfig(cfg), ecs: newFakeECS(), sagemaker: newFakeSageMaker()}
	_, ecsAt := newWire(t, n.ecs.operations())
	_, sagemakerAt := newWire(t, n.sagemaker.operations())
	n.copy(t)
	outputs := n.provision(t, cfg)
	n.program(t, "terraform", `case "$PWD $*" in
*"-chdir=../aws-infra-setup output -json") echo '{"backend_config": {"value": {"bucket": "state", "region": "eu-central-1"}}}' ;;
*"aws-infra output -json") cat <<'END'
`+outputs+`
END
esac`)
	n.program(t, "docker", `case "$1" in login) cat >"$CALLS.password" ;; buildx) echo `+digest+` ;; esac`)
	n.env = append(os.Environ(),
		"PATH="+filepath.Join(n.dir, "work/path")+":"+os.Getenv("PATH"), "CALLS="+n.callsFile(), "STEREOSPOT_WATCH_EVERY=10ms",
		"AWS_ENDPOINT_URL="+aws.ToString(cfg.BaseEndpoint), "AWS_ENDPOINT_URL_ECS="+aws.ToString(ecsAt.BaseEndpoint),
		"AWS_ENDPOINT_URL_SAGEMAKER="+aws.ToString(sagemakerAt.BaseEndpoint), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"NX_DAEMON=false", "NX_TUI=false", "NX_ISOLATE_PLUGINS=false", "CI=true",
	)
	n.pin(t)
	return n
}

// copy copies what git tracks or would track, and lends the copy this workspace's Nx.
func (n *nxWorkspace) copy(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	script := `cd "$1" && git ls-files -co --exclude-standard -z | tar --null --ignore-failed-read -cf - -T - | tar -xf - -C "$2" &&
cd "$2" && ln -s "$1/node_modules" . && mkdir -p work/path`
	if out, err := exec.Command("sh", "-c", script, "sh", root, n.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// pin gives the bases digests, and makes a first commit of the copy.
func (n *nxWorkspace) pin(t *testing.T) {
	script := `scripts/docker-pin.sh && git init -q -b main && git add -A && git -c user.name=t -c user.email=t@t commit -qm first && git rev-parse HEAD`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir, cmd.Env = n.dir, n.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	n.commit = strings.TrimSpace(string(out))
}

// provision makes what the targets meet in AWS, and returns Terraform's outputs.
func (n *nxWorkspace) provision(t *testing.T, cfg aws.Config) string {
	made, err := n.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("hub-token")})
	if err != nil {
		t.Fatal(err)
	}
	n.secret = aws.ToString(made.ARN)
	repositories := map[string]any{}
	for _, image := range []string{"web-ui", "stereo-inference"} {
		r, err := ecr.NewFromConfig(cfg).CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("stereospot/" + image)})
		if err != nil {
			t.Fatal(err)
		}
		repositories[image] = aws.ToString(r.Repository.RepositoryUri)
	}
	_, err = codebuild.NewFromConfig(cfg).CreateProject(t.Context(), &codebuild.CreateProjectInput{
		Name: aws.String("inference"), ServiceRole: aws.String("arn:aws:iam::123456789012:role/build"),
		Artifacts:   &codebuildtypes.ProjectArtifacts{Type: codebuildtypes.ArtifactsTypeNoArtifacts},
		Source:      &codebuildtypes.ProjectSource{Type: codebuildtypes.SourceTypeS3, Location: aws.String("bucket/key.zip")},
		Environment: &codebuildtypes.ProjectEnvironment{Type: codebuildtypes.EnvironmentTypeLinuxContainer, Image: aws.String("image"), ComputeType: codebuildtypes.ComputeTypeBuildGeneral1Small},
	})
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]any{}
	for name, value := range map[string]any{
		"aws_region": awstest.Region, "hf_token_secret_arn": n.secret, "ecr_repository_url": repositories, "codebuild_project_name": "inference",
		"ecs_cluster_name": "stereospot", "ecs_service_name": map[string]any{"web-ui": "stereospot-web-ui"}, "sagemaker_endpoint_name": "depth",
		"sagemaker_endpoint_config_name": "by-terraform",
	} {
		outputs[name] = map[string]any{"value": value}
	}
	text, err := json.Marshal(outputs)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (n *nxWorkspace) callsFile() string { return filepath.Join(n.dir, "work/calls") }

// program puts a program on the PATH that writes down how it was called and where.
func (n *nxWorkspace) program(t *testing.T, name, body string) {
	text := "#!/bin/sh\nprintf '%s %s (%s)\\n' \"${0##*/}\" \"$*\" \"${PWD##*/}\" >>\"$CALLS\"\n" + body + "\n"
	if err := os.WriteFile(filepath.Join(n.dir, "work/path", name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// nx runs Nx and returns what it printed and the calls of programs that it led to.
func (n *nxWorkspace) nx(t *testing.T, arguments ...string) (said string, calls []string) {
	t.Helper()
	_ = os.Remove(n.callsFile()) // absent before the first call
	cmd := exec.CommandContext(t.Context(), filepath.Join(n.dir, "node_modules/.bin/nx"), arguments...)
	cmd.Dir, cmd.Env = n.dir, n.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("nx %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	text, err := os.ReadFile(n.callsFile())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(out), strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// expect compares calls, in any order where two ends of a pipe race.
func expect(t *testing.T, calls []string, want ...string) {
	t.Helper()
	if got := slices.Sorted(slices.Values(calls)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("calls are\n%s\nwant\n%s", strings.Join(calls, "\n"), strings.Join(want, "\n"))
	}
}

func (n *nxWorkspace) graph(t *testing.T) {
	n.nx(t, "graph", "--file=work/graph.json")
	text, err := os.ReadFile(filepath.Join(n.dir, "work/graph.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Graph struct {
			Dependencies map[string][]struct{ Target string }
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for project, targets := range file.Graph.Dependencies {
		for _, d := range targets {
			got[project] += " " + d.Target
		}
	}
	want := map[string]string{
		"aws-infra": " aws-infra-setup", "web-ui": " stereospot", "media-worker": " stereospot", "video-worker": " stereospot", "stereo-inference": " stereospot",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(file.Graph.Dependencies) != 8 {
		t.Errorf("%v of %d projects; want %v", got, len(file.Graph.Dependencies), want)
	}
}

func (n *nxWorkspace) affected(t *testing.T) {
	for file, want := range map[string]string{
		"README.md":                         "stereospot",
		"infra/aws-infra-setup/versions.tf": "aws-infra aws-infra-setup stereospot",
		"infra/aws-infra/versions.tf":       "aws-infra aws-infra-setup stereospot", // whose tests hold both
		"docker/app.Dockerfile":             "media-worker stereo-inference stereospot video-worker web-ui",
		"internal/job/job.go":               "aws-infra aws-infra-setup media-worker stereo-inference stereospot video-worker web-ui",
		"tools/nx-plugin/plugin.mjs":        "aws-infra aws-infra-setup media-worker nx-plugin stereo-inference stereospot video-worker web-ui",
	} {
		said, _ := n.nx(t, "show", "projects", "--affected", "--files="+file, "--with-target=test")
		if got := strings.Join(slices.Sorted(strings.FieldsSeq(said)), " "); got != want {
			t.Errorf("%s affects %s; want %s", file, got, want)
		}
	}
	said, _ := n.nx(t, "affected", "-t", "test", "--files=tools/nx-plugin/plugin.test.mjs", "--output-style=static")
	if !strings.Contains(said, "# fail 0") {
		t.Errorf("the plugin's tests didn't run:\n%s", said)
	}
}

func (n *nxWorkspace) plan(t *testing.T) {
	_, calls := n.nx(t, "run", "aws-infra:terraform-apply")
	expect(t, calls,
		"terraform init (aws-infra-setup)", "terraform plan -out=tfplan (aws-infra-setup)", "terraform apply tfplan (aws-infra-setup)",
		"terraform -chdir=../aws-infra-setup output -json (aws-infra)",
		"terraform init -reconfigure -backend-config=.terraform/backend.tfbackend (aws-infra)",
		"terraform plan -out=tfplan (aws-infra)", "terraform apply tfplan (aws-infra)")
	text, err := os.ReadFile(filepath.Join(n.dir, "infra/aws-infra/.terraform/backend.tfbackend"))
	if err != nil || string(text) != "bucket = \"state\"\nregion = \"eu-central-1\"\n" {
		t.Errorf("%s, %v", text, err)
	}
}

func (n *nxWorkspace) validate(t *testing.T) {
	_, calls := n.nx(t, "run-many", "-t", "terraform-validate")
	var want []string
	for _, project := range []string{"aws-infra", "aws-infra-setup"} {
		for _, call := range []string{"fmt -check -diff", "init -backend=false", "validate"} {
			want = append(want, fmt.Sprintf("terraform %s (%s)", call, project))
		}
	}
	expect(t, calls, want...)
}

func (n *nxWorkspace) output(t *testing.T) {
	private := filepath.Join(n.dir, ".env")
	if err := os.WriteFile(private, []byte("HF_TOKEN=hf_private\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.nx(t, "run", "aws-infra:terraform-output")
	env, err := ReadEnv(filepath.Join(n.dir, "infra/aws-infra/.env"))
	if err != nil || env["HF_TOKEN_SECRET_ARN"] != n.secret || env["ECS_SERVICE_NAME_WEB_UI"] != "stereospot-web-ui" {
		t.Errorf("%v, %v", env, err)
	}
	if text, err := os.ReadFile(private); err != nil || string(text) != "HF_TOKEN=hf_private\n" {
		t.Errorf("the private file is now %q, %v", text, err)
	}
}

func (n *nxWorkspace) destroy(t *testing.T) {
	_, calls := n.nx(t, "run", "aws-infra:terraform-destroy", "-auto-approve")
	if last := calls[len(calls)-1]; last != "terraform destroy -auto-approve (aws-infra)" {
		t.Errorf("the last call is %s", last)
	}
}

func (n *nxWorkspace) login(t *testing.T) {
	_, calls := n.nx(t, "run", "aws-infra:ecr-login")
	expect(t, calls, fmt.Sprintf("docker login --username AWS --password-stdin 123456789012.dkr.ecr.%s.amazonaws.com (%s)", awstest.Region, filepath.Base(n.dir)))
	if text, err := os.ReadFile(n.callsFile() + ".password"); err != nil || string(text) != "123456789012-auth-token\n" {
		t.Errorf("docker was given %q, %v", text, err)
	}
}

func (n *nxWorkspace) token(t *testing.T) {
	said, _ := n.nx(t, "run", "aws-infra:update-hf-token")
	now, err := n.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &n.secret})
	if err != nil || aws.ToString(now.SecretString) != "hf_private" || strings.Contains(said, "hf_private") {
		t.Errorf("%v, %v: %s", now, err, said)
	}
}

// smoke has a server of this machine stand in for the deployment's page.
func (n *nxWorkspace) smoke(t *testing.T) {
	server := exec.CommandContext(t.Context(), filepath.Join(n.dir, "bin/stereospot"), "serve", "--addr", "127.0.0.1:0", "--data-dir", t.TempDir())
	said, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(server.Process.Signal(os.Interrupt), server.Wait()); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(n.dir, "infra/aws-infra/.env")
	env, err := ReadEnv(path)
	if err != nil {
		t.Fatal(err)
	}
	env["ALB_URL"] = address(t, said)
	if err := WriteEnv(path, "a comment", env); err != nil {
		t.Fatal(err)
	}
	if table, _ := n.nx(t, "run", "aws-infra:smoke-test"); !regexp.MustCompile(`compare +ok`).MatchString(table) {
		t.Error(table)
	}
}

// address reads what a server prints up to the address that it listens on.
func address(t *testing.T, said io.Reader) string {
	t.Helper()
	for lines := bufio.NewReader(said); ; {
		line, err := lines.ReadString('\n')
		if found := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line); found != "" {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (n *nxWorkspace) deploy(t *testing.T) {
	_, calls := n.nx(t, "run", "web-ui:deploy")
	repository := fmt.Sprintf("123456789012.dkr.ecr.%s.amazonaws.com/stereospot/web-ui", awstest.Region)
	if !slices.Contains(calls, fmt.Sprintf("docker push %s:%s (%s)", repository, n.commit, filepath.Base(n.dir))) {
		t.Errorf("nothing was pushed: %q", calls)
	}
	made := n.ecs.revisions[len(n.ecs.revisions)-1]
	if !strings.Contains(fmt.Sprint(made["containerDefinitions"]), repository+":"+n.commit) || n.ecs.running != definitionARN+"3" {
		t.Errorf("the service runs %s: %v", n.ecs.running, made)
	}
}

func (n *nxWorkspace) inferenceBuild(t *testing.T) {
	if said, _ := n.nx(t, "run", "stereo-inference:inference-build"); !strings.Contains(said, "build inference:") {
		t.Error(said)
	}
}

func (n *nxWorkspace) inferenceRedeploy(t *testing.T) {
	n.nx(t, "run", "stereo-inference:inference-redeploy")
	if image := n.sagemaker.models[n.sagemaker.config]["PrimaryContainer"]; !strings.Contains(fmt.Sprint(image), "stereo-inference:"+n.commit) {
		t.Errorf("the endpoint runs %v", image)
	}
}
