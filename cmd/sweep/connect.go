package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"github.com/tenfold-ml/tenfold/internal/devserver"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/workflows"
)

// namespace of the embedded server.
const namespace = "default"

// attachPatience is how long to wait for the process that holds the server's lock
// to say where it listens: it may be starting, or on its way out.
const attachPatience = 20 * time.Second

// connection is a Temporal server to talk to: a configured one, or the embedded
// one of the folder, run by this process or by another.
type connection struct {
	client client.Client
	// address is for messages.
	address   string
	namespace string
	// home is set for the embedded server.
	home *workdir.Dir
	// peer describes the process that runs the embedded server; zero when it is
	// this one.
	peer workdir.Server

	server *devserver.Server
	lock   *workdir.Lock
}

// embedded says whether the server is the folder's.
func (c *connection) embedded() bool { return c.home != nil }

// owner says whether this process runs the server.
func (c *connection) owner() bool { return c.server != nil }

// close disconnects and stops the server if it is ours.
func (c *connection) close() error {
	if c.client != nil {
		c.client.Close()
	}
	if c.server == nil {
		return nil
	}
	err := errors.Join(c.home.RemoveServer(), c.server.Stop())
	c.lock.Unlock()
	return err
}

// lost says whether the embedded server that another process ran is gone.
func (c *connection) lost() bool {
	if !c.embedded() || c.owner() {
		return false
	}
	held, err := c.home.Held(workdir.ServerLock)
	if err != nil {
		return false
	}
	if !held {
		return true
	}
	// A process on its way out takes the announcement back before it lets go.
	now, ok, err := c.home.ReadServer()
	return err == nil && (!ok || now != c.peer)
}

// logs are the loggers of one process; Temporal's own talk less.
type logs struct {
	own, temporal *slog.Logger
	file          io.Closer
}

// openLogs appends to the folder's log, and writes to stderr with --verbose. With
// --log-format it writes to stderr alone.
func (a *app) openLogs(d workdir.Dir) (*logs, error) {
	if a.logFormat != "" {
		return newLogs(a.logHandler, io.NopCloser(nil)), nil
	}
	f, err := os.OpenFile(d.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, userErrorf("open the log: %w", err)
	}
	return newLogs(func(level slog.Level) slog.Handler {
		var handler slog.Handler = slog.NewTextHandler(f, &slog.HandlerOptions{Level: level})
		if a.verbose {
			handler = tee{handler, a.logHandler(level)}
		}
		return handler
	}, f), nil
}

func newLogs(at func(slog.Level) slog.Handler, file io.Closer) *logs {
	pid := os.Getpid()
	return &logs{own: slog.New(at(slog.LevelInfo)).With("pid", pid), temporal: slog.New(at(slog.LevelWarn)).With("pid", pid), file: file}
}

// logHandler writes to stderr.
func (a *app) logHandler(level slog.Level) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	if a.logFormat == "json" {
		return slog.NewJSONHandler(a.stderr, options)
	}
	return slog.NewTextHandler(a.stderr, options)
}

func (l *logs) close() { l.file.Close() }

// stderrLogs leaves nothing behind; without --verbose it is silent.
func (a *app) stderrLogs() *logs {
	return newLogs(func(level slog.Level) slog.Handler {
		if !a.verbose {
			return slog.DiscardHandler
		}
		return a.logHandler(level)
	}, io.NopCloser(nil))
}

// tell says something to whoever started the process, in the log's form if stderr is
// the log's.
func (a *app) tell(l *logs, text string) {
	if a.logFormat != "" {
		l.own.Info(text)
		return
	}
	say(a.stderr, text)
}

// remote says whether a Temporal server is configured. The default profile of
// Temporal's configuration file alone does not count: it may be there for other
// programs, and a sweep should not go to a cluster unasked.
func (a *app) remote() bool {
	for _, s := range []string{a.address, a.profile, a.getenv("TEMPORAL_ADDRESS"),
		a.getenv("TEMPORAL_PROFILE"), a.getenv("TEMPORAL_CONFIG_FILE")} {
		if s != "" {
			return true
		}
	}
	return false
}

// connect connects to the configured server or, without one, to the folder's.
// If no process runs that, this one does from now on, under the name of verb.
func (a *app) connect(ctx context.Context, home workdir.Dir, l *logs, verb string) (*connection, error) {
	if a.remote() {
		return a.connectRemote(ctx, l)
	}
	return connectEmbedded(ctx, home, l, role{verb: verb})
}

func (a *app) connectRemote(ctx context.Context, l *logs) (*connection, error) {
	return a.connectMeasured(ctx, l, nil)
}

