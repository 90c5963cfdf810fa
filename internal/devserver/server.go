package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"

	"github.com/tenfold-ml/tenfold/internal/filelock"
)

// DefaultRetention is for how long closed workflows can be queried.
const DefaultRetention = 30 * 24 * time.Hour

// Options of a server. The zero value is a server in memory at a free port.
type Options struct {
	// Dir is the folder of the database file; it is created. Empty means the
	// working directory.
	Dir string
	// DBFile is the database file, relative to Dir unless absolute. Empty keeps
	// everything in memory.
	DBFile string
	// Host is the IP address to listen at; empty means 127.0.0.1. There is no
	// authentication, so it should stay a loopback address.
	Host string
	// Port of the frontend; 0 picks a free one.
	Port int
	// Namespace is created on first use; empty means "default".
	Namespace string
	// Retention of closed workflows, in a namespace that is created now; 0
	// means [DefaultRetention].
	Retention time.Duration
	// SearchAttributes are registered in the namespace unless they are there.
	SearchAttributes map[string]enumspb.IndexedValueType
	// Versioning runs Temporal's system workers too, which worker deployments need.
	// Sweeps of the embedded engine do without.
	Versioning bool
	// Log takes the server's and the clients' log; nil discards it.
	Log *slog.Logger
}

// Server is a running Temporal server.
type Server struct {
	server    temporal.Server
	address   string
	namespace string
	log       logger
	file      string         // of the database; empty in memory
	lock      *filelock.Lock // nil in memory
	sql       *config.SQL

	stop    sync.Once
	stopErr error
}

// Start starts a server and returns when it answers: about half a second on a
// new file. It returns [ErrPortTaken], [ErrCorrupt], [ErrInUse] or [ErrFull], wrapped,
// where they apply; all are one line and name the culprit. ctx bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{namespace: o.Namespace, log: newLogger(o.Log)}
	if err := s.start(ctx, o); err != nil {
		if full(err) {
			err = fmt.Errorf("database %s %w", s.file, ErrFull) // the cause says no more
		}
		err = errors.Join(err, s.Stop())
		return nil, fmt.Errorf("starting the embedded Temporal server: %w", err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	var err error
	if s.file, err = s.open(ctx, o); err != nil {
		return err
	}
	s.sql = sqlConfig(s.file)
	if err := createNamespace(s.sql, o.Namespace, o.Retention, o.SearchAttributes); err != nil {
		return err
	}
	services := services
	if o.Versioning {
		services = append(slices.Clone(services), primitives.WorkerService)
	}
	addresses := make(map[primitives.ServiceName]string, len(services))
	reserved := make([]reservation, 0, len(services))
	defer func() {
		for _, r := range reserved {
			r.release()
		}
	}()
	for _, service := range services {
		port := 0
		if service == primitives.FrontendService {
			port = o.Port
		}
		r, address, err := reserve(o.Host, port)
		if err != nil {
			return err
		}
		reserved = append(reserved, r)
		addresses[service] = address
	}
	s.address = addresses[primitives.FrontendService]
	cfg, err := serverConfig(s.sql, services, addresses)
	if err != nil {
		return err
	}
	for _, r := range reserved {
		r.ready()
	}
	if err := s.boot(cfg, services, addresses); err != nil {
		return err
	}
	return s.ready(ctx, o.SearchAttributes)
}

// open locks and checks the database file, and returns its absolute path.
func (s *Server) open(ctx context.Context, o Options) (string, error) {
	if o.DBFile == "" {
		return "", nil
	}
	file := o.DBFile
	if !filepath.IsAbs(file) {
		file = filepath.Join(o.Dir, file)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("finding the database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("making the folder of the database: %w", err)
	}
	if s.lock, err = filelock.Try(file + ".lock"); errors.Is(err, filelock.ErrHeld) {
		return "", fmt.Errorf("database %s %w", file, ErrInUse)
	} else if err != nil {
		return "", err
	}
	return file, prepareFile(ctx, file)
}

// boot builds and starts the services. It does so in a goroutine of its own,
// because Temporal's answer to many errors is logger.Fatal, which ends the
// calling goroutine here.
func (s *Server) boot(cfg *config.Config, services []primitives.ServiceName, addresses map[primitives.ServiceName]string) error {
	names := make([]string, len(services))
	for i, service := range services {
		names[i] = string(service)
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("temporal server: gave up")
		defer func() { done <- err }()
		s.server, err = temporal.NewServer(
			temporal.ForServices(names),
			temporal.WithConfig(cfg),
			temporal.WithStaticHosts(hosts(services, addresses)),
			temporal.WithDynamicConfigClient(dynamicConfig()),
			temporal.WithLogger(s.log),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		)
		if err != nil {
			return
		}
		err = s.server.Start()
	}()
	err := <-done
	if fatal := s.log.fatal.get(); fatal != nil {
		err = fatal
	}
	if err != nil {
		return errors.New(oneLine(err.Error()))
	}
	return nil
}

// ready waits until the frontend knows the namespace and its search attributes.
func (s *Server) ready(ctx context.Context, attributes map[string]enumspb.IndexedValueType) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := s.Client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	registered := false
	for {
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
		var missing map[string]enumspb.IndexedValueType
		if err == nil {
			missing, err = s.missing(ctx, c, attributes)
		}
		if err == nil && len(missing) == 0 {
			return nil
		}
		if err == nil && !registered {
			// The namespace was created by a version that had no such attributes.
			_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
				Namespace: s.namespace, SearchAttributes: missing,
			})
			registered = err == nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for namespace %s: %w", s.namespace, errors.Join(err, ctx.Err()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// missing returns those of the attributes that the namespace does not have.
func (s *Server) missing(ctx context.Context, c client.Client, attributes map[string]enumspb.IndexedValueType) (map[string]enumspb.IndexedValueType, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: s.namespace})
	if err != nil {
		return nil, err
	}
	missing := maps.Clone(attributes)
	for name := range have.GetCustomAttributes() {
		delete(missing, name)
	}
	return missing, nil
}

