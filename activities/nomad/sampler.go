package nomad

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// sampleBytes is the most that one look at a trial's output reads.
	sampleBytes = 256 << 10
	// recentBytes are read of what a trial had printed before we attached to it.
	recentBytes = 16 << 10
	// lookers is how many looks are under way at a time.
	lookers = 4
	// aliveEvery is how often a trial that is waiting for its next look counts as alive.
	aliveEvery = 5 * time.Second
	// lastTries is how often the rest of the output of a run that ended is asked for.
	lastTries = 3
)

// tail is how far a run's standard output has been read.
type tail struct {
	file    int   // Nomad starts a new one when one is full
	offset  int64 // in that file
	started bool
	partial []byte // the beginning of a line
	skip    bool   // until the next line begins
}

// sample looks at the output of all runs that somebody watches, in turn, and at no
// more than LogRate of them a second: what trials print is for progress and signs of
// life only. It also vouches for trials that nobody has had the time to look at.
func (c *Cluster) sample() {
	pace := time.NewTicker(time.Duration(float64(time.Second) / c.opts.LogRate))
	defer pace.Stop()
	vouch := time.NewTicker(aliveEvery)
	defer vouch.Stop()
	slots := make(chan struct{}, lookers)
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-vouch.C:
			c.vouch()
		case <-pace.C:
			select {
			case slots <- struct{}{}:
			default:
				continue // nodes are slow to answer
			}
			r := c.due(time.Now())
			if r == nil {
				<-slots
				continue
			}
			c.tasks.Go(func() {
				defer func() { <-slots }()
				c.look(r)
			})
		}
	}
}

// due picks the run that has waited for longest, and locks its output.
func (c *Cluster) due(now time.Time) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	var next *run
	for _, f := range c.feeds {
		for _, r := range f.runs {
			if !r.running || r.ending || len(r.watchers) == 0 || r.history.away() || now.Before(r.next) {
				continue
			}
			if next == nil || r.next.Before(next.next) {
				next = r
			}
		}
	}
	if next == nil {
		return nil
	}
	next.next = now.Add(c.opts.LogEvery)
	if !next.reading.TryLock() {
		return nil // a look at it takes long
	}
	return next
}

// vouch gives a sign of life for every run of which nobody knows that it is silent.
func (c *Cluster) vouch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.feeds {
		for _, r := range f.runs {
			if r.running && !r.ending && len(r.watchers) > 0 && (!r.silent || r.history.away() || !f.live) {
				r.out.Alive()
			}
		}
	}
}

// look reads what a run has printed since the last look. If that is nothing, it has
// been silent for as long.
func (c *Cluster) look(r *run) {
	defer r.reading.Unlock()
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	n, err := c.read(ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	// Where nothing can be read, nobody can tell.
	r.silent = n == 0 && err == nil
	if err != nil && c.ctx.Err() == nil {
		c.opts.Log.Debug("a trial's output cannot be read", "job", r.id, "error", err)
	}
}

// read reads once and delivers the lines, and returns how many bytes there were. The
// run's output is locked.
func (c *Cluster) read(ctx context.Context, r *run) (int, error) {
	c.mu.Lock()
	first, t := r.history.first(), &r.stdout
	c.mu.Unlock()
	if !t.started {
		if err := c.begin(ctx, r, first); err != nil {
			return 0, err
		}
	}
	text, err := c.stdout(ctx, r.feed, first, t.file, t.offset)
	if code, _ := statusOf(err); code == http.StatusBadRequest || code == http.StatusInternalServerError || err == nil && len(text) == 0 && t.offset >= logFileMB*mib/2 {
		// The file may have been full, and be gone.
		return c.turn(ctx, r, first, err)
	}
	if err != nil {
		return 0, err
	}
	t.offset += int64(len(text))
	r.deliver(text)
	return len(text), nil
}

// begin finds where to begin reading: of what was printed a while ago only the end.
func (c *Cluster) begin(ctx context.Context, r *run, a *allocation) error {
	files, err := c.files(ctx, r.feed, a)
	if err != nil || len(files) == 0 {
		return err
	}
	t := &r.stdout
	for _, f := range files {
		if f.number >= t.file {
			t.file, t.offset = f.number, max(0, f.size-recentBytes)
		}
	}
	t.started, t.skip = true, t.offset > 0
	return nil
}

// turn goes on to the next file, if there is one.
func (c *Cluster) turn(ctx context.Context, r *run, a *allocation, why error) (int, error) {
	files, err := c.files(ctx, r.feed, a)
	if err != nil {
		return 0, err
	}
	t := &r.stdout
	next, here := -1, false
	for _, f := range files {
		here = here || f.number == t.file
		if f.number > t.file && (next < 0 || f.number < next) {
			next = f.number
		}
	}
	if next < 0 {
		if here || len(files) == 0 {
			why = nil // not written to yet
		}
		return 0, why
	}
	t.skip = next != t.file+1 || !here && why != nil
	t.file, t.offset = next, 0
	return 0, nil
}

// deliver splits text into lines.
func (r *run) deliver(text []byte) {
	t := &r.stdout
	if len(text) > 0 {
		r.out.Alive()
	}
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		switch {
		case t.skip:
			t.skip = !whole
			continue
		case !whole && len(t.partial)+len(line) < sampleBytes/4:
			t.partial = append(t.partial, line...)
			return
		}
		line = append(t.partial, line...)
		t.partial = nil
		r.out.Line(string(bytes.TrimSuffix(line, []byte("\r"))))
	}
}

