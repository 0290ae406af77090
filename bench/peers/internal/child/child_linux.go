package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill the program when this one is gone without a word.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
