package blockstore

import "time"

// MaxMetaValue is the length of the longest value that MetaPut takes, in bytes.
const MaxMetaValue = 1 << 20

// MaxMetaKey is the length of the longest key that MetaPut takes, in bytes.
const MaxMetaKey = 4096

const (
	defaultCheckpointInterval = 2 * time.Second
	defaultCheckpointBytes    = 64 << 20
)

// Options for Open. The zero value works.
type Options struct {
	// CheckpointInterval is how often blocks written since become durable.
	// Default 2 s.
	CheckpointInterval time.Duration
	// CheckpointBytes starts a checkpoint early. Default 64 MiB.
	CheckpointBytes int64
	// Limits bound the room that the folder takes. Default: none.
	Limits Limits
	// Beside are names of files and folders that others keep in the store's folder. Any
	// other name that is not the store's own has Open refuse a folder that is no store
	// yet, or has lost its file "format".
	Beside []string
	// Warn is told of damage that was found and healed, and of the beginning and the
	// end of a Trouble. It is called
	// from any goroutine, maybe from several at once, and must not call this
	// package. Default: nobody.
	Warn func(err error)
	// Wrong is told of a version of which something that may have been read proved wrong:
	// blocks were forgotten by Forget, it is Suspect, or Distrust says so. It is called
	// with no lock held, from any goroutine. Default: nobody.
	Wrong func(version Key)
}

func (o Options) withDefaults() Options {
	if o.CheckpointInterval <= 0 {
		o.CheckpointInterval = defaultCheckpointInterval
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = defaultCheckpointBytes
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Wrong == nil {
		o.Wrong = func(Key) {}
	}
	return o
}
