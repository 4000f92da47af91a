package config

import (
	"os"
	"path/filepath"
)

// System is the configuration file of root.
const System = "/etc/zsyncfs/config.toml"

// Default is the file that is read when nobody names one, whether it exists or not:
// System for root, zsyncfs/config.toml in $XDG_CONFIG_HOME (~/.config) for others; ""
// for who has no such folder.
func Default() string {
	if os.Geteuid() == 0 {
		return System
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "zsyncfs", "config.toml")
}
