package registry

import "syscall"

// dieWithParent makes the kernel kill the registry when its test is gone without a cleanup.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
