// Package seed finds blocks of a target in seed files.
package seed
