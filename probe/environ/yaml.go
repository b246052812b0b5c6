package environ

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"tfguard/probe"
)

var (
	topLevelServices = regexp.MustCompile(`(?m)^(services|"services")\s*:`)
	jsonKind         = regexp.MustCompile(`"(apiVersion|kind)"\s*:\s*"`)
	jsonServices     = regexp.MustCompile(`"services"\s*:\s*\{`)
	topLevelKind     = regexp.MustCompile(`(?m)^\s{0,4}"?(apiVersion|kind)"?\s*:`)
)

// yamlKind tells compose from Kubernetes by content, then by name; other YAML is nobody's.
func yamlKind(base string, text []byte) string {
	if flow := strings.HasPrefix(strings.TrimSpace(string(text)), "{"); flow { // JSON, which is YAML
		switch {
		case jsonKind.Match(text):
			return "kubernetes"
		case jsonServices.Match(text):
			return "compose"
		}
		return ""
	}
	switch {
	case topLevelServices.Match(text) && !topLevelKind.Match(text):
		return "compose"
	case topLevelKind.Match(text):
		return "kubernetes"
	case strings.Contains(base, "compose"):
		return "compose"
	case strings.HasPrefix(base, "k8s"), strings.Contains(base, "deployment"), strings.Contains(base, "kube"):
		return "kubernetes"
	}
	return ""
}

// maxDocuments bounds a file of many YAML documents, maxDepth the nesting that is followed.
const (
	maxDocuments = 10_000
	maxDepth     = 40
)

func yamlDocuments(path string, text []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil { // the parser's own limits panic in some versions
			docs, err = nil, fmt.Errorf("%s: invalid YAML: %v", path, p)
		}
	}()
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	for len(docs) < maxDocuments {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			msg := strings.TrimPrefix(err.Error(), "yaml: ")
			hint := ""
			if strings.Contains(string(text), "{{") {
				hint = " (a template: render it first, as with helm template)"
			}
			return nil, fmt.Errorf("%s: invalid YAML: %s%s", path, msg, hint)
		}
		if len(n.Content) > 0 {
			docs = append(docs, n.Content[0])
		}
	}
	return nil, fmt.Errorf("%s: more than %d YAML documents", path, maxDocuments)
}

func parseYAML(f *File, text []byte) error {
	docs, err := yamlDocuments(f.Path, text)
	if err != nil {
		return err
	}
	if f.Kind == "compose" {
		for _, d := range docs {
			if err := parseCompose(f, d); err != nil {
				return err
			}
		}
		return nil
	}
	return parseKubernetes(f, docs)
}

// deref follows aliases; a ring of them ends.
func deref(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

// maxVisits bounds the mappings that one look-up follows through merge keys, whose number can grow as a power of the file's length.
const maxVisits = 2000

// get is the value of a key of a mapping, through merge keys (<<) too; nil when there is none.
func get(n *yaml.Node, keys ...string) *yaml.Node {
	n = deref(n)
	for _, k := range keys {
		visits := maxVisits
		if n = getOne(n, k, &visits); n == nil {
			return nil
		}
	}
	return n
}

func getOne(n *yaml.Node, key string, visits *int) *yaml.Node {
	n = deref(n)
	if *visits--; n == nil || n.Kind != yaml.MappingNode || *visits < 0 {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return deref(n.Content[i+1])
		}
	}
	for _, m := range merges(n) {
		if v := getOne(m, key, visits); v != nil {
			return v
		}
	}
	return nil
}

