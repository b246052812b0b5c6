// Package environ reads environment variables where they are set (this shell, a live process, .env, Dockerfile, compose,
// Kubernetes, systemd, gunicorn and uwsgi files) and who reads them: the TensorFlow that is installed, asked in its own files.
// It judges nothing.
package environ

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"tfguard/probe"
)

// ErrNoInterpreter is returned by FindInterpreter when no Python could be found or run.
var ErrNoInterpreter = errors.New("no Python interpreter")

// interpreterTimeout bounds the one short run of the interpreter; a healthy one answers in 10 to 50 ms.
const interpreterTimeout = 10 * time.Second

// askInterpreter is run with -I, so that neither the current folder nor PYTHONPATH nor the user's site is imported from.
// It prints one JSON line. site is loaded already; nothing else is imported except json.
const askInterpreter = `import sys, json
s = sys.modules.get("site")
u = None
try:
    u = s.getusersitepackages() if s else None
except Exception:
    pass
print(json.dumps({"version": ".".join(map(str, sys.version_info[:3])), "prefix": sys.prefix, "base": sys.base_prefix,
    "path": [p for p in sys.path if p], "user": u}))`

type interpreterAnswer struct {
	Version string   `json:"version"`
	Prefix  string   `json:"prefix"`
	Base    string   `json:"base"`
	Path    []string `json:"path"`
	User    string   `json:"user"`
}

// FindInterpreter finds the Python that a program started here would run, and the TensorFlow that it would import,
// without importing it. python is the value of --python: a path, a command name, or a virtual environment's folder;
// empty means $VIRTUAL_ENV, then .venv in the current folder, then python3 on PATH.
//
// The error wraps ErrNoInterpreter when there is none or it does not run. An interpreter without TensorFlow is no error:
// TensorFlow.Missing then says so.
func FindInterpreter(ctx context.Context, python string) (probe.Interpreter, error) {
	path, err := locateInterpreter(python)
	if err != nil {
		return probe.Interpreter{}, err
	}
	answer, err := ask(ctx, path)
	if err != nil {
		return probe.Interpreter{Path: path}, err
	}
	in := probe.Interpreter{Path: path, Version: answer.Version, Prefix: answer.Prefix}
	in.SitePackages = importPath(answer, os.Getenv)
	in.Packages = distributions(in.SitePackages)
	for _, p := range in.Packages {
		if normalize(p.Name) == "keras" && in.Keras == "" {
			in.Keras = p.Version
		}
	}
	in.TensorFlow = findTensorFlow(in.SitePackages)
	return in, nil
}

