package infra

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// backendOutput is the map of settings by which a project says where another keeps its state.
const backendOutput = "backend_config"

// Backend returns the output backend_config as a file for `terraform init -backend-config=FILE`.
func (o Outputs) Backend() ([]byte, error) {
	settings, isMap := o[backendOutput].Value.(map[string]any)
	if !isMap || len(settings) == 0 {
		return nil, fmt.Errorf("there is no output %s: this project is no backend of another", backendOutput)
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		text, err := flat(settings[name])
		if err != nil {
			return nil, fmt.Errorf("output %s: %s: %w", backendOutput, name, err)
		}
		if text != "" {
			fmt.Fprintf(&out, "%s = %s\n", name, quoteHCL(text))
		}
	}
	return []byte(out.String()), nil
}

// WriteBackend replaces the file with what Backend returns.
func WriteBackend(path string, o Outputs) error {
	body, err := o.Backend()
	if err != nil {
		return err
	}
	return replaceFile(path, body)
}

// quoteHCL writes a text as a string of Terraform's language, in which nothing is to be evaluated.
func quoteHCL(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "${", "$${", "%{", "%%{").Replace(s) + `"`
}
