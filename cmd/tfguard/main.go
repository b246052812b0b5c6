// Command tfguard says why a TensorFlow process hangs, proves it, and ends it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the release build (-ldflags -X main.version=…).
var version = "0.1.0-dev"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: testscript calls the same code as a user does.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: 2, err: err} // cobra's own errors are bad usage
	}
	if exit.err != nil {
		fmt.Fprintf(stderr, "tfguard: %v\n", exit.err)
		if exit.hint != "" {
			fmt.Fprintf(stderr, "hint: %s\n", exit.hint)
		}
	}
	return exit.code
}

// constructors are the subcommands; each file adds its own in init.
var constructors []func(*app) *cobra.Command

func register(c func(*app) *cobra.Command) { constructors = append(constructors, c) }

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "tfguard",
		Short:         "Says why a TensorFlow process hangs, proves it, and ends it",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("tfguard {{.Version}}\n")
	a.addFlags(root.PersistentFlags())
	cobra.EnableTraverseRunHooks = true // a command's own PersistentPreRunE runs after this one, not in its place
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkFlags() }
	for _, c := range constructors {
		root.AddCommand(c(a))
	}
	return root
}
