package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"

	"tfguard/probe"
)

// TFG109: a TF_CONFIG that does not describe a cluster.
func init() {
	Register(&Check{
		ID: "TFG109", Slug: "cluster-config",
		Title: "TF_CONFIG does not describe a cluster that this task belongs to",
		Why: "A worker whose type or index is not in the cluster, an address that occurs twice, or one without a port makes the whole job wait for a peer that never comes (TFG409); " +
			"a TF_CONFIG that is no JSON ends the program when the strategy is made.",
		Proof:    "The JSON is parsed and the task looked up in the cluster.",
		Fix:      `Give every task {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": N}} with the same cluster and its own index.`,
		Links:    []string{"https://www.tensorflow.org/guide/distributed_training#TF_CONFIG", "tensorflow/tensorflow#35878", "tensorflow/tensorflow: tensorflow/python/distribute/cluster_resolver/tfconfig_cluster_resolver.py"},
		Severity: Error, Basis: Documented,
		Live: clusterConfig,
	})
}

func clusterConfig(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	var out []Finding
	checked := 0
	for _, v := range judged(s) {
		if v.Name != "TF_CONFIG" {
			continue
		}
		checked++
		for _, problem := range clusterProblems(v.Value) {
			f := finding(v, Fail, Proven, "TF_CONFIG: "+problem)
			f.Evidence = append(f.Evidence, "read by "+readers(v))
			f.Remedy = []string{"give each task the same cluster and its own type and index"}
			out = append(out, f)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case checked == 0:
		return []Finding{{Status: Skip, Certainty: Proven, Summary: "no TF_CONFIG is set: one process, no cluster"}}
	}
	return noneSet("TF_CONFIG describes a cluster with this task in it")
}

// clusterProblems says what is wrong with a TF_CONFIG, as TFConfigClusterResolver reads it.
func clusterProblems(text string) []string {
	var config struct {
		Cluster map[string]json.RawMessage `json:"cluster"`
		Task    *struct {
			Type  *string         `json:"type"`
			Index json.RawMessage `json:"index"`
		} `json:"task"`
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return []string{fmt.Sprintf("no JSON: %v at byte %d", err, syntax.Offset)}
		}
		return []string{fmt.Sprintf("not of the form that is expected: %v", err)}
	}
	if len(config.Cluster) == 0 {
		return nil // {} or a task alone: a single process
	}
	var problems []string
	jobs := map[string][]string{}
	names := make([]string, 0, len(config.Cluster))
	for job, raw := range config.Cluster {
		names = append(names, job)
		var list []string
		if json.Unmarshal(raw, &list) == nil {
			jobs[job] = list
			continue
		}
		var sparse map[string]string // ClusterSpec takes {"0": "host:port"} too
		if json.Unmarshal(raw, &sparse) == nil {
			for i := range sparse {
				jobs[job] = append(jobs[job], sparse[i])
			}
			continue
		}
		problems = append(problems, fmt.Sprintf("job %q is no list of addresses", job))
	}
	sort.Strings(names)
	seen := map[string]string{}
	for _, job := range names {
		for i, address := range jobs[job] {
			here := fmt.Sprintf("%s %d", job, i)
			if _, port, err := net.SplitHostPort(address); err != nil || !isPort(port) {
				problems = append(problems, fmt.Sprintf("%s has the address %q, which is no host:port", here, address))
			} else if other := seen[address]; other != "" {
				problems = append(problems, fmt.Sprintf("%s and %s have the same address %s", other, here, address))
			}
			seen[address] = here
		}
	}
	if n := len(jobs["chief"]); n > 1 {
		problems = append(problems, fmt.Sprintf("%d chiefs; there is one", n))
	}
	if len(jobs["chief"]) > 0 && len(jobs["master"]) > 0 {
		problems = append(problems, "a chief and a master; there is one of them")
	}
	if config.Task == nil || config.Task.Type == nil {
		return append(problems, "a cluster, but no task that says which member this process is")
	}
	job := *config.Task.Type
	index, err := strconv.Atoi(strings.Trim(string(config.Task.Index), `"`))
	switch {
	case job == "evaluator": // may be left out of the cluster
	case config.Cluster[job] == nil:
		problems = append(problems, fmt.Sprintf("the task is of type %q, which the cluster has not (it has %s)", job, strings.Join(names, ", ")))
	case len(config.Task.Index) > 0 && err != nil:
		problems = append(problems, fmt.Sprintf("the task's index %s is no number", config.Task.Index))
	case len(jobs[job]) > 0 && (index < 0 || index >= len(jobs[job])):
		problems = append(problems, fmt.Sprintf("the task is %s %d, but the cluster has %s of that type", job, index, plural(len(jobs[job]), "member")))
	}
	return problems
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= 65535
}
