package nomad

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const (
	// connections at a time; an agent lets a client have 100, and others may share it.
	connections = 16
	// answerWithin is how long one request may take.
	answerWithin = 30 * time.Second
	// longestPause is the longest time between two tries of a request.
	longestPause = 5 * time.Second
)

// Options of a [Cluster]; the zero value of each field has a default.
type Options struct {
	// Nomad says how the cluster is reached. Default: by the environment, NOMAD_*.
	Nomad *api.Config
	// Store is where trials keep everything. On s3:// the built-in trainer is fetched
	// from it; on file:// nodes are expected to see the same files as this process.
	Store *storage.Store
	// Trainer is the path of the built-in trainer's binary, if there is one.
	Trainer string
	// LogRate is how many requests a second all running trials together may cost:
	// their standard output is read in turn. Default: 8.
	LogRate float64
	// LogEvery is the least time between two looks at the same trial. Default: 2 s.
	LogEvery time.Duration
	// Resync is how often what events told is compared with lists. Default: 5 min.
	Resync time.Duration
	// Patience is for how long a request is tried again while no server answers it.
	// Default: 5 min.
	Patience time.Duration
	// Remember is how many ended jobs are remembered. Default: 2048.
	Remember int
	// Transport is put around the HTTP client's, to count requests for example.
	Transport func(http.RoundTripper) http.RoundTripper
	// Credentials are where short-lived credentials for trials come from. Default:
	// AWS's security token service.
	Credentials CredentialSource
	// Log receives what goes wrong around jobs. Default: nothing is logged.
	Log *slog.Logger
}

// Cluster is a connection to Nomad with all that the launchers of one worker share.
// It is safe for concurrent use.
type Cluster struct {
	opts    Options
	client  *api.Client
	address string
	gate    chan struct{} // a token for each request under way

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	// mu guards all that follows, and what the feeds and runs say of themselves.
	mu       sync.Mutex
	closed   bool
	feeds    map[place]*feed
	ended    []*run // the oldest first
	uploaded uploads
}

// place is where jobs are: each has a feed of its own, so that a token that may read
// one namespace is enough.
type place struct{ region, namespace string }

// Open makes a cluster, which has to be closed. It does not wait for Nomad to answer.
func Open(opts Options) (*Cluster, error) {
	if opts.Nomad == nil {
		opts.Nomad = api.DefaultConfig()
	}
	if opts.LogRate <= 0 {
		opts.LogRate = 8
	}
	if opts.LogEvery <= 0 {
		opts.LogEvery = 2 * time.Second
	}
	if opts.Resync <= 0 {
		opts.Resync = 5 * time.Minute
	}
	if opts.Patience <= 0 {
		opts.Patience = 5 * time.Minute
	}
	if opts.Remember <= 0 {
		opts.Remember = 2048
	}
	if opts.Credentials == nil {
		opts.Credentials = securityTokens{}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	client, err := newClient(*opts.Nomad, opts.Transport)
	if err != nil {
		return nil, fmt.Errorf("connect to Nomad: %w", err)
	}
	c := &Cluster{
		opts: opts, client: client, address: client.Address(),
		gate: make(chan struct{}, connections), feeds: map[place]*feed{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.tasks.Go(c.sample)
	c.tasks.Go(c.renew)
	return c, nil
}

// newClient makes a client whose transport can be wrapped. A Unix socket is left to
// Nomad's own client.
func newClient(config api.Config, wrap func(http.RoundTripper) http.RoundTripper) (*api.Client, error) {
	if config.HttpClient == nil && !strings.HasPrefix(config.Address, "unix:") {
		transport := &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     90 * time.Second,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		}
		transport.MaxIdleConnsPerHost = connections
		config.HttpClient = &http.Client{Transport: transport}
		if config.TLSConfig != nil {
			if err := api.ConfigureTLS(config.HttpClient, config.TLSConfig); err != nil {
				return nil, err
			}
		}
		if wrap != nil {
			config.HttpClient.Transport = wrap(config.HttpClient.Transport)
		}
	}
	return api.NewClient(&config)
}

// Launcher makes the launcher for jobs as a spec wants them. Making one costs
// nothing, and two of the same spec are as good as one.
func (c *Cluster) Launcher(spec sweeps.Nomad) *Launcher { return &Launcher{cluster: c, spec: spec} }

// Close detaches from the cluster, whose jobs go on, and returns when nothing of this
// process has to do with it any more.
func (c *Cluster) Close() {
	c.mu.Lock()
	c.closed = true
	for _, f := range c.feeds {
		f.interrupt(activities.ErrClosed)
	}
	c.mu.Unlock()
	c.cancel()
	c.tasks.Wait()
	c.client.Close()
}

// spawn runs something that Close waits for, unless the cluster is closed.
func (c *Cluster) spawn(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return activities.ErrClosed
	}
	c.tasks.Go(f)
	return nil
}

// feed returns the feed of a place, which it starts if need be.
func (c *Cluster) feed(at place) (*feed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, activities.ErrClosed
	}
	f := c.feeds[at]
	if f == nil {
		f = newFeed(c, at)
		c.feeds[at] = f
		c.tasks.Go(f.follow)
	}
	return f, nil
}

// call makes a request, and makes it again while nobody answers it. What it does has
// to be harmless when done twice. A 403 is an ErrDenied.
func (c *Cluster) call(ctx context.Context, doing string, request func(context.Context) error) error {
	patience := time.NewTimer(c.opts.Patience)
	defer patience.Stop()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		err := c.once(ctx, request)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err):
			return fmt.Errorf("%s: %w", doing, err)
		}
		select {
		case <-time.After(pause):
		case <-patience.C:
			return fmt.Errorf("%s: for %s nobody has answered: %w", doing, c.opts.Patience, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once makes a request once, when there is a connection to be had.
func (c *Cluster) once(ctx context.Context, request func(context.Context) error) error {
	select {
	case c.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.gate }()
	within, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	err := denied(request(within), c.address)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.Canceled) {
		return errors.New("the connection was closed") // and not by us
	}
	return err
}

// query is how reading requests reach a place.
func (p place) query(ctx context.Context, params map[string]string) *api.QueryOptions {
	return (&api.QueryOptions{Region: p.region, Namespace: p.namespace, Params: params}).WithContext(ctx)
}

// write is how writing requests reach a place.
func (p place) write(ctx context.Context) *api.WriteOptions {
	return (&api.WriteOptions{Region: p.region, Namespace: p.namespace}).WithContext(ctx)
}
