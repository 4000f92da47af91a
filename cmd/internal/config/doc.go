// Package config reads the configuration file of zsyncfs: TOML, with settings for
// everything and a table for each named archive.
//
//	cache-size = "20G"                # settings of all archives
//
//	[archive.daily]                   # zsyncfs mount daily
//	source      = "https://cdimage.example.org/daily/"
//	mount-point = "/mnt/daily"
//	seed        = ["~/images", "/srv/images"]
//
// Terms: a Setting has the name of a flag of "zsyncfs mount", or is "source" or
// "mount-point"; its values are text as it would be typed behind the flag, so that
// the flags alone say what is right. Which names there are is not known here: Parse
// says where each stands, for the messages of whoever knows them.
//
// Positions count lines and bytes from 1. It imports nothing of the project, and
// functions hold no state. Source of the format: TOML 1.0, https://toml.io/en/v1.0.0.
package config
