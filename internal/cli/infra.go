package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/term"

	"github.com/stereospot/stereospot/internal/infra"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// infraCommand groups what Nx runs for an operator of a deployment on AWS.
type infraCommand struct {
	Env               infraEnvCommand               `cmd:"" help:"Write a deployment's names, from Terraform's outputs, as a file of environment variables."`
	Backend           infraBackendCommand           `cmd:"" help:"Write where Terraform's state lies, from the outputs of the project that made the place."`
	RegistryPassword  infraRegistryPasswordCommand  `cmd:"" help:"Print the password of the deployment's image registry, for docker login --password-stdin."`
	UpdateHFToken     infraUpdateHFTokenCommand     `cmd:"" name:"update-hf-token" help:"Write the model hub's token to Secrets Manager."`
	HasImage          infraHasImageCommand          `cmd:"" help:"Print yes or no: whether the registry has an image with this tag."`
	Deploy            infraDeployCommand            `cmd:"" help:"Let a service run a pushed image, and go back if it doesn't become stable."`
	InferenceBuild    infraInferenceBuildCommand    `cmd:"" help:"Build and push the inference image with CodeBuild, showing its log."`
	InferenceRedeploy infraInferenceRedeployCommand `cmd:"" help:"Let the inference endpoint run a pushed image."`
}

// deploymentFlags name a deployment.
type deploymentFlags struct {
	Deployment string `help:"File of the deployment's names, which 'stereospot infra env' writes." env:"STEREOSPOT_DEPLOYMENT" default:"infra/aws-infra/.env" type:"path" placeholder:"FILE"`
}

// lookup returns the named values of the file and the SDK's configuration for the deployment's region. The environment
// doesn't go before the file: another deployment's names, or a default region, may be left there.
func (f deploymentFlags) lookup(ctx context.Context, names ...string) ([]string, aws.Config, error) {
	env, err := infra.ReadEnv(f.Deployment)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: npx nx run aws-infra:terraform-output writes it", err)
	}
	if err != nil {
		return nil, aws.Config{}, err
	}
	values, err := env.Lookup(append(names, "AWS_REGION")...)
	if err != nil {
		return nil, aws.Config{}, fmt.Errorf("%s: %w", f.Deployment, err)
	}
	cfg, err := platformaws.Load(ctx, slog.New(slog.DiscardHandler), awsconfig.WithRegion(values[len(names)]))
	return values[:len(names)], cfg, err
}

// variable returns the environment variable of an image's or service's own name, such as ECR_REPOSITORY_URL_WEB_UI.
func variable(prefix, name string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// watchFlags say how long a change to a deployment may take.
type watchFlags struct {
	Timeout time.Duration `help:"How long it may take." default:"30m"`
	Every   time.Duration `hidden:"" env:"STEREOSPOT_WATCH_EVERY" default:"5s"`
}

func (f watchFlags) watch(out io.Writer) infra.Watch {
	return infra.Watch{Every: f.Every, Patience: f.Timeout, Say: func(s string) { fmt.Fprintln(out, s) }}
}

// outputsFlags name Terraform's outputs and the file that is made of them.
type outputsFlags struct {
	Outputs string `arg:"" optional:"" help:"What terraform output -json printed, or a state file. Default: the standard input." type:"existingfile"`
	Out     string `short:"o" help:"File to write, at once and whole." required:"" type:"path" placeholder:"FILE"`
}

func (f outputsFlags) read(in io.Reader) (infra.Outputs, error) {
	if f.Outputs == "" {
		return infra.ReadOutputs(in)
	}
	file, err := os.Open(f.Outputs)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return infra.ReadOutputs(file)
}

type infraEnvCommand struct{ outputsFlags }

// Help implements kong's detailed help.
func (infraEnvCommand) Help() string {
	return `Examples:
  stereospot infra env -o .env outputs.json
  terraform output -json | stereospot infra env -o .env

Output input_bucket_name becomes INPUT_BUCKET_NAME, and a map's entries NAME_KEY. Sensitive outputs are left out.`
}

// Run implements the command.
func (c *infraEnvCommand) Run(std streams) error {
	outputs, err := c.read(std.in)
	if err != nil {
		return err
	}
	env, err := outputs.Env()
	if err != nil {
		return err
	}
	return infra.WriteEnv(c.Out, "Written from Terraform's outputs; npx nx run aws-infra:terraform-output writes it anew.", env)
}

type infraBackendCommand struct{ outputsFlags }

// Help implements kong's detailed help.
func (infraBackendCommand) Help() string {
	return `Examples:
  stereospot infra backend -o backend.tfbackend outputs.json
  terraform init -backend-config=backend.tfbackend

The output backend_config is a map of the backend's settings.`
}

// Run implements the command.
func (c *infraBackendCommand) Run(std streams) error {
	outputs, err := c.read(std.in)
	if err != nil {
		return err
	}
	return infra.WriteBackend(c.Out, outputs)
}

type infraRegistryPasswordCommand struct{ deploymentFlags }

// Help implements kong's detailed help.
func (infraRegistryPasswordCommand) Help() string {
	return `Examples:
  stereospot infra registry-password | docker login --username AWS --password-stdin HOST`
}

// Run implements the command.
func (c *infraRegistryPasswordCommand) Run(ctx context.Context, std streams) error {
	if out, isFile := std.out.(*os.File); isFile && term.IsTerminal(int(out.Fd())) {
		return usagef("the password is a secret: send it into docker login --password-stdin, not to a terminal")
	}
	_, cfg, err := c.lookup(ctx)
	if err != nil {
		return err
	}
	password, err := infra.RegistryPassword(ctx, cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, password)
	return err
}

type infraUpdateHFTokenCommand struct {
	deploymentFlags
	EnvFile string `help:"File that holds HF_TOKEN=…; only read." default:".env" type:"path" placeholder:"FILE"`
}

// Help implements kong's detailed help.
func (infraUpdateHFTokenCommand) Help() string {
	return `Examples:
  stereospot infra update-hf-token
  stereospot infra update-hf-token --env-file ~/private.env

The token itself is never printed.`
}

// Run implements the command.
func (c *infraUpdateHFTokenCommand) Run(ctx context.Context, std streams) error {
	private, err := infra.ReadEnv(c.EnvFile)
	if err != nil {
		return err
	}
	token, err := private.Lookup("HF_TOKEN")
	if err != nil {
		return fmt.Errorf("%s: %w", c.EnvFile, err)
	}
	names, cfg, err := c.lookup(ctx, "HF_TOKEN_SECRET_ARN")
	if err != nil {
		return err
	}
	version, err := infra.PutSecret(ctx, cfg, names[0], token[0])
	if err != nil {
		return fmt.Errorf("HF_TOKEN: %w", err)
	}
	_, err = fmt.Fprintf(std.out, "the hub's token is written: version %s\n", version)
	return err
}
