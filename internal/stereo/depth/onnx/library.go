package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// howToGet is the way to a library.
const howToGet = "get it with `pip install onnxruntime` (onnxruntime-gpu for NVIDIA) or from ONNX Runtime's releases, version 1.24 or newer, " +
	"and name it with --ort-lib or ORT_LIB"

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnavailable, fmt.Sprintf(format, args...))
}

// libraryName is the file's name, without a version.
func libraryName() string {
	if runtime.GOOS == "darwin" {
		return "libonnxruntime.dylib"
	}
	return "libonnxruntime.so"
}

// FindLibrary returns the path of ONNX Runtime's library: the one that is asked for, else ORT_LIB's, else one that came
// with this program, else one of the system.
func FindLibrary(asked string) (string, error) {
	if asked == "" {
		asked = os.Getenv("ORT_LIB")
	}
	if asked != "" {
		if !isFile(asked) {
			return "", unavailable("%s is no ONNX Runtime library: %s", asked, howToGet)
		}
		return asked, nil
	}
	for _, dir := range libraryPlaces() {
		if path := newestLibrary(dir); path != "" {
			return path, nil
		}
	}
	return "", unavailable("ONNX Runtime's library isn't installed: %s", howToGet)
}

// libraryPlaces are the directories where a library may be, the program's own first.
func libraryPlaces() []string {
	var places []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dir := filepath.Dir(exe)
			places = append(places, dir, filepath.Join(dir, "lib"), filepath.Join(dir, "../lib/stereospot"), filepath.Join(dir, "../work/onnxruntime"))
		}
	}
	places = append(places, "/usr/lib/stereospot", "/usr/local/lib/stereospot", "/opt/onnxruntime/lib", "/usr/local/lib", "/usr/lib")
	if triple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]; triple != "" {
		places = append(places, "/usr/lib/"+triple)
	}
	return append(places, "/usr/lib64", "/opt/homebrew/lib")
}

// newestLibrary returns the library in a directory, "" if there is none. The plain name wins over names with a
// version, of which the highest does.
func newestLibrary(dir string) string {
	plain := filepath.Join(dir, libraryName())
	if isFile(plain) {
		return plain
	}
	pattern := plain + ".*"
	if runtime.GOOS == "darwin" {
		pattern = filepath.Join(dir, "libonnxruntime.*.dylib")
	}
	found, err := filepath.Glob(pattern)
	found = slices.DeleteFunc(found, func(path string) bool { return !isFile(path) })
	if err != nil || len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { return slices.Compare(version(a), version(b)) })
}

// isFile reports whether path is a file that can be loaded, or a link to one. Opening a pipe would never end.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

var number = regexp.MustCompile(`\d{1,9}`)

// version returns the numbers in a library's name.
func version(path string) []int {
	var version []int
	for _, digits := range number.FindAllString(filepath.Base(path), -1) {
		n, _ := strconv.Atoi(digits) // nine digits at most
		version = append(version, n)
	}
	return version
}
