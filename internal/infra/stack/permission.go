package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stereospot/stereospot/internal/infra/terraform"
)

// Permissions returns the actions that each service's role allows, by service and by what they are taken on, in the
// words of package platform/aws: "web-ui", "jobs table", {"dynamodb:GetItem", …}.
func (s *Stack) Permissions() (map[string]map[string][]string, error) {
	policies, err := s.project.Resources("aws_iam_role_policy")
	if err != nil {
		return nil, err
	}
	documents, err := s.project.Resources("data.aws_iam_policy_document")
	if err != nil {
		return nil, err
	}
	byReference := map[string]terraform.Resource{}
	for _, d := range documents {
		byReference[d.Address+".json"] = d
	}
	services := map[string]map[string][]string{}
	for _, policy := range policies {
		service := serviceOf(policy)
		if service == "" {
			continue
		}
		document, ok := byReference[policy.Text("policy")]
		if !ok {
			return nil, fmt.Errorf("%s: its policy is no document of the project", policy.Address)
		}
		if services[service], err = allowed(document); err != nil {
			return nil, fmt.Errorf("%s: %w", document.Address, err)
		}
	}
	return services, nil
}

// serviceOf returns the service whose own role a policy belongs to; "" for roles that start or build things.
func serviceOf(policy terraform.Resource) string {
	switch role := policy.Text("role"); {
	case strings.HasPrefix(role, `aws_iam_role.task["`):
		return keyOf(role)
	case role == "aws_iam_role.inference[0].id" && policy.Text("name") == "actions":
		return "inference"
	}
	return ""
}

// allowed returns what a policy document allows.
func allowed(document terraform.Resource) (map[string][]string, error) {
	actions := map[string][]string{}
	for _, statement := range document.Blocks["statement"] {
		if effect := statement.Text("effect"); effect != "" && effect != "Allow" || len(statement.Blocks["condition"]) > 0 {
			return nil, fmt.Errorf("a service's statements allow, without conditions")
		}
		var words []string
		for _, resource := range statement.Texts("resources") {
			word, err := wordFor(resource)
			if err != nil {
				return nil, err
			}
			words = append(words, word)
		}
		slices.Sort(words)
		for _, word := range slices.Compact(words) {
			actions[word] = append(actions[word], statement.Texts("actions")...)
		}
	}
	return actions, nil
}

// wordFor returns the word for a resource that a policy names by its ARN.
func wordFor(arn string) (string, error) {
	address, rest, _ := strings.Cut(arn, ".arn")
	switch key := keyOf(address); {
	case strings.HasPrefix(address, "aws_s3_bucket.media") && (rest == "" || rest == "/*"):
		return key + " bucket", nil
	case strings.HasPrefix(address, "aws_sqs_queue.pipeline") && rest == "":
		return key + " queue", nil
	case strings.HasPrefix(address, "aws_sqs_queue.dead_letters") && rest == "":
		return key + " dead-letter queue", nil
	case strings.HasPrefix(arn, "arn:aws:ecs:") && strings.Contains(arn, ":task/"):
		return "task", nil
	case strings.HasPrefix(arn, "arn:aws:sagemaker:") && strings.Contains(arn, ":endpoint/"):
		return "endpoint", nil
	case address == "aws_secretsmanager_secret.session_key" && rest == "":
		return "session key secret", nil
	case address == "aws_secretsmanager_secret.hf_token" && rest == "":
		return "hub token secret", nil
	}
	if table, found := strings.CutPrefix(address, "aws_dynamodb_table."); found {
		switch word := strings.ReplaceAll(table, "_", " ") + " table"; rest {
		case "":
			return word, nil
		case "/index/*":
			return word + " indexes", nil
		}
	}
	return "", fmt.Errorf("%s is nothing that a service has permissions for", arn)
}
