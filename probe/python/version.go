package python

import "fmt"

// A Version is a CPython version. Offsets depend on all three parts.
type Version struct{ Major, Minor, Patch int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

func (v Version) less(w Version) bool {
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Patch < w.Patch
}

// fromHex takes PY_VERSION_HEX apart; the low byte (release level) is not kept.
func fromHex(hex uint64) Version {
	return Version{int(hex >> 24 & 0xff), int(hex >> 16 & 0xff), int(hex >> 8 & 0xff)}
}

func parseVersion(s string) (Version, error) {
	var v Version
	if n, err := fmt.Sscanf(s, "%d.%d.%d", &v.Major, &v.Minor, &v.Patch); n < 2 {
		return v, fmt.Errorf("version %q: %w", s, err)
	}
	return v, nil
}