// connectMeasured is connectRemote that reports what the client does, unless to is nil.
func (a *app) connectMeasured(ctx context.Context, l *logs, to client.MetricsHandler) (*connection, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: a.profile})
	if err != nil {
		return nil, userErrorf("read Temporal's configuration: %w", err)
	}
	if a.address != "" {
		options.HostPort = a.address
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	if _, _, err := net.SplitHostPort(options.HostPort); err != nil {
		return nil, userErrorf("the Temporal server's address is host:port, not %q", options.HostPort)
	}
	options.Logger, options.MetricsHandler = sdklog.NewStructuredLogger(l.temporal), to
	c := &connection{address: options.HostPort, namespace: options.Namespace}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if c.client, err = client.DialContext(ctx, options); err != nil {
		return nil, fmt.Errorf("no Temporal server answers at %s: %w", options.HostPort, err)
	}
	return c, nil
}

// role is what a process that runs the embedded server tells the others of itself.
type role struct {
	verb  string
	store string // that of "dev"
	port  int    // of the server, 0 for any
}

// connectEmbedded attaches to the process that runs the folder's server, or becomes
// it in a role.
func connectEmbedded(ctx context.Context, home workdir.Dir, l *logs, r role) (*connection, error) {
	deadline := time.Now().Add(attachPatience)
	for {
		lock, err := home.TryLock(workdir.ServerLock)
		if err == nil {
			return startEmbedded(ctx, home, l, r, lock)
		}
		if !errors.Is(err, workdir.ErrHeld) {
			return nil, userErrorf("%w", err)
		}
		c, err := attachEmbedded(ctx, home, l)
		if err == nil {
			return c, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("another process has the server of %s but it does not answer: %w", home.Path(), err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func startEmbedded(ctx context.Context, home workdir.Dir, l *logs, r role, lock *workdir.Lock) (*connection, error) {
	c := &connection{home: &home, namespace: namespace, lock: lock}
	fail := func(err error) (*connection, error) {
		err = errors.Join(err, c.close())
		lock.Unlock()
		return nil, err
	}
	if err := home.RemoveServer(); err != nil {
		return fail(err)
	}
	server, err := devserver.Start(ctx, devserver.Options{
		Dir: home.Path(), DBFile: home.Database(), Port: r.port, Namespace: namespace, Log: l.temporal,
		SearchAttributes: workflows.SearchAttributes(),
	})
	switch {
	case errors.Is(err, devserver.ErrPortTaken):
		return fail(userErrorf("port %d is taken; choose another --port or leave it out", r.port))
	case errors.Is(err, devserver.ErrCorrupt):
		return fail(userErrorf("%w; move it away and run again: finished trials are in the store", err))
	case errors.Is(err, devserver.ErrFull):
		return fail(userErrorf("%w; make room or choose another folder with --dir", err))
	case errors.Is(err, devserver.ErrInUse):
		return fail(userErrorf("%w; end that one, or choose another folder with --dir", err))
	case err != nil:
		return fail(err)
	}
	c.server, c.address = server, server.Address()
	if c.client, err = server.Dial(ctx, client.Options{Logger: sdklog.NewStructuredLogger(l.temporal)}); err != nil {
		return fail(err)
	}
	if err := home.WriteServer(workdir.Server{PID: os.Getpid(), Address: c.address, Verb: r.verb, Store: r.store}); err != nil {
		return fail(err)
	}
	l.own.Info("embedded server started", "address", c.address, "verb", r.verb)
	return c, nil
}

// attachEmbedded connects to the server that another process announced.
func attachEmbedded(ctx context.Context, home workdir.Dir, l *logs) (*connection, error) {
	peer, ok, err := home.ReadServer()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("it has not said where it listens")
	}
	// The SDK's dialling is slow to give up, so knock first.
	knock, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", peer.Address)
	if err != nil {
		return nil, err
	}
	_ = knock.Close() // nothing was sent
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cl, err := client.DialContext(ctx, client.Options{
		HostPort: peer.Address, Namespace: namespace, Logger: sdklog.NewStructuredLogger(l.temporal),
	})
	if err != nil {
		return nil, err
	}
	return &connection{client: cl, address: peer.Address, namespace: namespace, home: &home, peer: peer}, nil
}

// visit opens the folder and its log without making them.
func (a *app) visit() (workdir.Dir, *logs, error) {
	if workdir.Exists(a.dir) {
		home, err := a.openDir()
		if err != nil {
			return home, nil, err
		}
		l, err := a.openLogs(home)
		return home, l, err
	}
	if !a.remote() {
		return workdir.Dir{}, nil, userErrorf(`there are no sweeps in %s; "sweep run SPEC" starts one, --dir chooses another folder`, a.dir)
	}
	home, err := workdir.At(a.dir)
	return home, a.stderrLogs(), err
}

// connected opens folder, log and connection for a short command, and closes
// them after it. Commands that are about sweeps that are there already do not
// make a folder for them.
func (a *app) connected(ctx context.Context, verb string, f func(*connection) error) error {
	home, l, err := a.visit()
	if err != nil {
		return err
	}
	defer l.close()
	conn, err := a.connect(ctx, home, l, verb)
	if err != nil {
		return err
	}
	err = f(conn)
	if closing := conn.close(); closing != nil {
		l.own.Warn("the server did not stop in good order", "error", closing)
	}
	return err
}
