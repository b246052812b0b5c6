package environ

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"tfguard/probe"
)

// parseKubernetes reads the workloads of a manifest: every pod template is found where it is, so that Deployments, StatefulSets,
// DaemonSets, Jobs, CronJobs, Lists and custom kinds (TFJob, Rollout) need no list of kinds.
func parseKubernetes(f *File, docs []*yaml.Node) error {
	objects := collectConfigMaps(f.Path, docs, f.configMaps)
	for _, o := range objects {
		if o.Kind != yaml.MappingNode {
			return fmt.Errorf("%s:%d:%d: not a Kubernetes object: no mapping", f.Path, o.Line, o.Column)
		}
		if get(o, "kind") == nil {
			return fmt.Errorf("%s:%d:%d: not a Kubernetes object: no kind", f.Path, o.Line, o.Column)
		}
		for _, spec := range podSpecs(o, 0) {
			if err := pod(f, o, spec, f.configMaps); err != nil {
				return err
			}
		}
	}
	return nil
}

// A configMap is the data of one ConfigMap, and the file that it is in.
type configMap struct {
	data *yaml.Node
	file string
}

// collectConfigMaps adds the data of the documents' ConfigMaps by name, and returns all objects, those of Lists too.
func collectConfigMaps(path string, docs []*yaml.Node, maps map[string]configMap) (objects []*yaml.Node) {
	for _, d := range docs {
		objects = append(objects, flatten(d, 0)...)
	}
	for _, o := range objects {
		if scalar(get(o, "kind")) == "ConfigMap" {
			maps[scalar(get(o, "metadata", "name"))] = configMap{get(o, "data"), path}
		}
	}
	return objects
}

// flatten returns the objects of a List.
func flatten(n *yaml.Node, depth int) []*yaml.Node {
	n = deref(n)
	if list := get(n, "items"); list != nil && strings.HasSuffix(scalar(get(n, "kind")), "List") && depth < maxDepth {
		var out []*yaml.Node
		for _, i := range items(list) {
			out = append(out, flatten(i, depth+1)...)
		}
		return out
	}
	return []*yaml.Node{n}
}

// podSpecs finds every mapping below n that has a list of containers.
func podSpecs(n *yaml.Node, depth int) []*yaml.Node {
	n = deref(n)
	if n == nil || depth > maxDepth {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		if c := get(n, "containers"); c != nil && c.Kind == yaml.SequenceNode {
			return []*yaml.Node{n}
		}
	}
	var out []*yaml.Node
	if n.Kind == yaml.MappingNode {
		for i := 1; i < len(n.Content); i += 2 {
			if n.Content[i].Kind != yaml.AliasNode { // what an alias stands for is visited where it is written
				out = append(out, podSpecs(n.Content[i], depth+1)...)
			}
		}
	}
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			out = append(out, podSpecs(c, depth+1)...)
		}
	}
	return out
}

func pod(f *File, object, spec *yaml.Node, maps map[string]configMap) error {
	fail := func(err error) error { return at(f.Path, err) }
	kind := scalar(get(object, "kind"))
	name := scalar(get(object, "metadata", "name"))
	if name == "" {
		name = scalar(get(object, "metadata", "generateName"))
	}
	for _, group := range []string{"initContainers", "containers"} {
		for _, c := range items(get(spec, group)) {
			if c == nil || c.Kind != yaml.MappingNode {
				continue
			}
			scope := fmt.Sprintf("%s %s, container %s", kind, name, scalar(get(c, "name")))
			// An init container with restartPolicy Always is a sidecar: it stays.
			init := group == "initContainers" && scalar(get(c, "restartPolicy")) != "Always"
			s := probe.Service{Workload: kind, Init: init, Origin: probe.Origin{Line: c.Line, Column: c.Column, Scope: scope}}
			var err error
			if s.Memory, err = number(get(c, "resources", "limits", "memory"), quantityBytes); err != nil {
				return fail(err)
			}
			if s.CPU, err = number(get(c, "resources", "limits", "cpu"), quantity); err != nil {
				return fail(err)
			}
			if s.StopSecs, err = number(get(spec, "terminationGracePeriodSeconds"), plainFloat); err != nil {
				return fail(err)
			}
			s.Health, s.Readiness = k8sProbe(get(c, "livenessProbe")), k8sProbe(get(c, "readinessProbe"))
			s.Restart = setting(get(spec, "restartPolicy"))
			s.ShareProcesses = probe.Setting[bool]{Applies: true}
			if n := get(spec, "shareProcessNamespace"); n != nil {
				s.ShareProcesses = probe.Setting[bool]{Value: n.Value == "true", Set: true, Applies: true, Line: n.Line, Column: n.Column}
			}
			command := get(c, "command")
			args := append(argv(command), argv(get(c, "args"))...)
			if command == nil {
				command = get(c, "args")
			}
			s.Command.Applies = true
			if command != nil && len(args) > 0 {
				s.Command = probe.Setting[string]{Value: strings.Join(args, " "), Set: true, Applies: true, Line: command.Line, Column: command.Column}
				s.Shell = shellOf(args)
				serverFlags(&s, args)
			}
			k8sEnv(f, &s, c, maps)
			f.Services = append(f.Services, s)
			if err := f.tooMany(); err != nil {
				return err
			}
		}
	}
	return nil
}

