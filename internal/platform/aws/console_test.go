package aws

import (
	"encoding/hex"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// state reads what the console finds behind #: $ is %, twice.
func state(t *testing.T, address string) string {
	t.Helper()
	_, fragment, _ := strings.Cut(address, "#")
	for range 2 {
		var err error
		if fragment, err = url.PathUnescape(strings.ReplaceAll(fragment, "$", "%")); err != nil {
			t.Fatal(err)
		}
	}
	return fragment
}

// notation reads the console's nested values: ~(key~'text~list~(~'text)).
type notation struct {
	t    *testing.T
	rest string
}

func (n *notation) take(prefix string) bool {
	rest, found := strings.CutPrefix(n.rest, prefix)
	if found {
		n.rest = rest
	}
	return found
}

func (n *notation) word() string {
	end := strings.IndexAny(n.rest, "~()'")
	if end < 0 {
		n.t.Fatalf("a word without an end: %q", n.rest)
	}
	word := n.rest[:end]
	n.rest = n.rest[end:]
	var out strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '*' {
			out.WriteByte(word[i])
			continue
		}
		b, err := hex.DecodeString(word[i+1 : i+3])
		if err != nil {
			n.t.Fatal(err)
		}
		out.Write(b)
		i += 2
	}
	return out.String()
}

func (n *notation) value() any {
	switch {
	case n.take("~'"):
		return n.word()
	case n.take("~(~"):
		n.rest = "~" + n.rest
		var list []any
		for !n.take(")") {
			list = append(list, n.value())
		}
		return list
	case n.take("~("):
		object := map[string]any{}
		for !n.take(")") {
			n.take("~")
			key := n.word()
			object[key] = n.value()
		}
		return object
	}
	n.t.Fatalf("no value: %q", n.rest)
	return nil
}

func TestLinesOfAJobAreReadBackByTheConsole(t *testing.T) {
	c := Console{Region: "eu-central-1", LogGroups: []string{"/ecs/stereospot/web-ui", "/ecs/stereospot/video worker~(é)'*"}}
	from := time.Date(2026, 11, 24, 8, 59, 1, 0, time.FixedZone("", 3600))
	address := c.Lines("01a20cd9-1824-723c-b3c9-c3a4fc340329", from, from.Add(time.Hour))
	const page = "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:logs-insights$3FqueryDetail$3D$257E$2528end"
	if !strings.HasPrefix(address, page) || strings.ContainsAny(address, " '()~\"<>") {
		t.Errorf("%s", address)
	}
	detail, found := strings.CutPrefix(state(t, address), "logsV2:logs-insights?queryDetail=")
	if !found {
		t.Fatalf("%s", state(t, address))
	}
	n := &notation{t, detail}
	got := n.value()
	want := map[string]any{
		"end": "2026-11-24T08:59:01.000Z", "start": "2026-11-24T07:59:01.000Z", "timeType": "ABSOLUTE", "tz": "UTC",
		"editorString": "fields @timestamp, @log, level, msg, error, @message\n| filter @message like \"01a20cd9-1824-723c-b3c9-c3a4fc340329\"\n| sort @timestamp asc\n| limit 10000",
		"source":       []any{c.LogGroups[0], c.LogGroups[1]},
	}
	if !reflect.DeepEqual(got, want) || n.rest != "" {
		t.Errorf("the console reads %#v and %q", got, n.rest)
	}
	if got := (Console{Region: "eu-central-1"}).Lines("x", from, from); got != "" {
		t.Errorf("without log groups: %s", got)
	}
}

func TestCostsAreThoseOfTheTag(t *testing.T) {
	from := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	address := Console{Region: "cn-north-1", CostTag: "Cost Centre=films & more"}.Costs(from, from.AddDate(0, 0, 1))
	page, query, _ := strings.Cut(address, "?")
	if page != "https://console.amazonaws.cn/costmanagement/home#/cost-explorer" || strings.ContainsAny(address, " +\"") {
		t.Errorf("%s", address)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if values.Get("startDate") != "2026-11-24" || values.Get("endDate") != "2026-11-25" || values.Get("granularity") != "Daily" {
		t.Errorf("%v", values)
	}
	var filter []struct {
		Dimension struct{ ID string }
		Values    []struct{ Value string }
		Growable  struct{ Value string } `json:"growableValue"`
	}
	if err := json.Unmarshal([]byte(values.Get("filter")), &filter); err != nil || len(filter) != 1 ||
		filter[0].Dimension.ID != "TagKey" || filter[0].Growable.Value != "Cost Centre" || filter[0].Values[0].Value != "films & more" {
		t.Errorf("%s, %v", values.Get("filter"), err)
	}
	if got := (Console{Region: "eu-central-1"}).Costs(from, from); got != "" {
		t.Errorf("without a tag: %s", got)
	}
}
