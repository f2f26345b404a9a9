package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
)

// modelsCommand keeps the models of this machine.
type modelsCommand struct {
	List   modelsListCommand   `cmd:"" help:"Show the models that are known, and which are installed."`
	Pull   modelsPullCommand   `cmd:"" help:"Fetch a model from the hub (HF_ENDPOINT and HF_TOKEN count); a broken download goes on."`
	Verify modelsVerifyCommand `cmd:"" help:"Read installed models and compare their SHA-256."`
	Path   modelsPathCommand   `cmd:"" help:"Print where an installed model is."`
}

// Help implements kong's detailed help.
func (modelsCommand) Help() string {
	return `Examples:
  stereospot models list
  stereospot models pull depth-anything-v2-small   free for any use; 99 MB
  stereospot models verify

docs/models.md says which model is good for what, and how to bring your own.`
}

// modelsDir is where the models are.
type modelsDir struct {
	ModelsDir string `help:"Directory of neural models. Default: $XDG_DATA_HOME/stereospot/models." env:"STEREOSPOT_MODELS_DIR" type:"path" placeholder:"DIR"`
}

func (d modelsDir) store() (*models.Store, error) {
	if d.ModelsDir == "" {
		if d.ModelsDir = models.DefaultDir(); d.ModelsDir == "" {
			return nil, errors.New("there is no home directory to keep models in: name one with --models-dir")
		}
	}
	return &models.Store{Dir: d.ModelsDir}, nil
}

type modelsPullCommand struct {
	Names []string `arg:"" help:"Models to fetch; see stereospot models list."`
	modelsDir
	AcceptLicense bool `help:"Agree to a licence that forbids commercial use, without being asked."`
	Quiet         bool `short:"q" help:"Print errors and paths only."`
}

// Help implements kong's detailed help.
func (modelsPullCommand) Help() string {
	return `Examples:
  stereospot models pull depth-anything-v2-small
  HF_ENDPOINT=https://mirror.example stereospot models pull depth-anything-v2-small

Every file is compared with its SHA-256 before it is used. A download that broke off goes on where it was.`
}

// Run implements the command.
func (c *modelsPullCommand) Run(ctx context.Context, std streams) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	hub, err := models.HubFromEnvironment()
	if err != nil {
		return usageError{err}
	}
	var wanted []models.Model
	for _, name := range c.Names {
		m, err := c.known(name)
		if err != nil {
			return err
		}
		if m.NonCommercial && !c.AcceptLicense {
			if err := agree(std, m); err != nil {
				return err
			}
		}
		wanted = append(wanted, m)
	}
	for _, m := range wanted {
		bar := newPullBar(std.err, m.Name, c.Quiet)
		hub.Retry = bar.retrying
		path, err := store.Pull(ctx, hub, m, bar.progress)
		bar.close()
		if err != nil {
			return continuing(err)
		}
		fmt.Fprintln(std.out, path)
	}
	if _, err := onnx.Runtime(""); err != nil {
		fmt.Fprintf(std.err, "models are here, and can't run yet: %v\n", err)
	}
	return nil
}

func (c *modelsPullCommand) known(name string) (models.Model, error) {
	var names []string
	for _, m := range models.Registry() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return models.Model{}, usagef("unknown model %q: use %s", name, strings.Join(names, ", "))
}

// agree asks a person to accept a licence.
func agree(std streams, m models.Model) error {
	f, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return usagef("%s is licensed %s, which forbids commercial use: agree with --accept-license", m.Name, m.License)
	}
	fmt.Fprintf(std.err, "%s is licensed %s, which forbids commercial use. Agree? [y/N] ", m.Name, m.License)
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was fetched")
	}
	return nil
}

type modelsVerifyCommand struct {
	Names []string `arg:"" optional:"" help:"Models to verify. Default: all that are installed."`
	modelsDir
}

// Help implements kong's detailed help.
func (modelsVerifyCommand) Help() string {
	return `Examples:
  stereospot models verify
  stereospot models verify depth-anything-v2-small

Exit codes: 0 they are whole, 1 one isn't, or one that is named has nothing to compare it with, 2 wrong usage.`
}

// Run implements the command.
func (c *modelsVerifyCommand) Run(std streams) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	all, err := c.chosen(store)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range all {
		switch err := store.Verify(m); {
		case err == nil:
			fmt.Fprintf(std.out, "%s: whole\n", m.Name)
		case errors.Is(err, models.ErrUnknown) && len(c.Names) == 0: // a person's own is no fault
			fmt.Fprintln(std.out, err)
		default:
			errs = append(errs, err)
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(std.out, "no model is installed")
	}
	return errors.Join(errs...)
}

// chosen returns the models that are named, or else all.
func (c *modelsVerifyCommand) chosen(store *models.Store) (chosen []models.Installed, err error) {
	if len(c.Names) == 0 {
		return store.Installed()
	}
	for _, name := range c.Names {
		m, err := store.Find(name, false)
		if err != nil {
			return nil, usageError{err}
		}
		chosen = append(chosen, m)
	}
	return chosen, nil
}

type modelsPathCommand struct {
	Name string `arg:"" help:"An installed model."`
	modelsDir
}

// Help implements kong's detailed help.
func (modelsPathCommand) Help() string {
	return `Examples:
  stereospot models path depth-anything-v2-small`
}

// Run implements the command.
func (c *modelsPathCommand) Run(std streams) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	m, err := store.Find(c.Name, false)
	if err != nil {
		return err
	}
	fmt.Fprintln(std.out, m.Path)
	return nil
}
