package onnx

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
)

// place is where in its own source ONNX Runtime met with an error, which it puts before what the error is: a file, a line
// and a function's signature.
var place = regexp.MustCompile(`/[^\s:]*onnxruntime/core/[^\s:]+:\d+ [^()]*\([^()]*(?:\([^()]*\)[^()]*)*\)(?: const)?(?: \[with [^\]]*\])? `)

// code is what ONNX Runtime's provider libraries begin an error with, call what the one for CUDA ends one with.
var (
	code = regexp.MustCompile(`\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : `)
	call = regexp.MustCompile(` ?; GPU=-?\d+ ; hostname=\S* ; file=\S* ; line=\d+ ; expr=.*`)
)

// plain returns an error of ONNX Runtime in the words that are for people, on one line.
func plain(err error) error {
	text := err.Error()
	words := text
	for _, noise := range []*regexp.Regexp{place, code, call} {
		words = noise.ReplaceAllString(words, "")
	}
	words = strings.Join(strings.Fields(words), " ")
	if words == text {
		return err
	}
	return errors.New(words)
}

// pointer begins the small file that stands for a large one in a Git repository (https://git-lfs.github.com/spec/v1).
var pointer = []byte("version https://git-lfs")

// alien says what a file is instead of a network, as far as its first bytes tell; "" where they don't.
func alien(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "" // whoever opens it next says why
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil {
		return ""
	}
	kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch {
	case len(head) == 0:
		return "an empty file"
	case bytes.HasPrefix(head, pointer):
		return "a Git LFS pointer, which stands for the file: git lfs pull fetches that"
	case kind == "text/html":
		return "a web page: use the address from which the file itself comes"
	case kind == "application/octet-stream":
		return ""
	}
	return kind
}
