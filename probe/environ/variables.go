package environ

import (
	"regexp"
	"sort"
	"strings"

	"tfguard/probe"
)

// GuideVariables are the eight of the guide, in its order, with the values that it gives.
var GuideVariables = []struct{ Name, Value string }{
	{"TF_CPP_MIN_LOG_LEVEL", "2"},
	{"CUDA_VISIBLE_DEVICES", "-1"},
	{"TF_NUM_INTEROP_THREADS", "1"},
	{"TF_NUM_INTRAOP_THREADS", "1"},
	{"TF_ENABLE_DEPRECATION_WARNINGS", "0"},
	{"TF_LOGGING_LEVEL", "ERROR"},
	{"TF_PROFILER_DISABLE", "1"},
	{"TF_FORCE_GPU_ALLOW_GROWTH", "false"},
}

// FromEnviron turns NAME=value lines (os.Environ, /proc/PID/environ) into the relevant variables, by name. As in getenv(3), the
// first of a name counts.
func FromEnviron(lines []string, origin probe.Origin) []probe.Variable {
	var out []probe.Variable
	seen := map[string]bool{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, "=")
		if !ok || seen[name] || !Relevant(name) {
			continue
		}
		seen[name] = true
		out = append(out, probe.Variable{Name: name, Value: Mask(name, value), Set: true, Origin: origin})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// WithGuide adds the guide's variables that are not set, so that each of the eight is judged.
func WithGuide(vars []probe.Variable, origin probe.Origin) []probe.Variable {
	have := map[string]bool{}
	for _, v := range vars {
		have[v.Name] = true
	}
	for _, g := range GuideVariables {
		if !have[g.Name] {
			vars = append(vars, probe.Variable{Name: g.Name, Origin: origin})
		}
	}
	return vars
}

// Annotate says of each variable who reads it and what else may have been meant. r may be nil: then missing says why.
func Annotate(vars []probe.Variable, r *Readers, missing string) {
	type answer struct {
		readers probe.Fact[[]probe.Reader]
		similar []string
		flags   []string
	}
	known := map[string]answer{}
	for i := range vars {
		v := &vars[i]
		if r == nil {
			v.Readers = probe.Unread[[]probe.Reader]("installed TensorFlow", missing)
			continue
		}
		a, ok := known[v.Name]
		if !ok {
			who := r.Who(v.Name)
			a.readers = probe.Of(who, "strings of the installed files")
			if len(who) == 0 && len(r.Unread) > 0 {
				a.readers = probe.Unread[[]probe.Reader]("strings of the installed files", r.Unread[0])
			}
			if !r.Reads(v.Name) {
				a.similar = r.Similar(v.Name, 3)
			}
			known[v.Name] = a
		}
		v.Readers, v.Similar, v.Owned = a.readers, a.similar, Owned(v.Name)
		if v.Name == "XLA_FLAGS" || v.Name == "TF_XLA_FLAGS" {
			v.UnknownFlags = r.unknownFlags(v.Value)
		}
	}
}

var flagWord = regexp.MustCompile(`(?:^|\s)--(?:no)?((?:xla|tf)_[a-z0-9_]+)`)

// unknownFlags lists the flags of XLA_FLAGS or TF_XLA_FLAGS that no installed binary has a literal for.
func (r *Readers) unknownFlags(value string) []string {
	if len(r.flags) == 0 {
		return nil // no binaries indexed: nothing can be said
	}
	var out []string
	for _, m := range flagWord.FindAllStringSubmatch(value, -1) {
		if !r.HasFlag(m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

var (
	secretName = regexp.MustCompile(`(?i)(secret|passw|token|credential|api_?key|access_?key|private)`)
	userinfo   = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@"']+@`)
	notSecret  = map[string]bool{"GCS_INITIAL_TOKENS": true, "GCS_TOKENS_PER_REQUEST": true, "GCS_THROTTLE_TOKEN_RATE": true}
)

// Masked stands for a value that may be a secret.
const Masked = "***"

// Mask hides the values of secrets, and the user part of any URL.
func Mask(name, value string) string {
	if secretName.MatchString(name) && !notSecret[name] && value != "" {
		return Masked
	}
	return userinfo.ReplaceAllString(value, "${1}"+Masked+"@")
}

var secretArgument = regexp.MustCompile(`(?i)(--?[a-z0-9-]*(?:secret|passw|token|credential|api-?key)[a-z0-9-]*[= ])\S+`)

// MaskArguments hides secrets in a command line.
func MaskArguments(command string) string {
	return userinfo.ReplaceAllString(secretArgument.ReplaceAllString(command, "${1}"+Masked), "${1}"+Masked+"@")
}
