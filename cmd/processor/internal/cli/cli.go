// Package cli is the command line: what there is to call, with which flags, and
// what becomes of errors.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatstream/leat/cmd/processor/internal/config"
)

// System is what a command has of the system.
type System struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong
)

// usageError is an error of whoever called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Main runs the command that args name until it has ended or ctx has, and returns
// the exit code. An error is one line on sys.Err, or one for each mistake.
func Main(ctx context.Context, args []string, sys System) int {
	began := false
	root := newRoot(sys)
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	sys.complain(err)
	var usage usageError
	if !began || errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// complain prints an error, line by line.
func (sys System) complain(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(sys.Err, "processor: %s\n", line)
	}
}

func newRoot(sys System) *cobra.Command {
	root := &cobra.Command{
		Use:               "processor",
		Short:             "Run a stream processing topology on Kafka, exactly once",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.ArbitraryArgs, // RunE knows what to say of them
	}
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		return usageError{fmt.Errorf("there is no command %q%s", args[0], config.Suggest(args[0], names))}
	}
	root.SetIn(sys.In)
	root.SetOut(sys.Out)
	root.SetErr(sys.Err)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newRun(sys), newDemo(sys), newTopologies(sys), newDescribe(sys), newTopics(sys), newTasks(sys), newReset(sys), newGenerate(sys), newVersion(sys),
	)
	return root
}

// flagError adds what was probably meant to the error of a flag that does not
// exist.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return fmt.Errorf("%w%s", err, config.Suggest("--"+unknown.GetSpecifiedName(), names))
}
