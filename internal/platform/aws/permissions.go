package aws

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed doc.go
var documentation string

// Permissions returns the actions that each service may take, by service and by what it takes them on, as the package's
// documentation lists them: "web-ui", "jobs table", {"dynamodb:GetItem", …}.
func Permissions() (map[string]map[string][]string, error) { return parsePermissions(documentation) }

func parsePermissions(source string) (map[string]map[string][]string, error) {
	_, list, found := strings.Cut(source, "// # Permissions\n")
	if !found {
		return nil, fmt.Errorf("there is no section called Permissions")
	}
	list, _, _ = strings.Cut(list, "\npackage ")
	all := map[string]map[string][]string{}
	var service map[string][]string
	for line := range strings.Lines(list) {
		line = strings.TrimPrefix(strings.TrimRight(line, "\n"), "//")
		if name, heads := strings.CutSuffix(strings.TrimPrefix(line, " "), ":"); heads && !strings.Contains(name, " ") && name != "" {
			service = map[string][]string{}
			all[name] = service
		}
		entry, isEntry := strings.CutPrefix(line, "   - ")
		if !isEntry {
			continue
		}
		on, actions, found := strings.Cut(entry, ": ")
		if !found || service == nil || service[on] != nil {
			return nil, fmt.Errorf("%q: want one line of actions for each of a service's resources", line)
		}
		service[on] = strings.Split(actions, ", ")
	}
	return all, nil
}
