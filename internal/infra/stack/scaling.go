package stack

import (
	"fmt"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/infra/terraform"
	"github.com/stereospot/stereospot/internal/platform"
)

// Scaling is how the number of a service's tasks, or of an endpoint's instances, follows its work.
type Scaling struct {
	Min, Max int
	Steps    []Step  // policies set off by alarms
	Tracks   []Track // policies that keep a metric at a target
}

// Metric is a CloudWatch metric in an expression.
type Metric struct {
	Namespace, Name, Statistic string
	Queue                      string        // the value of dimension QueueName, if it has one
	Period                     time.Duration // 0: the policy's own, a minute
}

// Expression is metric math over metrics by id; a plain metric is the expression "m".
type Expression struct {
	Text    string
	Metrics map[string]Metric
}

// Alarm compares an expression with a threshold.
type Alarm struct {
	Name       string
	Expression Expression
	Comparison string // GreaterThanOrEqualToThreshold, …
	Threshold  float64
	Periods    int    // that are looked at
	Datapoints int    // of them that have to breach
	Missing    string // what a missing value counts as: breaching, notBreaching, ignore, missing
	Actions    []string
}

// Step is a step scaling policy with the alarm that sets it off.
type Step struct {
	Alarm      Alarm
	Adjustment string // ChangeInCapacity, ExactCapacity
	Cooldown   time.Duration
	Intervals  []Interval
}

// Interval is one step: Change applies while the metric is within [Threshold+Lower, Threshold+Upper).
type Interval struct {
	Lower, Upper *float64 // nil: unbounded
	Change       int
}

// Track is a target tracking policy.
type Track struct {
	Expression Expression
	Target     float64
	Out, In    time.Duration // cooldowns
	OutOnly    bool
}

// Scalings returns what scales by its work, by service; the endpoint is "inference". web-ui, which follows its
// processor, isn't among them.
func (s *Stack) Scalings() (map[string]Scaling, error) {
	targets, err := s.project.Resources("aws_appautoscaling_target")
	if err != nil {
		return nil, err
	}
	policies, err := s.project.Resources("aws_appautoscaling_policy")
	if err != nil {
		return nil, err
	}
	alarms, err := s.Alarms()
	if err != nil {
		return nil, err
	}
	scalings := map[string]Scaling{}
	for _, t := range targets {
		service := t.Key
		if service == "" {
			service, _, _ = strings.Cut(strings.TrimPrefix(t.Address, "aws_appautoscaling_target."), "[")
		}
		if service == "web_ui" {
			continue
		}
		scaling := Scaling{Min: int(t.Number("min_capacity")), Max: int(t.Number("max_capacity"))}
		for _, p := range policies {
			if p.Text("resource_id") != t.Text("resource_id") {
				continue
			}
			if err := scaling.add(p, alarms); err != nil {
				return nil, fmt.Errorf("%s: %w", p.Address, err)
			}
		}
		scalings[service] = scaling
	}
	return scalings, nil
}

// add files a policy under its kind.
func (s *Scaling) add(p terraform.Resource, alarms []Alarm) error {
	if p.Text("policy_type") == "TargetTrackingScaling" {
		s.Tracks = append(s.Tracks, track(p.One("target_tracking_scaling_policy_configuration")))
		return nil
	}
	step := p.One("step_scaling_policy_configuration")
	for _, a := range alarms {
		for _, action := range a.Actions {
			if action == p.Address+".arn" {
				s.Steps = append(s.Steps, Step{
					Alarm: a, Adjustment: step.Text("adjustment_type"), Cooldown: seconds(step, "cooldown"), Intervals: intervals(step),
				})
				return nil
			}
		}
	}
	return fmt.Errorf("no alarm sets it off")
}

func intervals(step terraform.Block) []Interval {
	var list []Interval
	for _, b := range step.Blocks["step_adjustment"] {
		list = append(list, Interval{
			Lower: bound(b, "metric_interval_lower_bound"), Upper: bound(b, "metric_interval_upper_bound"), Change: int(b.Number("scaling_adjustment")),
		})
	}
	return list
}

