package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"tfguard/python"
)

// shimFiles are the companion's files by their name in the shim folder; the key names their content.
var shimFiles = sync.OnceValues(func() (files map[string][]byte, key string) {
	files = map[string][]byte{}
	sum := sha256.New()
	_ = fs.WalkDir(python.Files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := python.Files.ReadFile(p)
		name := strings.TrimPrefix(p, "sitecustomize/")
		files[name] = b
		fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
		return err
	})
	return files, hex.EncodeToString(sum.Sum(nil))[:16]
})

// shimFolder returns a folder with the companion's files. It is kept in the user's cache, so that Python's byte code is
// kept too; where that can't be made or trusted (not ours, writable by others, changed), it is made in the run's folder.
func shimFolder(runDir string) (string, error) {
	files, key := shimFiles()
	if cache, err := os.UserCacheDir(); err == nil && filepath.IsAbs(cache) {
		dir := filepath.Join(cache, "tfguard", "shim-"+key)
		if trusted(dir, files) {
			return dir, nil
		}
		if tmp, err := os.MkdirTemp(mkdir(filepath.Join(cache, "tfguard")), "shim-*"); err == nil {
			if writeShim(tmp, files) == nil && os.Rename(tmp, dir) == nil || trusted(dir, files) { // another run may have been faster
				os.RemoveAll(tmp)
				return dir, nil
			}
			os.RemoveAll(tmp)
		}
	}
	dir := filepath.Join(runDir, "shim")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return dir, writeShim(dir, files)
}

func mkdir(dir string) string {
	_ = os.MkdirAll(dir, 0o700)
	return dir
}

func writeShim(dir string, files map[string][]byte) error {
	for name, b := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(p, b, 0o400); err != nil {
			return err
		}
	}
	return nil
}

// trusted reports whether dir is ours alone and holds exactly these sources.
func trusted(dir string, files map[string][]byte) bool {
	for _, d := range []string{filepath.Dir(dir), dir, filepath.Join(dir, "tfguard")} {
		if !private(d, unix.S_IFDIR) {
			return false
		}
	}
	for name, want := range files {
		p := filepath.Join(dir, name)
		if !private(p, unix.S_IFREG) {
			return false
		}
		if got, err := os.ReadFile(p); err != nil || !bytes.Equal(got, want) {
			return false
		}
	}
	return true
}

func private(path string, kind uint32) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == kind && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}
