package depth

import "fmt"

// New returns a fresh estimator of the given name, for one clip.
func New(name string) (Estimator, error) {
	if name == "classic" {
		return newClassic(), nil
	}
	return nil, fmt.Errorf("unknown depth source %q: use classic", name)
}
