package checks

import (
	"fmt"
	"math"
	"strconv"

	"tfguard/probe"
)

// TFG108: more threads than CPUs.
func init() {
	Register(&Check{
		ID: "TFG108", Slug: "thread-oversubscription",
		Title: "More threads are asked for than there are CPUs to run them",
		Why: "Threads beyond the CPUs that a program may use wait for each other's time slices; spinning pools (Eigen, OpenMP) then burn the quota, and under a cgroup limit " +
			"the whole process is throttled, which looks like a hang. Each worker process of a server has pools of its own.",
		Proof:    "The thread counts times the workers are compared with the CPUs that apply: a container's limit, else this host's.",
		Fix:      "Give each worker its share: CPUs divided by workers.",
		Links:    []string{"tensorflow/tensorflow: " + processUse, "https://docs.kernel.org/scheduler/sched-bwc.html"},
		Severity: Warning, Basis: Inferred,
		Live: oversubscription,
	})
}

var poolSizes = []string{"TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}

// oversubscribed is the factor above which more threads than CPUs are worth a word.
const oversubscribed = 2

func oversubscription(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	services := map[string]*probe.Service{}
	for i := range s.Services {
		v := &s.Services[i]
		services[place(&probe.Variable{Origin: v.Origin})] = v
	}
	var out []Finding
	places, vars := effective(s)
	for _, p := range places {
		cpus, from, workers := float64(s.Host.Cores), "this host", 1
		if svc := services[p]; svc != nil {
			cpus, from = 0, ""
			if svc.CPU.Set && svc.CPU.Value > 0 {
				cpus, from = svc.CPU.Value, "the limit of "+svc.Origin.Scope
			}
			workers = max(1, svc.Workers.Value)
		} else if anyFile(vars[p]) {
			cpus = 0 // a file for another machine
		}
		if cpus <= 0 {
			continue
		}
		for _, name := range poolSizes {
			v := vars[p][name]
			if v == nil || v.Unresolved || inert(v) {
				continue
			}
			n, ok := intValue(v.Value)
			if !ok || n < 1 || n > math.MaxInt32 || float64(n)*float64(workers) <= oversubscribed*math.Max(1, cpus) {
				continue
			}
			threads := n * workers
			f := finding(v, Warn, Likely, fmt.Sprintf("%s asks for %d threads where %s has %s", name, threads, from, cpuCount(cpus)))
			f.Value, f.Limit, f.Unit = threads, cpus, "threads"
			if workers > 1 {
				f.Evidence = append(f.Evidence, fmt.Sprintf("%d workers with %d threads each", workers, n))
			}
			f.Remedy = []string{fmt.Sprintf("set %s=%d", name, max(1, int(cpus)/workers))}
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return noneSet("no variable asks for more threads than there are CPUs")
	}
	return out
}

func anyFile(vars map[string]*probe.Variable) bool {
	for _, v := range vars {
		if v.Origin.File != "" {
			return true
		}
	}
	return false
}

func cpuCount(n float64) string {
	if n == 1 {
		return "1 CPU"
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + " CPUs"
}
