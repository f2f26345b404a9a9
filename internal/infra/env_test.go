package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// awkward are values that tempt a reader to see more in them than text.
var awkward = []string{
	"", " ", "plain", "with space", "it's", `"quoted"`, `back\slash`, `ends in \`, "$HOME", "${HOME}", "`id`", "$(id)", "a#b", "#a", " a",
	"a\nb", "a\r\nb", "\t", "~", "*", "a;b", "a&b", "=", "a=b", "'", "''", `'\''`, "https://sqs.eu-central-1.amazonaws.com/1/q?x=1&y=2",
	"arn:aws:secretsmanager:eu-central-1:111122223333:secret:x-AbCdEf", "grün", "\xff\xfe",
}

func TestWhatIsWrittenIsReadBackByteByByte(t *testing.T) {
	for _, value := range awkward {
		roundTrip(t, Env{"NAME": value, "OTHER": "x"})
	}
}

func FuzzEnv(f *testing.F) {
	for _, value := range awkward {
		f.Add("NAME", value, "x")
	}
	f.Fuzz(func(t *testing.T, name, value, other string) {
		if _, err := (Env{name: value}).Format(); err == nil {
			roundTrip(t, Env{name: value, "OTHER_" + name: other[:min(len(other), strings.IndexByte(other+"\x00", 0))]})
		}
	})
}

func roundTrip(t *testing.T, env Env) {
	t.Helper()
	text, err := env.Format()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseEnv(string(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if diff := cmp.Diff(env, got); diff != "" {
		t.Errorf("%q:\n%s", text, diff)
	}
}

func TestAShellReadsTheSame(t *testing.T) {
	for _, value := range awkward {
		path := filepath.Join(t.TempDir(), ".env")
		if err := WriteEnv(path, "a comment", Env{"VALUE": value}); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-c", `. "$1" && printf %s "$VALUE"`, "sh", path).Output()
		if err != nil || string(out) != value {
			t.Errorf("a shell reads %q of %q (%v)", out, value, err)
		}
	}
}

func FuzzParseEnv(f *testing.F) {
	for _, text := range []string{"A=1\n# c\nexport B='x y'", `C="a \"b\" \$c" # d`, "D=a\\ b", "E='", `F="`, "G=$H", "I=a b", "=x", "J", "K=\r\nL=2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		env, err := ParseEnv(text)
		if err != nil {
			return
		}
		if _, err := env.Format(); err == nil {
			roundTrip(t, env)
		}
	})
}

func TestFilesThatPeopleWriteAreRead(t *testing.T) {
	got, err := ParseEnv("# the hub\r\n\n  export HF_TOKEN=hf_abc # mine\r\nQUOTED=\"a \\\"b\\\" \\$c\\d\"\nJOINED='a'b\"c\"\\ d\nEMPTY=\nLAST='x\ny'")
	if err != nil {
		t.Fatal(err)
	}
	want := Env{"HF_TOKEN": "hf_abc", "QUOTED": `a "b" $c\d`, "JOINED": "abc d", "EMPTY": "", "LAST": "x\ny"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsNameTheLineAndKeepTheSecret(t *testing.T) {
	for text, line := range map[string]string{
		"A=1\nHF_TOKEN=hf_secret oops": "line 2", "HF_TOKEN=$hf_secret": "line 1", "A=1\n\nHF_TOKEN='hf_secret": "line 3",
		"hf_secret": "line 1", `HF_TOKEN="hf_secret`: "line 1", "HF_TOKEN=hf_secret`x`": "line 1",
	} {
		_, err := ParseEnv(text)
		if err == nil || !strings.Contains(err.Error(), line) || strings.Contains(err.Error(), "hf_secret") {
			t.Errorf("%q: %v; want an error that names %s", text, err, line)
		}
	}
}

func TestTheFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	if err := WriteEnv(path, "first", Env{"A": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := WriteEnv(path, "second", Env{"A": "2", "no name": "x"}); err == nil {
		t.Error("a name with a space was written")
	}
	if err := WriteEnv(path, "second", Env{"A": "a\x00b"}); err == nil {
		t.Error("a zero byte was written")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "# first\nA=1\n" {
		t.Errorf("%q, %v", text, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteEnv(link, "x", Env{}); err == nil {
		t.Error("a link was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v: want .env and link alone", left, err)
	}
}

func TestLookupListsEverythingThatIsMissing(t *testing.T) {
	_, err := Env{"A": "1", "B": ""}.Lookup("A", "B", "C")
	if err == nil || !strings.Contains(err.Error(), "B, C") {
		t.Error(err)
	}
}
