package cli

import (
	"github.com/spf13/cobra"

	"github.com/leatstream/leat/cmd/processor/internal/config"
	"github.com/leatstream/leat/cmd/processor/internal/service"
)

func newRun(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Run a service until SIGTERM or SIGINT; a second signal ends it at once",
		Long: "Run a service until SIGTERM or SIGINT; a second signal ends it at once.\n\n" +
			"Every key of the configuration can also be set by a flag, as below, and by the\n" +
			"environment: LEAT_KAFKA_BROKERS for --kafka.brokers. A flag wins over the\n" +
			"environment, and that over the file.",
	}
	s := addSettings(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := s.load()
		if err != nil {
			return err
		}
		if err := l.Placed(); err != nil {
			return usageError{err}
		}
		// The log is what a service puts out. Standard error is left to the one
		// line that says why it could not go on.
		log := service.Logger(l.Log, sys.Out)
		for _, name := range config.StrayEnv(catalog(), sys.Environ) {
			log.Warn("this environment variable sets nothing", "name", name)
		}
		return service.Run(cmd.Context(), l.Config, l.topology, log, sys.Err)
	}
	return cmd
}
