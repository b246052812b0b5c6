package guard

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// evidenceName is how capture names its folders: time, run, number.
var evidenceName = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{6}-\d+$`)

// PruneEvidence removes the evidence folders in dir that are older than keep, and returns how many it removed. What is
// not named as evidence is not touched.
func PruneEvidence(dir string, keep time.Duration, now time.Time) (int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	n := 0
	for _, e := range entries {
		if !e.IsDir() || !evidenceName.MatchString(e.Name()) {
			continue
		}
		at, perr := time.Parse("20060102T150405Z", e.Name()[:16])
		if perr != nil || now.Sub(at) <= keep {
			continue
		}
		if rerr := os.RemoveAll(filepath.Join(dir, e.Name())); rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		n++
	}
	return n, err
}
