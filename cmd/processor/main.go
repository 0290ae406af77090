// Command processor runs one topology as a service. See processor --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/leatstream/leat/cmd/processor/internal/cli"
)

func main() {
	// The first signal stops the service cleanly. After it signals have their
	// usual effect again, so that a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.System{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(),
	}))
}
