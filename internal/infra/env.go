package infra

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Env is names and values of environment variables, as a deployment's .env file holds them.
type Env map[string]string

// ReadEnv reads a file that WriteEnv or a person wrote. Its errors name lines, never values.
func ReadEnv(path string) (Env, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	env, err := ParseEnv(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return env, nil
}

// Lookup returns the named values, in order; its error lists every name that is absent or empty.
func (e Env) Lookup(names ...string) ([]string, error) {
	var values, missing []string
	for _, name := range names {
		if values = append(values, e[name]); e[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("not set: %s", strings.Join(missing, ", "))
	}
	return values, nil
}

var (
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)
)

// Format writes the variables sorted by name, one a line, quoted so that a POSIX shell and ParseEnv read them back
// byte by byte. It refuses names that no shell knows, and values with a zero byte, which no environment can hold.
func (e Env) Format() ([]byte, error) {
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if !envName.MatchString(name) {
			return nil, fmt.Errorf("%q can't be the name of an environment variable", name)
		}
		if strings.ContainsRune(e[name], 0) {
			return nil, fmt.Errorf("%s holds a zero byte", name)
		}
		fmt.Fprintf(&out, "%s=%s\n", name, Quote(e[name]))
	}
	return out.Bytes(), nil
}

// Quote returns a value as one word of a POSIX shell.
func Quote(value string) string {
	if plainWord.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// WriteEnv replaces the file with a comment and the variables: readers see the old file or the new one, whole. Only its
// owner may read it. A path that isn't a regular file is refused.
func WriteEnv(path, comment string, env Env) (err error) {
	body, err := env.Format()
	if err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "replace", Path: path, Err: errors.New("not a regular file")}
	}
	return replaceFile(path, append([]byte("# "+comment+"\n"), body...))
}

// replaceFile puts content at path by way of a temporary file beside it, on the disk before it is renamed.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // readable by its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