func locateInterpreter(python string) (string, error) {
	if python != "" {
		if path := inVenv(python); path != "" {
			return path, nil
		}
		path, err := exec.LookPath(python)
		if err != nil {
			return "", fmt.Errorf("%w: %s: %v", ErrNoInterpreter, python, lookErr(err))
		}
		return filepath.Abs(path)
	}
	if venv := os.Getenv("VIRTUAL_ENV"); venv != "" {
		path := inVenv(venv)
		if path == "" {
			return "", fmt.Errorf("%w: VIRTUAL_ENV names %s, which has no bin/python", ErrNoInterpreter, venv)
		}
		return path, nil
	}
	if path := inVenv(".venv"); path != "" {
		return path, nil
	}
	for _, name := range []string{"python3", "python"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("%w: no $VIRTUAL_ENV, no .venv here, no python3 on PATH", ErrNoInterpreter)
}

func lookErr(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// inVenv returns the interpreter of a virtual environment's folder, or "". Its path is made absolute but its links are
// not followed: CPython finds pyvenv.cfg beside the path it was started by.
func inVenv(dir string) string {
	st, err := os.Stat(dir)
	if err != nil || !st.IsDir() {
		return ""
	}
	for _, name := range []string{"bin/python3", "bin/python", "Scripts/python.exe"} {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && !st.IsDir() {
			if abs, err := filepath.Abs(path); err == nil {
				return abs
			}
		}
	}
	return ""
}

func ask(ctx context.Context, path string) (*interpreterAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, interpreterTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-I", "-c", askInterpreter)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() == context.DeadlineExceeded {
			return nil, fmt.Errorf("%w: %s did not answer within %v", ErrNoInterpreter, path, interpreterTimeout)
		}
		return nil, fmt.Errorf("%w: %s: %v: %s", ErrNoInterpreter, path, err, lastLine(stderr.String()))
	}
	var a interpreterAnswer
	// The answer is the last line: a .pth file of site-packages may have printed something before it.
	if err := json.Unmarshal([]byte(lastLine(stdout.String())), &a); err != nil || a.Version == "" {
		return nil, fmt.Errorf("%w: %s answered %q where its version and path were expected", ErrNoInterpreter, path, clip(stdout.String(), 200))
	}
	return &a, nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return clip(s[strings.LastIndexByte(s, '\n')+1:], 1<<16)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// importPath is sys.path as a program started here sees it: what -I left out is added in CPython's order.
func importPath(a *interpreterAnswer, getenv func(string) string) []string {
	var path []string
	seen := map[string]bool{}
	add := func(dir string) {
		abs, err := filepath.Abs(dir)
		if err != nil || seen[abs] {
			return
		}
		seen[abs] = true
		if st, err := os.Stat(abs); err == nil && st.IsDir() {
			path = append(path, abs)
		}
	}
	for _, dir := range filepath.SplitList(getenv("PYTHONPATH")) {
		if dir != "" {
			add(dir)
		}
	}
	user := a.User
	if getenv("PYTHONNOUSERSITE") != "" || a.Prefix != a.Base && !systemSite(a.Prefix) {
		user = ""
	}
	for _, dir := range a.Path {
		// site puts the user's site before the first site-packages or dist-packages.
		if base := filepath.Base(dir); user != "" && (base == "site-packages" || base == "dist-packages") {
			add(user)
			user = ""
		}
		add(dir)
	}
	return path
}

// systemSite reports whether a virtual environment sees its base's site-packages (then the user's as well).
func systemSite(prefix string) bool {
	text, err := os.ReadFile(filepath.Join(prefix, "pyvenv.cfg"))
	if err != nil {
		return true // no pyvenv.cfg: not a virtual environment
	}
	for _, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(strings.ToLower(key)) == "include-system-site-packages" {
			return strings.TrimSpace(strings.ToLower(value)) == "true"
		}
	}
	return false
}

// distributions lists the *.dist-info and *.egg-info folders on the path; the first of a name wins, as in importlib.metadata.
func distributions(path []string) []probe.PackageVersion {
	var out []probe.PackageVersion
	seen := map[string]bool{}
	for _, dir := range path {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name, version, ok := distInfo(e.Name())
			if !ok || seen[normalize(name)] {
				continue
			}
			seen[normalize(name)] = true
			out = append(out, probe.PackageVersion{Name: name, Version: version})
		}
	}
	return out
}

// distInfo splits "tensorflow_cpu-2.21.0.dist-info" into its name and version.
func distInfo(base string) (name, version string, ok bool) {
	stem, ok := strings.CutSuffix(base, ".dist-info")
	if !ok {
		if stem, ok = strings.CutSuffix(base, ".egg-info"); !ok {
			return "", "", false
		}
	}
	name, version, ok = strings.Cut(stem, "-")
	version, _, _ = strings.Cut(version, "-py")
	return strings.ReplaceAll(name, "_", "-"), version, ok
}

var runs = regexp.MustCompile(`[-_.]+`)

// normalize is PEP 503's normal form of a distribution's name.
func normalize(name string) string { return strings.ToLower(runs.ReplaceAllString(name, "-")) }

