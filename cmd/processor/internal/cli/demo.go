package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/cmd/processor/internal/books"
	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/demo"
	"github.com/leatstream/leat/cmd/processor/internal/service"
)

// topWords is how many words a demo shows.
const topWords = 20

func newDemo(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Count the words of a text, with a Kafka broker inside the process",
		Args:  cobra.NoArgs,
	}
	input := cmd.Flags().String("input", "", "text to count, - for standard input; a book by default")
	output := cmd.Flags().String("output", "", "file to write the counts of all words to, as word<TAB>count")
	level := cmd.Flags().String("log", "warn", "least level that is logged: debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, *level) {
			return usageError{fmt.Errorf("--log: %q is not one of debug, info, warn, error", *level)}
		}
		in, err := openInput(*input, sys.In)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := openOutput(*output)
		if err != nil {
			return err
		}
		res, err := demo.Run(cmd.Context(), demo.Options{
			Input: in, Progress: sys.Err, Logger: service.Logger(config.Log{Level: *level}, sys.Err),
		})
		if err != nil {
			if cmd.Context().Err() != nil {
				err = errors.New("interrupted")
			}
			return errors.Join(err, out.abandon())
		}
		if err := printTop(sys.Out, res); err != nil {
			return err
		}
		return out.write(res.Table)
	}
	return cmd
}

func openInput(name string, in io.Reader) (io.ReadCloser, error) {
	switch name {
	case "":
		return io.NopCloser(strings.NewReader(books.Text)), nil
	case "-":
		return io.NopCloser(in), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return f, nil
}

// An outputFile takes the place of the file of its name when it is complete.
type outputFile struct {
	f    *os.File // nil: no output is wanted
	name string
}

// openOutput finds out at the start whether the file can be written.
func openOutput(name string) (outputFile, error) {
	if name == "" {
		return outputFile{}, nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a pipe or a terminal
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		return outputFile{f, name}, outputError(err)
	}
	f, err := os.OpenFile(name+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	return outputFile{f, name}, outputError(err)
}

func outputError(err error) error {
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

func (o outputFile) write(table []demo.Entry) error {
	if o.f == nil {
		return nil
	}
	err := errors.Join(demo.WriteTable(o.f, table), o.f.Close())
	if err == nil && o.f.Name() != o.name {
		err = os.Rename(o.f.Name(), o.name)
	}
	return outputError(err)
}

func (o outputFile) abandon() error {
	if o.f == nil {
		return nil
	}
	err := o.f.Close()
	if o.f.Name() != o.name {
		err = errors.Join(err, os.Remove(o.f.Name()))
	}
	return outputError(err)
}

func printTop(out io.Writer, res demo.Result) error {
	w := bufio.NewWriter(out)
	for _, e := range res.Table[:min(topWords, len(res.Table))] {
		fmt.Fprintf(w, "%10d  %s\n", e.Count, e.Word)
	}
	fmt.Fprintf(w, "%d words, %d of them different, in %d lines, counted exactly once in %v\n",
		res.Words, len(res.Table), res.Lines, res.Took.Round(10*time.Millisecond))
	return w.Flush()
}
