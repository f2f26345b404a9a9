package infra

import (
	"fmt"
	"strings"
)

// ParseEnv reads lines of NAME=value as a POSIX shell would: 'literal', "with \" escapes", backslashes, # comments, and an
// `export` before the name. What a shell would have to compute ($NAME, `command`, a second word) is an error.
func ParseEnv(text string) (Env, error) {
	p := &envParser{rest: text, line: 1}
	env := Env{}
	for p.skipBlank(); p.rest != ""; p.skipBlank() {
		name, value, err := p.assignment()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
		env[name] = value
	}
	return env, nil
}

// envParser holds what is still to be read. Its errors don't quote the text, which may be a secret.
type envParser struct {
	rest string
	line int // of rest's beginning, from 1
}

// take removes and returns the first n bytes.
func (p *envParser) take(n int) string {
	taken := p.rest[:n]
	p.rest, p.line = p.rest[n:], p.line+strings.Count(taken, "\n")
	return taken
}

// span takes bytes as long as they are, or are not, among set.
func (p *envParser) span(set string, among bool) string {
	n := strings.IndexFunc(p.rest, func(r rune) bool { return strings.ContainsRune(set, r) != among })
	if n < 0 {
		n = len(p.rest)
	}
	return p.take(n)
}

// skipBlank takes empty lines, indentation and comments.
func (p *envParser) skipBlank() {
	for p.span(" \t\r\n", true); strings.HasPrefix(p.rest, "#"); p.span(" \t\r\n", true) {
		p.span("\n", false)
	}
}

// assignment takes one NAME=value with the rest of its line.
func (p *envParser) assignment() (name, value string, err error) {
	if strings.HasPrefix(p.rest, "export ") || strings.HasPrefix(p.rest, "export\t") {
		p.take(len("export"))
		p.span(" \t", true)
	}
	name = p.span("= \t\r\n", false)
	if !envName.MatchString(name) || !strings.HasPrefix(p.rest, "=") {
		return "", "", fmt.Errorf("expected NAME=value")
	}
	p.take(1)
	if value, err = p.word(); err != nil {
		return "", "", err
	}
	p.span(" \t\r", true)
	if p.rest != "" && p.rest[0] != '\n' && p.rest[0] != '#' {
		return "", "", fmt.Errorf("%s: a value with spaces wants quotes", name)
	}
	return name, value, nil
}

// word takes a value: pieces in quotes and out of them, up to a blank.
func (p *envParser) word() (string, error) {
	var out strings.Builder
	for {
		out.WriteString(p.span("'\"\\$`;&|<>() \t\r\n", false))
		switch {
		case p.rest == "" || strings.ContainsRune(" \t\r\n", rune(p.rest[0])):
			return out.String(), nil
		case p.rest[0] == '\'':
			piece, err := p.literal()
			if err != nil {
				return "", err
			}
			out.WriteString(piece)
		case p.rest[0] == '"':
			if err := p.quoted(&out); err != nil {
				return "", err
			}
		case p.rest[0] == '\\' && len(p.rest) > 1:
			if escaped := p.take(2)[1:]; escaped != "\n" { // an escaped line end joins lines
				out.WriteString(escaped)
			}
		default:
			return "", fmt.Errorf("%q means something to a shell: put the value into single quotes", p.rest[0])
		}
	}
}

// literal takes a piece in single quotes.
func (p *envParser) literal() (string, error) {
	end := strings.IndexByte(p.rest[1:], '\'')
	if end < 0 {
		return "", fmt.Errorf("a single quote is never closed")
	}
	return strings.Trim(p.take(end+2), "'"), nil
}

// quoted takes a piece in double quotes into out.
func (p *envParser) quoted(out *strings.Builder) error {
	for p.take(1); ; {
		out.WriteString(p.span("\"\\$`", false))
		switch {
		case p.rest == "" || p.rest == `\`:
			return fmt.Errorf("a double quote is never closed")
		case p.rest[0] == '"':
			p.take(1)
			return nil
		case p.rest[0] != '\\':
			return fmt.Errorf("%q means something to a shell: put the value into single quotes", p.rest[0])
		}
		switch pair := p.take(2); pair[1] {
		case '"', '\\', '$', '`':
			out.WriteByte(pair[1])
		case '\n': // an escaped line end joins lines
		default:
			out.WriteString(pair)
		}
	}
}