// Address is where the server can be reached, host:port.
func (s *Server) Address() string { return s.address }

// Namespace is the namespace that was created.
func (s *Server) Namespace() string { return s.namespace }

// Failed is closed when a service has failed in a way that it cannot recover
// from; Err then says why.
func (s *Server) Failed() <-chan struct{} { return s.log.fatal.hit }

// Err returns what the server failed from, or nil while it is well.
func (s *Server) Err() error { return s.log.fatal.get() }

// Client connects to the server, in its namespace. The caller closes the client.
func (s *Server) Client(ctx context.Context) (client.Client, error) {
	return s.Dial(ctx, client.Options{})
}

// Dial is [Server.Client] with options. HostPort is set, Namespace and Logger where
// they are not.
func (s *Server) Dial(ctx context.Context, o client.Options) (client.Client, error) {
	o.HostPort = s.address
	if o.Namespace == "" {
		o.Namespace = s.namespace
	}
	if o.Logger == nil {
		o.Logger = sdklog.NewStructuredLogger(s.log.out)
	}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the SDK's error does not wrap it
		}
		return nil, fmt.Errorf("connecting to the embedded Temporal server at %s: %w", s.address, err)
	}
	return c, nil
}

// Stop stops the server and lets go of its file. Clients and workers should be
// closed before, or they will log that they cannot connect. It is safe to call twice.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		var errs []error
		if s.server != nil {
			if err := s.server.Stop(); err != nil {
				errs = append(errs, fmt.Errorf("stopping the embedded Temporal server: %w", err))
			}
		}
		if s.lock != nil {
			if s.server != nil {
				errs = append(errs, foldWAL(s.file))
			}
			s.lock.Unlock()
		}
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}

// oneLine keeps a message of Temporal's dependencies from filling a screen.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