func bound(b terraform.Block, argument string) *float64 {
	if b.Text(argument) == "" {
		return nil
	}
	n := b.Number(argument)
	return &n
}

func track(b terraform.Block) Track {
	t := Track{
		Target: b.Number("target_value"), Out: seconds(b, "scale_out_cooldown"), In: seconds(b, "scale_in_cooldown"), OutOnly: b.Truth("disable_scale_in"),
		Expression: Expression{Metrics: map[string]Metric{}},
	}
	metric := b.One("customized_metric_specification")
	if name := metric.Text("metric_name"); name != "" {
		t.Expression.Text = "m"
		t.Expression.Metrics["m"] = Metric{Namespace: metric.Text("namespace"), Name: name, Statistic: metric.Text("statistic")}
		return t
	}
	for _, m := range metric.Blocks["metrics"] {
		if text := m.Text("expression"); text != "" {
			t.Expression.Text = text
			continue
		}
		stat := m.One("metric_stat")
		inner := stat.One("metric")
		found := Metric{Namespace: inner.Text("namespace"), Name: inner.Text("metric_name"), Statistic: stat.Text("stat")}
		for _, d := range inner.Blocks["dimensions"] {
			if d.Text("name") == "QueueName" {
				found.Queue = d.Text("value")
			}
		}
		t.Expression.Metrics[m.Text("id")] = found
	}
	return t
}

// Alarms returns every alarm.
func (s *Stack) Alarms() ([]Alarm, error) {
	all, err := s.project.Resources("aws_cloudwatch_metric_alarm")
	if err != nil {
		return nil, err
	}
	list := make([]Alarm, len(all))
	for i, r := range all {
		list[i] = alarm(r)
	}
	return list, nil
}

func alarm(r terraform.Resource) Alarm {
	a := Alarm{
		Name: r.Text("alarm_name"), Comparison: r.Text("comparison_operator"), Threshold: r.Number("threshold"),
		Periods: int(r.Number("evaluation_periods")), Datapoints: int(r.Number("datapoints_to_alarm")),
		Missing: r.Text("treat_missing_data"), Actions: r.Texts("alarm_actions"), Expression: Expression{Metrics: map[string]Metric{}},
	}
	if a.Datapoints == 0 {
		a.Datapoints = a.Periods
	}
	if name := r.Text("metric_name"); name != "" {
		a.Expression.Text = "m"
		a.Expression.Metrics["m"] = Metric{
			Namespace: r.Text("namespace"), Name: name, Statistic: r.Text("statistic"), Queue: r.Map("dimensions")["QueueName"], Period: seconds(r.Block, "period"),
		}
	}
	for _, q := range r.Blocks["metric_query"] {
		if text := q.Text("expression"); text != "" {
			a.Expression.Text = text
			continue
		}
		m := q.One("metric")
		a.Expression.Metrics[q.Text("id")] = Metric{
			Namespace: m.Text("namespace"), Name: m.Text("metric_name"), Statistic: m.Text("stat"),
			Queue: m.Map("dimensions")["QueueName"], Period: seconds(m, "period"),
		}
	}
	return a
}

// ScaledBy returns the queues whose depth makes a service scale, from the metrics of its policies.
func (s *Stack) ScaledBy(scaling Scaling) ([]platform.QueueName, error) {
	queues, err := s.Queues()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, step := range scaling.Steps {
		for _, m := range step.Alarm.Expression.Metrics {
			seen[m.Queue] = true
		}
	}
	for _, t := range scaling.Tracks {
		for _, m := range t.Expression.Metrics {
			seen[m.Queue] = true
		}
	}
	var list []platform.QueueName
	for _, role := range platform.QueueNames() {
		if seen[queues[role].Name] {
			list = append(list, role)
		}
	}
	return list, nil
}