func k8sProbe(n *yaml.Node) probe.Setting[string] {
	s := probe.Setting[string]{Applies: true}
	if n == nil || n.Kind != yaml.MappingNode {
		return s
	}
	s.Set, s.Line, s.Column = true, n.Line, n.Column
	for _, k := range []string{"httpGet", "exec", "tcpSocket", "grpc"} {
		if get(n, k) != nil {
			s.Value = k
		}
	}
	return s
}

func k8sEnv(f *File, s *probe.Service, c *yaml.Node, maps map[string]configMap) {
	env := map[string]string{}
	unknown := map[string]bool{}
	add := func(name, value string, resolved bool, where *yaml.Node, file string) {
		env[name], unknown[name] = value, !resolved
		if Relevant(name) {
			f.Variables = append(f.Variables, probe.Variable{Name: name, Value: value, Unresolved: !resolved,
				Origin: probe.Origin{File: file, Line: where.Line, Column: where.Column, Scope: s.Origin.Scope}})
		}
	}
	missing := func(kind string, ref *yaml.Node) {
		s.MissingSources = append(s.MissingSources, probe.MissingSource{Name: kind + " " + scalar(get(ref, "name")), Line: ref.Line, Column: ref.Column,
			Why: "not among the files given", Outside: true})
	}
	for _, from := range items(get(c, "envFrom")) {
		prefix := scalar(get(from, "prefix"))
		if ref := get(from, "configMapRef"); ref != nil {
			m, ok := maps[scalar(get(ref, "name"))]
			if !ok {
				missing("ConfigMap", ref)
			}
			each(m.data, func(k, v *yaml.Node) { add(prefix+k.Value, scalar(v), true, k, m.file) })
		}
		if ref := get(from, "secretRef"); ref != nil {
			missing("Secret", ref)
		}
	}
	for _, e := range items(get(c, "env")) {
		name := get(e, "name")
		if name == nil {
			continue
		}
		if value := get(e, "value"); value != nil {
			text, ok := dependent(value.Value, env, unknown)
			add(name.Value, text, ok, name, f.Path)
			continue
		}
		if ref := get(e, "valueFrom", "configMapKeyRef"); ref != nil {
			if m, ok := maps[scalar(get(ref, "name"))]; ok {
				if v := get(m.data, scalar(get(ref, "key"))); v != nil {
					add(name.Value, scalar(v), true, name, f.Path)
					continue
				}
			}
			missing("ConfigMap", ref)
		}
		if get(e, "valueFrom") != nil {
			add(name.Value, "(from elsewhere)", false, name, f.Path)
		} else {
			add(name.Value, "", true, name, f.Path)
		}
	}
}

// dependent replaces $(NAME) by variables set before; $$ stands for one $; a name that is not set stays as it is written.
func dependent(s string, env map[string]string, unknown map[string]bool) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteByte('$')
				continue
			}
			name := s[i+2 : i+end]
			if unknown[name] {
				return s, false
			}
			if v, ok := env[name]; ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end
		default:
			b.WriteByte('$')
		}
	}
	return b.String(), true
}

var quantitySuffixes = []struct {
	suffix string
	factor float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"Pi", 1 << 50}, {"Ei", 1 << 60},
	{"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15}, {"E", 1e18},
}

// quantity reads a Kubernetes resource quantity: 500m, 2, 1.5Gi, 1e3.
func quantity(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	factor := 1.0
	for _, q := range quantitySuffixes {
		if rest, ok := strings.CutSuffix(s, q.suffix); ok {
			s, factor = rest, q.factor
			break
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v*factor >= 1<<63 {
		return 0, false
	}
	return v * factor, true
}

func quantityBytes(s string) (uint64, bool) {
	v, ok := quantity(s)
	return uint64(v), ok
}

// goDuration reads compose's durations (1m30s, 10s) as seconds; a bare number is none there.
func goDuration(s string) (float64, bool) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	return d.Seconds(), err == nil && d >= 0
}
