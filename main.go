// Command stereospot turns 2D video into stereoscopic 3D video.
package main

import (
	"os"

	"github.com/stereospot/stereospot/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