// merges are the mappings that a mapping takes over by <<.
func merges(n *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		if v := deref(n.Content[i+1]); v != nil && v.Kind == yaml.SequenceNode {
			out = append(out, v.Content...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// each calls fn for every key of a mapping, merged ones first (a later one of the same name counts).
func each(n *yaml.Node, fn func(key, value *yaml.Node)) {
	visits := maxVisits
	eachOne(n, &visits, fn)
}

func eachOne(n *yaml.Node, visits *int, fn func(key, value *yaml.Node)) {
	n = deref(n)
	if *visits--; n == nil || n.Kind != yaml.MappingNode || *visits < 0 {
		return
	}
	for _, m := range merges(n) {
		eachOne(m, visits, fn)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			fn(n.Content[i], deref(n.Content[i+1]))
		}
	}
}

func items(n *yaml.Node) []*yaml.Node {
	n = deref(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = deref(c)
	}
	return out
}

func scalar(n *yaml.Node) string {
	if n = deref(n); n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// strings of a list, or of one scalar split as a shell would.
func argv(n *yaml.Node) []string {
	n = deref(n)
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		var out []string
		for _, w := range words(n.Value, '\\') {
			text, _ := expand(strings.ReplaceAll(w.text, "$", `\$`), '\\', nil, nil)
			out = append(out, text)
		}
		return out
	}
	var out []string
	for _, i := range items(n) {
		out = append(out, scalar(i))
	}
	return out
}

func setting(n *yaml.Node) probe.Setting[string] {
	s := probe.Setting[string]{Applies: true}
	if n = deref(n); n != nil && n.Tag != "!!null" {
		s.Value, s.Set, s.Line, s.Column = n.Value, true, n.Line, n.Column
	}
	return s
}

func number[T any](n *yaml.Node, parse func(string) (T, bool)) (probe.Setting[T], error) {
	s := probe.Setting[T]{Applies: true}
	if n = deref(n); n == nil || n.Tag == "!!null" {
		return s, nil
	}
	v, ok := parse(n.Value)
	if !ok {
		return s, fmt.Errorf("%d:%d: %q is not an amount", n.Line, n.Column, clip(n.Value, 40))
	}
	s.Value, s.Set, s.Line, s.Column = v, true, n.Line, n.Column
	return s, nil
}

func at(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s:%w", path, err)
}

// parseCompose reads a compose file (compose-spec): environment in both forms, env_file, limits, healthcheck, stop_grace_period.
func parseCompose(f *File, doc *yaml.Node) error {
	if doc.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: not a compose file: its top level is no mapping", f.Path)
	}
	services := get(doc, "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: a compose file without services", f.Path)
	}
	host := map[string]string{}
	if text, err := readText(filepath.Join(filepath.Dir(f.Path), ".env")); err == nil {
		if vars, err := dotenv(".env", string(text), true); err == nil {
			for _, v := range vars {
				host[v.Name] = v.Value
			}
		}
	}
	var failed error
	each(services, func(name, n *yaml.Node) {
		if failed != nil {
			return
		}
		if n == nil || n.Kind != yaml.MappingNode {
			failed = fmt.Errorf("%s:%d:%d: service %s is no mapping", f.Path, name.Line, name.Column, name.Value)
			return
		}
		failed = composeService(f, name, n, host)
	})
	return failed
}

func composeService(f *File, name, n *yaml.Node, host map[string]string) error {
	scope := "service " + name.Value
	s := probe.Service{Workload: "compose", Origin: probe.Origin{Line: name.Line, Column: name.Column, Scope: scope}}
	var err error
	memory := get(n, "deploy", "resources", "limits", "memory")
	if memory == nil {
		memory = get(n, "mem_limit")
	}
	if s.Memory, err = composeNumber(memory, host, composeBytes); err != nil {
		return at(f.Path, err)
	}
	cpu := get(n, "deploy", "resources", "limits", "cpus")
	if cpu == nil {
		cpu = get(n, "cpus")
	}
	if s.CPU, err = composeNumber(cpu, host, plainFloat); err != nil {
		return at(f.Path, err)
	}
	if s.StopSecs, err = composeNumber(get(n, "stop_grace_period"), host, goDuration); err != nil {
		return at(f.Path, err)
	}
	s.StopSignal = setting(get(n, "stop_signal"))
	s.Restart = setting(get(n, "restart"))
	s.Health = setting(get(n, "healthcheck", "test"))
	if h := get(n, "healthcheck"); h != nil {
		s.Health.Line, s.Health.Column = h.Line, h.Column
		test := argv(get(n, "healthcheck", "test"))
		s.Health.Set = scalar(get(n, "healthcheck", "disable")) != "true" && !(len(test) == 1 && test[0] == "NONE")
		s.Health.Value = strings.Join(test, " ")
	}
	entry := get(n, "entrypoint")
	args := argv(entry)
	command := get(n, "command")
	args = append(args, argv(command)...)
	if entry == nil {
		entry = command
	}
	s.Command.Applies = true
	if entry != nil {
		s.Command = probe.Setting[string]{Value: strings.Join(args, " "), Set: len(args) > 0, Applies: true, Line: entry.Line, Column: entry.Column}
		if scalar(get(n, "init")) != "true" { // with init: true tini is PID 1; it signals the shell alone all the same
			s.Shell = shellOf(args)
		}
		serverFlags(&s, args)
	}

	for _, e := range envFiles(get(n, "env_file")) {
		path := e.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.Path), path)
		}
		text, err := readText(path)
		if err != nil {
			if e.required {
				s.MissingSources = append(s.MissingSources, probe.MissingSource{Name: e.path, Line: e.line, Column: e.column, Why: "no such file"})
			}
			continue
		}
		vars, err := dotenv(path, string(text), true)
		if err != nil {
			return err
		}
		for _, v := range vars {
			if Relevant(v.Name) {
				v.Origin.Scope = scope
				f.Variables = append(f.Variables, v)
			}
		}
	}
	set := func(name, value string, inherited bool, where *yaml.Node) {
		if !Relevant(name) {
			return
		}
		v := probe.Variable{Name: name, Origin: probe.Origin{Line: where.Line, Column: where.Column, Scope: scope}}
		if inherited {
			var ok bool
			if v.Value, ok = host[name]; !ok {
				return // taken from the shell that runs compose
			}
		} else {
			var ok bool
			v.Value, ok = interpolate(value, host)
			v.Unresolved = !ok
		}
		f.Variables = append(f.Variables, v)
	}
	env := get(n, "environment")
	each(env, func(k, v *yaml.Node) {
		if v != nil && v.Kind == yaml.ScalarNode {
			set(k.Value, v.Value, v.Tag == "!!null", k)
		}
	})
	for _, i := range items(env) {
		k, v, has := strings.Cut(scalar(i), "=")
		set(k, v, !has, i)
	}
	f.Services = append(f.Services, s)
	return f.tooMany()
}

