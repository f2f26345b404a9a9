// Command scalesim plays days of arrivals against the scaling that infra/aws-infra describes: its alarms, policies,
// cooldowns and bounds are read from the Terraform files. It draws what comes and goes, and writes the table of
// docs/aws/scaling.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/stereospot/stereospot/internal/infra/stack"
)

func main() {
	out := flag.String("o", "docs/aws", "directory of scaling.md, for the table, and of the pictures")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "scalesim:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	s, err := deployment()
	if err != nil {
		return err
	}
	outcomes, err := play(s)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if err := picture(o, filepath.Join(out, "images", "scaling-"+o.name+".svg")); err != nil {
			return err
		}
	}
	page := filepath.Join(out, "scaling.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	replaced, err := withTable(string(text), table(outcomes))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(replaced), 0o644)
}

// deployment is what the defaults of the variables deploy, once there are images.
func deployment() (*stack.Stack, error) {
	return stack.Read(stack.Values{"image_tag": cty.StringVal("simulated"), "inference_image_tag": cty.StringVal("simulated")})
}

func play(s *stack.Stack) ([]outcome, error) {
	var list []outcome
	for _, c := range scenarios() {
		o, err := simulate(s, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		list = append(list, o)
	}
	return list, nil
}

// The table stands between these lines.
const (
	tableBegin = "<!-- table: make scaling writes it -->\n"
	tableEnd   = "<!-- end of the table -->\n"
)

// withTable puts the table into the page.
func withTable(page, table string) (string, error) {
	before, rest, found := strings.Cut(page, tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !found || !ends {
		return "", fmt.Errorf("there is no place for the table: %q and %q", tableBegin, tableEnd)
	}
	return before + tableBegin + table + tableEnd + after, nil
}

// table writes what the days came to, in Markdown: a column a day.
func table(outcomes []outcome) string {
	var out strings.Builder
	head, line := "| |", "|---|"
	for _, o := range outcomes {
		head += " " + o.title + " |"
		line += "--:|"
	}
	fmt.Fprintf(&out, "%s\n%s\n", head, line)
	for i, row := range outcomes[0].rows() {
		fmt.Fprintf(&out, "| %s |", row[0])
		for _, o := range outcomes {
			fmt.Fprintf(&out, " %s |", o.rows()[i][1])
		}
		out.WriteString("\n")
	}
	return out.String()
}

// rows are a day's figures with their names.
func (o outcome) rows() [][2]string {
	after := func(seconds int) string {
		if seconds >= 2*60*60 {
			return fmt.Sprintf("%.1f h", float64(seconds)/3600)
		}
		return fmt.Sprintf("%.1f min", float64(seconds)/60)
	}
	return [][2]string{
		{"films finished", fmt.Sprint(o.films)},
		{"first media-worker task, after", after(o.firstTask)},
		{"first inference instance, after", after(o.firstInstance)},
		{"last film finished, after", after(o.done)},
		{"most tasks: media-worker, video-worker", fmt.Sprint(o.mediaPeak, ", ", o.videoPeak)},
		{"most instances", fmt.Sprint(o.instances)},
		{"task hours: media-worker, video-worker", fmt.Sprintf("%.1f, %.1f", o.taskHours[0], o.taskHours[1])},
		{"instance hours", fmt.Sprintf("%.1f", o.instanceHours)},
		{"dollars: workers on demand, instances", fmt.Sprintf("%.2f, %.2f", o.dollars[0], o.dollars[1])},
		{"dollars for an hour of film", fmt.Sprintf("%.2f", (o.dollars[0]+o.dollars[1])/(float64(o.films)*filmHours))},
		{"hours of the day without any task or instance", fmt.Sprintf("%.1f", float64(o.quiet)/60)},
		{"scale-ins while a message was visible or in flight", fmt.Sprint(o.cutShort)},
		{"scale-ins as a message came, before metrics could tell", fmt.Sprint(o.raced)},
	}
}
