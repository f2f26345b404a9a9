package media

import "path/filepath"

// name is what messages call the source.
func (s *Source) name() string { return filepath.Base(s.Path) }
