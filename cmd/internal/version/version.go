// Package version says which version a command is. It imports nothing of the
// project.
package version

import "runtime/debug"

// String is stamped, the version that the linker wrote into the command
// (-X main.version=...); without one it is the version of the main module, or
// "devel".
func String(stamped string) string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