// findTensorFlow finds the tensorflow package that an import would take: the first folder on the path that has one.
func findTensorFlow(path []string) probe.Fact[probe.TFInstall] {
	for _, dir := range path {
		package_ := filepath.Join(dir, "tensorflow")
		if _, err := os.Stat(filepath.Join(package_, "__init__.py")); err != nil {
			continue
		}
		tf := probe.TFInstall{Dir: package_}
		tf.Dist, tf.Version = distributionOf(dir, "tensorflow/__init__.py", "tensorflow", "tf")
		if tf.Version == "" {
			tf.Version = headerVersion(package_)
		}
		for _, lib := range frameworkLibraries {
			if id, err := buildID(filepath.Join(package_, lib)); err == nil {
				tf.BuildID = id
				break
			}
		}
		return probe.Of(tf, package_)
	}
	return probe.Unread[probe.TFInstall]("sys.path", "no tensorflow package in "+describePath(path))
}

var frameworkLibraries = []string{"libtensorflow_framework.so.2", "libtensorflow_framework.2.dylib", "libtensorflow_cc.so.2", "python/_pywrap_tensorflow_internal.so"}

func describePath(path []string) string {
	var sites []string
	for _, p := range path {
		if b := filepath.Base(p); b == "site-packages" || b == "dist-packages" {
			sites = append(sites, p)
		}
	}
	if len(sites) == 0 {
		return "sys.path"
	}
	return strings.Join(sites, ", ")
}

// distributionOf finds the distribution in site whose RECORD lists the file. Names with one of the prefixes are asked first,
// then all others: a build of one's own may have any name.
func distributionOf(site, file string, prefixes ...string) (name, version string) {
	entries, err := os.ReadDir(site)
	if err != nil {
		return "", ""
	}
	for _, likely := range []bool{true, false} {
		for _, e := range entries {
			n, v, ok := distInfo(e.Name())
			if !ok || hasPrefix(strings.ToLower(n), prefixes) != likely {
				continue
			}
			if recordLists(filepath.Join(site, e.Name(), "RECORD"), file) {
				return n, v
			}
		}
	}
	return "", ""
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// recordLists reports whether a wheel's RECORD (CSV: path,hash,size) has a line for the file.
func recordLists(record, file string) bool {
	f, err := os.Open(record)
	if err != nil {
		return false
	}
	defer f.Close()
	sc := bufio.NewScanner(io.LimitReader(f, 64<<20))
	for sc.Scan() {
		if path, _, ok := strings.Cut(sc.Text(), ","); ok && path == file {
			return true
		}
	}
	return false
}

var versionMacro = regexp.MustCompile(`(?m)^#define TF_(MAJOR|MINOR|PATCH)_VERSION\s+(\d+)`)

// headerVersion reads the version of an installation without dist-info from the header that it ships:
// tensorflow/core/public/release_version.h since 2.18, version.h before.
func headerVersion(dir string) string {
	for _, h := range []string{"release_version.h", "version.h"} {
		text, err := os.ReadFile(filepath.Join(dir, "include/tensorflow/core/public", h))
		if err != nil {
			continue
		}
		part := map[string]string{}
		for _, m := range versionMacro.FindAllSubmatch(text, -1) {
			part[string(m[1])] = string(m[2])
		}
		if len(part) == 3 {
			return part["MAJOR"] + "." + part["MINOR"] + "." + part["PATCH"]
		}
	}
	return ""
}

// buildID reads the GNU build ID of an ELF file, in hexadecimal.
func buildID(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOTE || s.Size > 1<<16 {
			continue
		}
		data, err := s.Data()
		if err != nil {
			continue
		}
		for len(data) >= 12 {
			order := f.ByteOrder
			nameLen, descLen, kind := int(order.Uint32(data)), int(order.Uint32(data[4:])), order.Uint32(data[8:])
			nameEnd, ok := 12+(nameLen+3)&^3, nameLen >= 0 && nameLen < 1<<16 && descLen >= 0 && descLen < 1<<16
			end := nameEnd + (descLen+3)&^3
			if !ok || end > len(data) {
				break
			}
			if kind == 3 && string(data[12:12+nameLen]) == "GNU\x00" { // NT_GNU_BUILD_ID
				return fmt.Sprintf("%x", data[nameEnd:nameEnd+descLen]), nil
			}
			data = data[end:]
		}
	}
	return "", fmt.Errorf("%s has no build ID", path)
}
