package terraform

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// sample uses what the projects use of the language.
const sample = `
variable "name" {
  type    = string
  default = "films"

  validation {
    condition     = length(var.name) < 10
    error_message = "Too long: ${var.name}"
  }
}

variable "sizes" {
  type = object({ disk = optional(number, 21), cpu = number })
}

locals {
  queues = { a = 60, b = 2 * 60 }
  big    = { for k, v in local.queues : k => v if v > 60 }
}

data "aws_caller_identity" "me" {}

resource "aws_sqs_queue" "q" {
  for_each = local.queues
  name     = "${var.name}-${each.key}-${data.aws_caller_identity.me.account_id}"
  policy   = jsonencode({ dead = aws_sqs_queue.dead[0].arn, seconds = each.value })
}

resource "aws_sqs_queue" "dead" {
  count = var.sizes.disk > 20 ? 1 : 0
  name  = "dead-${count.index}"
}

resource "aws_s3_bucket_notification" "n" {
  bucket = one(aws_sqs_queue.dead[*].id)

  dynamic "queue" {
    for_each = local.big

    content {
      arn = aws_sqs_queue.q[queue.key].arn
      id  = queue.value
    }
  }
}

output "subnets" {
  value = [for i in range(2) : cidrsubnet("10.0.0.0/16", 4, i + 8)]
}
`

func parse(t *testing.T, source string, vars map[string]cty.Value) *Project {
	t.Helper()
	p, err := Parse(map[string][]byte{"main.tf": []byte(source)}, vars)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sizes(disk int64) map[string]cty.Value {
	return map[string]cty.Value{"sizes": cty.ObjectVal(map[string]cty.Value{"cpu": cty.NumberIntVal(1), "disk": cty.NumberIntVal(disk)})}
}

func TestResourcesComeToWhatTerraformMakes(t *testing.T) {
	p := parse(t, sample, sizes(30))
	queues, err := p.Resources("aws_sqs_queue")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range queues {
		got = append(got, q.Address+" "+q.Text("name")+" "+q.Text("policy"))
	}
	want := []string{
		"aws_sqs_queue.dead[0] dead-0 ",
		`aws_sqs_queue.q["a"] films-a-123456789012 {"dead":"aws_sqs_queue.dead[0].arn","seconds":60}`,
		`aws_sqs_queue.q["b"] films-b-123456789012 {"dead":"aws_sqs_queue.dead[0].arn","seconds":120}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	notifications, err := p.Resources("aws_s3_bucket_notification")
	if err != nil || len(notifications) != 1 {
		t.Fatal(notifications, err)
	}
	n := notifications[0]
	if n.Text("bucket") != "aws_sqs_queue.dead[0].id" || len(n.Blocks["queue"]) != 1 || n.One("queue").Text("arn") != `aws_sqs_queue.q["b"].arn` || n.One("queue").Number("id") != 120 {
		t.Errorf("%+v", n)
	}
}

func TestOutputsAndDefaultsOfOptionalAttributes(t *testing.T) {
	p := parse(t, sample, map[string]cty.Value{"sizes": cty.ObjectVal(map[string]cty.Value{"cpu": cty.NumberIntVal(1)})})
	subnets, err := p.Output("subnets")
	if err != nil {
		t.Fatal(err)
	}
	if got := (Block{Arguments: map[string]cty.Value{"v": subnets}}).Texts("v"); strings.Join(got, " ") != "10.0.128.0/20 10.0.144.0/20" {
		t.Errorf("subnets %q", got)
	}
	if dead, err := p.Resources("aws_sqs_queue"); err != nil || len(dead) != 3 {
		t.Errorf("a disk left at its default of 21 makes %d queues, %v", len(dead), err)
	}
}

func TestValidationsSayWhatIsWrong(t *testing.T) {
	vars := sizes(30)
	if err := parse(t, sample, vars).Validate(); err != nil {
		t.Error(err)
	}
	vars["name"] = cty.StringVal("a very long name")
	if err := parse(t, sample, vars).Validate(); err == nil || !strings.Contains(err.Error(), "variable name: Too long: a very long name") {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"Circle":     {"locals {\n a = local.b\n b = local.a\n}\n" + `output "o" { value = local.a }`, "depends on itself"},
		"Undeclared": {`output "o" { value = aws_sqs_queue.absent.arn }`, "not declared"},
		"Attribute":  {`resource "aws_sqs_queue" "q" {}` + "\n" + `output "o" { value = aws_sqs_queue.q.colour }`, "colour"},
		"Function":   {`output "o" { value = bcrypt("x") }`, "bcrypt"},
		"NoDefault":  {`variable "v" { type = string }` + "\n" + `output "o" { value = var.v }`, "has no default"},
		"Count":      {`resource "aws_sqs_queue" "q" { count = "many" }` + "\n" + `output "o" { value = aws_sqs_queue.q }`, "count is no number"},
		"Type":       {`variable "v" {` + "\n" + `type = number` + "\n" + `default = "x"` + "\n" + `}` + "\n" + `output "o" { value = var.v }`, "number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, c.source, nil).Output("o")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want an error that says %q, got %v", c.want, err)
			}
		})
	}
	for _, source := range []string{`module "m" { source = "./m" }`, `locals {`, `variable "v" {}` + "\n" + `variable "v" {}`} {
		if _, err := Parse(map[string][]byte{"main.tf": []byte(source)}, nil); err == nil {
			t.Errorf("%q was taken", source)
		}
	}
}

// Whatever the files hold, the answer is a value or an error.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add(`resource "a" "b" { count = 1e9 }`)
	f.Add(`output "o" { value = cidrsubnet("10.0.0.0/8", -1, 0) }`)
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Parse(map[string][]byte{"main.tf": []byte(source)}, nil)
		if err != nil {
			return
		}
		_ = p.Validate()
		for _, kind := range p.Types() {
			_, _ = p.Resources(kind)
		}
		for _, name := range p.Outputs() {
			_, _ = p.Output(name)
		}
	})
}
