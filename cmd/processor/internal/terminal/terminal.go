// Package terminal writes a line again and again.
package terminal

import (
	"fmt"
	"io"
	"os"
)

// Is reports whether out is a terminal.
func Is(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Rewrite writes text over what stands in the cursor's line.
func Rewrite(out io.Writer, text string) { fmt.Fprint(out, "\r\x1b[K"+text) }
