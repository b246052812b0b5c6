package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"tfguard/guard/fixes"
	"tfguard/probe"
	"tfguard/probe/environ"
)

func init() { register(newEnv) }

func newEnv(a *app) *cobra.Command {
	var syntax, profile string
	var set, drop []string
	c := &cobra.Command{
		Use:   "env",
		Short: "Print the fixes as a launch environment",
		Long: "Prints the variables that keep a TensorFlow program from hanging, for the TensorFlow that is installed here:\n" +
			"only those that it reads, found in its own files.\n\n  eval \"$(tfguard env)\"\n  tfguard env --as dotenv > .env\n  tfguard env --as k8s",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--as", syntax, fixes.Syntaxes...); err != nil {
				return err
			}
			in, readers, err := a.tensorflow(c.Context())
			if err != nil {
				return err
			}
			list, err := fixes.Profile(profile, in, readers, usableCores())
			if err != nil {
				return usageError("--profile: %w", err)
			}
			if list, err = fixes.Apply(list, set, drop, readers); err != nil {
				return usageError("%w", err)
			}
			return fixes.Write(a.stdout, syntax, list)
		},
	}
	var docs []string
	for _, p := range fixes.Profiles {
		docs = append(docs, p.Name+": "+p.Doc)
	}
	c.Flags().StringVar(&syntax, "as", "sh", "`SYNTAX`: "+strings.Join(fixes.Syntaxes, ", "))
	c.Flags().StringVar(&profile, "profile", "safe", strings.Join(docs, "; "))
	c.Flags().StringArrayVar(&set, "set", nil, "add or replace `NAME=value`; repeatable")
	c.Flags().StringArrayVar(&drop, "no-fix", nil, "leave `NAME` out; repeatable")
	return c
}

// usableCores is how many CPUs a program started here may use. The Go runtime derives it from affinity and cgroup quota.
func usableCores() int { return runtime.GOMAXPROCS(0) }

// tensorflow finds the interpreter of --python, its TensorFlow, and who reads which variable. Without one it is exit 3, with the
// command that installs it.
func (a *app) tensorflow(ctx context.Context) (probe.Interpreter, *environ.Readers, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	in, err := environ.FindInterpreter(ctx, a.python)
	if err != nil {
		return in, nil, unableError("name one with --python PY, or make one: python3 -m venv .venv && .venv/bin/pip install tensorflow", "%w", err)
	}
	if !in.TensorFlow.Known() {
		return in, nil, unableError(installCommand(in), "%s has no TensorFlow: %s", in.Path, in.TensorFlow.Missing)
	}
	readers, err := environ.FindReaders(ctx, in)
	if err != nil {
		return in, nil, unableError("", "read %s: %w", in.TensorFlow.Value.Dir, err)
	}
	return in, readers, nil
}

// installCommand is what would give the interpreter a TensorFlow.
func installCommand(in probe.Interpreter) string {
	return fmt.Sprintf("%s -m pip install tensorflow", in.Path)
}
