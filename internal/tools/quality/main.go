// Quality measures the engine against scenes whose depth is known and prints the tables of
// docs/quality.md:
//
//	go run ./internal/tools/quality depth views edges fill every
package main

import (
	"fmt"
	"io"
	"os"
)

// sections are the tables by the name that the command line gives them.
var sections = map[string]func(io.Writer) error{
	"depth": func(out io.Writer) error { return reportDepth(out, 960, 540) },
	"views": func(out io.Writer) error { return reportViews(out, 1920, 1080) },
	"edges": func(out io.Writer) error { return reportEdges(out, 1920, 1080) },
	"every": func(out io.Writer) error { return reportEvery(out, 480, 270) },
	"fill":  func(out io.Writer) error { return reportFill(out, 960, 540) },
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("name a section: depth, views, edges, fill or every")
	}
	for _, name := range args {
		section, ok := sections[name]
		if !ok {
			return fmt.Errorf("no section is named %q", name)
		}
		if err := section(out); err != nil {
			return err
		}
	}
	return nil
}