// flush delivers what is left of a line that nobody will finish.
func (r *run) flush() {
	if t := &r.stdout; len(t.partial) > 0 {
		r.out.Line(string(t.partial))
		t.partial = nil
	}
}

// lastWords delivers the rest of a run's standard output, and returns the end of its
// standard error. That there is neither, since its node is gone or was told to clean
// up, is nothing to fail for.
func (c *Cluster) lastWords(r *run) (stderr string) {
	r.reading.Lock()
	defer r.reading.Unlock()
	c.mu.Lock()
	first := r.history.first()
	c.mu.Unlock()
	if first == nil || !first.started() || first.ClientStatus == clientLost || first.ClientStatus == clientUnknown {
		return ""
	}
	c.readRest(r)
	return c.readErrors(r, first)
}

// readRest reads standard output to its end.
func (c *Cluster) readRest(r *run) {
	defer r.flush()
	ctx, cancel := context.WithTimeout(c.ctx, answerWithin)
	defer cancel()
	for failed := 0; failed < lastTries; {
		file, fresh := r.stdout.file, !r.stdout.started
		n, err := c.read(ctx, r)
		switch {
		case err != nil && (!passing(err) || ctx.Err() != nil):
			return
		case err != nil:
			failed++
			c.rest(ctx, time.Duration(failed)*time.Second)
		case n == 0 && (file == r.stdout.file || fresh), n > 0 && n < sampleBytes && r.stdout.offset < logFileMB*mib/2:
			return
		}
	}
}

// readErrors reads the end of standard error.
func (c *Cluster) readErrors(r *run, first *allocation) string {
	ctx, cancel := context.WithTimeout(c.ctx, answerWithin)
	defer cancel()
	for try := range lastTries {
		text, err := r.feed.stderr(ctx, first, "end", lastBytes)
		if err == nil {
			return string(text)
		}
		if !passing(err) || ctx.Err() != nil {
			break
		}
		c.rest(ctx, time.Duration(try+1)*time.Second)
	}
	return ""
}

// rest pauses.
func (c *Cluster) rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// logFile is one of the files that Nomad keeps of a task's standard output.
type logFile struct {
	number int
	size   int64
}

// files lists them.
func (c *Cluster) files(ctx context.Context, f *feed, a *allocation) (found []logFile, err error) {
	var list []struct {
		Name string
		Size int64
	}
	err = c.once(ctx, func(ctx context.Context) error {
		_, err := c.client.Raw().Query("/v1/client/fs/ls/"+a.ID, &list, f.query(ctx, map[string]string{"path": "alloc/logs"}))
		return err
	})
	for _, entry := range list {
		digits, ok := strings.CutPrefix(entry.Name, taskName+".stdout.")
		if n, e := strconv.Atoi(digits); ok && e == nil {
			found = append(found, logFile{n, entry.Size})
		}
	}
	return found, err
}

// stdout reads from one of them.
func (c *Cluster) stdout(ctx context.Context, f *feed, a *allocation, file int, offset int64) ([]byte, error) {
	return f.raw(ctx, "/v1/client/fs/readat/"+a.ID, map[string]string{
		"path":   fmt.Sprintf("alloc/logs/%s.stdout.%d", taskName, file),
		"offset": strconv.FormatInt(offset, 10), "limit": strconv.Itoa(sampleBytes),
	}, sampleBytes)
}