type envFile struct {
	path         string
	required     bool
	line, column int
}

func envFiles(n *yaml.Node) []envFile {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return []envFile{{n.Value, true, n.Line, n.Column}}
	}
	var out []envFile
	for _, i := range items(n) {
		if i.Kind == yaml.ScalarNode {
			out = append(out, envFile{i.Value, true, i.Line, i.Column})
		} else if p := get(i, "path"); p != nil {
			out = append(out, envFile{p.Value, scalar(get(i, "required")) != "false", p.Line, p.Column})
		}
	}
	return out
}

func composeNumber[T any](n *yaml.Node, host map[string]string, parse func(string) (T, bool)) (probe.Setting[T], error) {
	if n = deref(n); n != nil && n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "$") {
		value, ok := interpolate(n.Value, host)
		if !ok {
			return probe.Setting[T]{Applies: true, Set: true, Unresolved: true, Line: n.Line, Column: n.Column}, nil // set, to what is not known here
		}
		copied := *n
		copied.Value = value
		n = &copied
	}
	return number(n, parse)
}

// interpolate replaces ${NAME}, $NAME, ${NAME:-default} and $$ as compose does; ok is false when a name has no value in .env.
func interpolate(s string, host map[string]string) (string, bool) {
	if !strings.Contains(s, "$") {
		return s, true
	}
	unknown := map[string]bool{}
	for _, m := range composeName.FindAllStringSubmatch(strings.ReplaceAll(s, "$$", ""), -1) {
		name, op := m[1]+m[3], m[2]
		if _, ok := host[name]; !ok && !strings.HasPrefix(strings.TrimPrefix(op, ":"), "-") {
			unknown[name] = true
		}
	}
	escaped := strings.NewReplacer("$$", "\x01$", "\x01", "", `'`, "\x01'", `"`, "\x01\"").Replace(s)
	out, ok := expand(escaped, 1, host, unknown)
	if !ok {
		return s, false
	}
	return out, true
}

var composeName = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)

// composeBytes reads compose's byte values: 2b, 512k, 300m, 1gb, or a plain number.
func composeBytes(s string) (uint64, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimSuffix(s, "b")
	shift := 0
	if s != "" {
		switch s[len(s)-1] {
		case 'k':
			shift = 10
		case 'm':
			shift = 20
		case 'g':
			shift = 30
		case 't':
			shift = 40
		}
		if shift > 0 {
			s = s[:len(s)-1]
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	v *= float64(uint64(1) << shift)
	if err != nil || !(v >= 0 && v < 1<<62) {
		return 0, false
	}
	return uint64(v), true
}

func plainFloat(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && v >= 0 && v < 1e9
}
