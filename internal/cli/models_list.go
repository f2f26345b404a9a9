package cli

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/stereospot/stereospot/internal/models"
)

type modelsListCommand struct {
	modelsDir
	JSON bool `name:"json" help:"Print one JSON object per model (docs/models.md has the schema)."`
}

// Help implements kong's detailed help.
func (modelsListCommand) Help() string {
	return `Examples:
  stereospot models list
  stereospot models list --models-dir /srv/models
  stereospot models list --json | jq -r 'select(.installed) | .path'

DA-2K is the share of point pairs that a model puts in the right order, FRAME its time for a picture of 518×518, both
as published; docs/models.md names the sources.`
}

// Run implements the command.
func (c *modelsListCommand) Run(std streams) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	installed, err := store.Installed()
	if err != nil {
		return err
	}
	list := listModels(models.Registry(), installed)
	if c.JSON {
		return encodeEach(std.out, list)
	}
	return printModels(std.out, list)
}

// listedModel is a model that is known or installed. What has no name in the registry has a name and a path alone.
type listedModel struct {
	Name          string  `json:"name"`
	Installed     bool    `json:"installed"`
	Path          string  `json:"path,omitempty"`
	Recommended   bool    `json:"recommended,omitempty"`
	License       string  `json:"license,omitempty"`
	NonCommercial bool    `json:"non_commercial,omitempty"`
	Size          int64   `json:"size,omitempty"`
	SHA256        string  `json:"sha256,omitempty"`
	WeightsFile   string  `json:"weights_file,omitempty"`
	WeightsSHA256 string  `json:"weights_sha256,omitempty"`
	Repo          string  `json:"repo,omitempty"`
	Revision      string  `json:"revision,omitempty"`
	File          string  `json:"file,omitempty"`
	Parameters    int64   `json:"parameters,omitempty"`
	Quality       string  `json:"quality,omitempty"`
	DA2K          float64 `json:"da2k,omitempty"`
	GPUSeconds    float64 `json:"gpu_seconds,omitempty"`
	GPU           string  `json:"gpu,omitempty"`
}

// listModels returns the registry's models in its order, then a person's own.
func listModels(registry []models.Model, installed []models.Installed) []listedModel {
	var list []listedModel
	for _, m := range registry {
		list = append(list, listedModel{
			Name: m.Name, Recommended: m.Name == models.Recommended, License: m.License, NonCommercial: m.NonCommercial,
			Size: m.TotalSize(), SHA256: m.SHA256, WeightsFile: m.Weights.File, WeightsSHA256: m.Weights.SHA256, Repo: m.Repo, Revision: m.Revision, File: m.File,
			Parameters: m.Parameters, Quality: m.Quality, DA2K: m.DA2K, GPUSeconds: m.GPUTime.Seconds(), GPU: m.GPU,
		})
	}
	for _, m := range installed {
		i := slices.IndexFunc(list, func(l listedModel) bool { return l.Name == m.Name })
		if i < 0 {
			i, list = len(list), append(list, listedModel{Name: m.Name})
		}
		list[i].Installed, list[i].Path = true, m.Path
	}
	return list
}

func printModels(out io.Writer, list []listedModel) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tHERE\tSIZE\tLICENCE\tUSE\tQUALITY\tDA-2K\tFRAME")
	for _, m := range list {
		if m.Repo == "" {
			fmt.Fprintf(w, "%s\tyes\t-\t-\t-\tyour own\t-\t-\n", printable(m.Name))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			m.Name, yesNo(m.Installed), bytesOf(m.Size), m.License, useOf(m), m.Quality, percent(m.DA2K), frameTime(m))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nTake %s; on an NVIDIA GPU its -fp16. Base and large are more accurate, slower, and for uses\n"+
		"that aren't commercial. `stereospot models pull NAME` fetches one, `--depth auto` takes the best that is here.\n", models.Recommended)
	return err
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// useOf says what a model's licence lets people do with it.
func useOf(m listedModel) string {
	if m.NonCommercial {
		return "not commercial"
	}
	return "any"
}

// bytesOf writes a size in three digits.
func bytesOf(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.3g MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.3g GB", float64(n)/1e9)
}

// percent writes a published share, - where nobody has published it.
func percent(p float64) string {
	if p == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", p)
}

// frameTime writes how long a frame takes on a GPU, - where nobody has published it.
func frameTime(m listedModel) string {
	if m.GPUSeconds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g ms (%s)", 1000*m.GPUSeconds, m.GPU)
}
