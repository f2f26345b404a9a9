package aws

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Console writes addresses of AWS's web console, for operators.
type Console struct {
	Region    string
	LogGroups []string // of the services; empty: there is no link to their lines
	CostTag   string   // of the deployment, as key=value; empty: there is no link to its cost
}

// Lines returns where CloudWatch Logs Insights shows what the services have logged of a job within a span of time; empty
// where no log groups are known.
func (c Console) Lines(jobID string, from, to time.Time) string {
	if len(c.LogGroups) == 0 {
		return ""
	}
	query := fmt.Sprintf("fields @timestamp, @log, level, msg, error, @message\n| filter @message like %q\n| sort @timestamp asc\n| limit 10000", jobID)
	sources := ""
	for _, group := range c.LogGroups {
		sources += "~'" + starEscape(group)
	}
	const instant = "2006-01-02T15:04:05.000Z"
	detail := fmt.Sprintf("~(end~'%s~start~'%s~timeType~'ABSOLUTE~tz~'UTC~editorString~'%s~source~(%s))",
		starEscape(to.UTC().Format(instant)), starEscape(from.UTC().Format(instant)), starEscape(query), sources)
	return fmt.Sprintf("https://%[1]s.%[2]s/cloudwatch/home?region=%[1]s#logsV2:logs-insights%[3]s",
		c.Region, c.host(), dollarEscape("?queryDetail="+percentAll(detail)))
}

// The console keeps a page's state behind # in a notation of its own: nested values as ~(key~'text~list~(~'text)), in
// whose texts every byte but letters, digits, - and . is *XX; that percent-encoded; and that, as the state of a page in a
// page, percent-encoded again with $ for %.

// starEscape writes the bytes of a text that mean something in the console's notation as *XX.
func starEscape(text string) string { return escape(text, "*%02x", "-.") }

// percentAll percent-encodes everything that an address could take amiss, and the notation's own marks.
func percentAll(text string) string { return escape(text, "%%%02X", "-.*") }

// dollarEscape is percentAll with $ for %.
func dollarEscape(text string) string { return escape(text, "$%02X", "-.*") }

// escape writes a byte that is neither a letter, a digit nor among plain in the given form.
func escape(text, form, plain string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte(plain, b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, form, b)
		}
	}
	return out.String()
}

// host returns the console's domain in the region's partition.
func (c Console) host() string {
	switch {
	case strings.HasPrefix(c.Region, "cn-"):
		return "console.amazonaws.cn"
	case strings.HasPrefix(c.Region, "us-gov-"):
		return "console.amazonaws-us-gov.com"
	}
	return "console.aws.amazon.com"
}

// Costs returns where Cost Explorer shows what the deployment cost on the days of a span of time, by service; empty
// where no tag is known. The tag must be activated as a cost allocation tag.
func (c Console) Costs(from, to time.Time) string {
	key, value, found := strings.Cut(c.CostTag, "=")
	if !found {
		return ""
	}
	type choice struct {
		Value   string `json:"value"`
		Display string `json:"displayValue"`
	}
	filter, err := json.Marshal([]map[string]any{{
		"dimension": map[string]string{"id": "TagKey", "displayValue": "Tag"}, "operator": "INCLUDES",
		"values": []choice{{value, value}}, "growableValue": choice{key, key},
	}})
	if err != nil {
		return "" // strings are always written
	}
	state := url.Values{
		"chartStyle": {"STACK"}, "costAggregate": {"unBlendedCost"}, "granularity": {"Daily"}, "groupBy": {`["Service"]`},
		"historicalRelativeRange": {"CUSTOM"}, "futureRelativeRange": {"CUSTOM"}, "reportMode": {"STANDARD"}, "filter": {string(filter)},
		"startDate": {from.UTC().Format(time.DateOnly)}, "endDate": {to.UTC().Format(time.DateOnly)},
	}
	return "https://" + c.host() + "/costmanagement/home#/cost-explorer?" + strings.ReplaceAll(state.Encode(), "+", "%20")
}
