package devserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger hands the server's log to slog. Fatal, which Temporal calls where it
// would rather not exist, must not end our process: it keeps the first message
// and ends the goroutine that called it.
type logger struct {
	out   *slog.Logger
	fatal *fatal
}

var (
	_ log.Logger      = logger{}
	_ log.WithLogger  = logger{}
	_ log.SLogWrapper = logger{}
)

func newLogger(out *slog.Logger) logger {
	return logger{out: out, fatal: &fatal{hit: make(chan struct{})}}
}

// SLog implements log.SLogWrapper.
func (l logger) SLog() *slog.Logger { return l.out }

// With implements log.WithLogger.
func (l logger) With(tags ...tag.Tag) log.Logger {
	return logger{out: l.out.With(attributes(tags)...), fatal: l.fatal}
}

// Debug, Info, Warn, Error and the rest implement log.Logger.
func (l logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }
func (l logger) Info(msg string, tags ...tag.Tag)  { l.log(slog.LevelInfo, msg, tags) }
func (l logger) Warn(msg string, tags ...tag.Tag)  { l.log(slog.LevelWarn, msg, tags) }
func (l logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic panics in Temporal's development builds alone, so not here.
func (l logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic logs and panics, as the callers count on.
func (l logger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal does not return.
func (l logger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	l.fatal.record(msg, tags)
	runtime.Goexit()
}

func (l logger) log(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background()
	if !l.out.Enabled(ctx, level) || level < slog.LevelError && expected(msg) || closing(tags) {
		return
	}
	l.out.Log(ctx, level, msg, attributes(tags)...)
}

// expected are warnings of every start: the services look for each other before all
// of them listen, and nobody wants Nexus.
func expected(msg string) bool {
	return msg == "network dial error" || strings.HasPrefix(msg, "HTTP API port has not been set")
}

// closing says that a record is about the end of the one shard, which only comes with
// that of the server: whatever is under way then fails, is written down, and is done
// by the next server.
func closing(tags []tag.Tag) bool {
	for _, t := range tags {
		switch v := t.Value().(type) {
		case error:
			if strings.Contains(v.Error(), "shard closed") {
				return true
			}
		case string:
			if t.Key() == "error" && strings.Contains(v, "shard closed") {
				return true
			}
		}
	}
	return false
}

func attributes(tags []tag.Tag) []any {
	attrs := make([]any, 0, len(tags))
	for _, t := range tags {
		attrs = append(attrs, slog.Any(t.Key(), t.Value()))
	}
	return attrs
}

// fatal remembers the first fatal condition of a server.
type fatal struct {
	once sync.Once
	hit  chan struct{} // closed once err is set
	err  error
}

func (f *fatal) record(msg string, tags []tag.Tag) {
	f.once.Do(func() {
		var b strings.Builder
		b.WriteString(msg)
		for _, t := range tags {
			if err, ok := t.Value().(error); ok {
				fmt.Fprintf(&b, ": %v", err)
			} else if t.Key() == "error" {
				fmt.Fprintf(&b, ": %v", t.Value())
			}
		}
		f.err = fmt.Errorf("temporal server: %s", b.String())
		close(f.hit)
	})
}

// get returns the first fatal condition, or nil.
func (f *fatal) get() error {
	select {
	case <-f.hit:
		return f.err
	default:
		return nil
	}
}
