package environ

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"tfguard/probe"
)

// A File is what one deployment file sets and starts.
type File struct {
	Path      string
	Kind      string // dotenv, dockerfile, compose, kubernetes, systemd, gunicorn, uwsgi
	Variables []probe.Variable
	Services  []probe.Service

	configMaps map[string]configMap // of all files read together
}

// maxFile bounds a deployment file, in bytes.
const maxFile = 8 << 20

// ReadFile reads a .env file, a Dockerfile, a compose or Kubernetes file, a systemd unit, or a gunicorn or uwsgi configuration; which
// it is follows from its name, and for YAML from its content. Errors name the file, and the line where there is one. Files that it
// refers to (env_file, EnvironmentFile, drop-ins) are read as well.
func ReadFile(path string) (*File, error) { return readFile(path, map[string]configMap{}) }

// ReadFiles reads several files as ReadFile does. ConfigMaps of one serve the workloads of another. A file that cannot be read loses
// nothing of the rest: each gives a File or an error.
func ReadFiles(paths []string) (files []*File, failed []error) {
	maps := map[string]configMap{}
	if len(paths) > 1 {
		for _, p := range paths {
			if text, err := readText(p); err == nil && fileKind(p, text) == "kubernetes" {
				if docs, err := yamlDocuments(p, text); err == nil {
					collectConfigMaps(p, docs, maps)
				}
			}
		}
	}
	for _, p := range paths {
		if f, err := readFile(p, maps); err != nil {
			failed = append(failed, err)
		} else {
			files = append(files, f)
		}
	}
	return files, failed
}

func readFile(path string, configMaps map[string]configMap) (*File, error) {
	text, err := readText(path)
	if err != nil {
		return nil, err
	}
	kind := fileKind(path, text)
	parse := parsers[kind]
	if parse == nil {
		return nil, fmt.Errorf("%s: not a kind of file that is known here; .env, Dockerfile, compose and Kubernetes YAML, systemd units, gunicorn.conf.py and uwsgi.ini are", path)
	}
	f := &File{Path: path, Kind: kind, configMaps: configMaps}
	if err := parse(f, text); err != nil {
		return nil, err
	}
	for i := range f.Variables {
		v := &f.Variables[i]
		v.Set = true
		if v.Origin.Kind == "" {
			v.Origin.Kind = kind
		}
		switch v.Origin.File {
		case "":
			v.Origin.File = path
		case path:
		default:
			v.Origin.Root = path
		}
		v.Value = Mask(v.Name, v.Value)
	}
	for i := range f.Services {
		s := &f.Services[i]
		s.Origin.Kind, s.Origin.File = kind, path
		s.Command.Value = MaskArguments(s.Command.Value)
	}
	return f, nil
}

var parsers = map[string]func(*File, []byte) error{
	"dotenv":     parseDotenv,
	"dockerfile": parseDockerfile,
	"compose":    parseYAML,
	"kubernetes": parseYAML,
	"systemd":    parseSystemd,
	"gunicorn":   parseGunicorn,
	"uwsgi":      parseUwsgi,
}

// readText reads a whole text file, or says in one clear word why not.
func readText(path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file", path)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	case st.IsDir():
		return nil, fmt.Errorf("%s: is a folder; name the files in it", path)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case st.Size() > maxFile:
		return nil, fmt.Errorf("%s: %d bytes; a deployment file has at most %d", path, st.Size(), maxFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return nil, fmt.Errorf("%s: binary, not text (a zero byte at offset %d)", path, i)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s: not UTF-8 text", path)
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil
}

func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// tooMany stops at a file that would fill memory: aliases let a short one name a great many.
func (f *File) tooMany() error {
	if len(f.Services) > 5_000 || len(f.Variables) > 100_000 {
		return fmt.Errorf("%s: more than 5000 containers or 100000 variables", f.Path)
	}
	return nil
}

var unitSuffixes = []string{".service", ".socket", ".timer", ".target", ".mount", ".path", ".slice", ".scope"}

func fileKind(path string, text []byte) string {
	base := strings.ToLower(filepath.Base(path))
	switch ext := filepath.Ext(base); {
	case base == "dockerfile", base == "containerfile", strings.HasPrefix(base, "dockerfile."), strings.HasPrefix(base, "containerfile."), ext == ".dockerfile", ext == ".containerfile":
		return "dockerfile"
	case base == ".env", ext == ".env", strings.HasPrefix(base, ".env."), strings.HasSuffix(base, "-env"), strings.HasPrefix(base, "env."), base == "environment":
		return "dotenv"
	case ext == ".yaml", ext == ".yml", ext == ".json":
		return yamlKind(base, text)
	case contains(unitSuffixes, ext), ext == ".conf" && strings.HasSuffix(filepath.Dir(path), ".d"):
		return "systemd"
	case ext == ".py" && (strings.Contains(base, "gunicorn") || bytes.Contains(text, []byte("preload_app")) || bytes.Contains(text, []byte("worker_class"))):
		return "gunicorn"
	case ext == ".ini" && (strings.Contains(base, "uwsgi") || bytes.Contains(text, []byte("[uwsgi]"))):
		return "uwsgi"
	case base == "gunicorn.conf", base == "uwsgi.conf":
		return strings.TrimSuffix(base, ".conf")
	}
	// Files without a telling name tell by their first meaningful line.
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"):
			continue
		case strings.HasPrefix(strings.ToUpper(line), "FROM "), strings.HasPrefix(strings.ToUpper(line), "ARG "):
			return "dockerfile"
		case line == "[Unit]" || line == "[Service]":
			return "systemd"
		case line == "[uwsgi]":
			return "uwsgi"
		case strings.HasPrefix(line, "apiVersion:") || strings.HasPrefix(line, "services:") || line == "---":
			return yamlKind(base, text)
		case dotenvLine.MatchString(line):
			return "dotenv"
		}
		return ""
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
