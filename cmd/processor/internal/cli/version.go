package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			_, err := fmt.Fprintln(sys.Out, version(info))
			return err
		},
	}
}

// version says what the binary was built from, and with what.
func version(info *debug.BuildInfo) string {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	v := "leat " + info.Main.Version
	if rev := set["vcs.revision"]; rev != "" {
		v += " " + rev[:min(12, len(rev))]
		if set["vcs.modified"] == "true" {
			v += " with changes"
		}
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/twmb/franz-go" {
			v += ", franz-go " + dep.Version
		}
	}
	return fmt.Sprintf("%s, %s %s/%s", v, info.GoVersion, set["GOOS"], set["GOARCH"])
}
