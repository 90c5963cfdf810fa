//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// NomadOptions describe a Nomad cluster of one server and its clients.
type NomadOptions struct {
	// Clients; nil means two ordinary ones.
	Clients []ClientOptions
	// Region; empty means "global".
	Region string
	// ACL demands tokens. [Nomad.Token] is then a management token.
	ACL bool
	// HTTPConnections that one address may have to the server, 0 for Nomad's 100.
	HTTPConnections int
	// DownAfter is about how long a client may be silent before its node counts as
	// down, 0 for Nomad's 20 s. Below five seconds a busy machine loses nodes for nothing.
	DownAfter time.Duration
	// LogLevel of all agents; empty means INFO.
	LogLevel string
	// Config is HCL that is merged over the server's.
	Config string
}

// ClientOptions describe a client, which is a node. What they say of the machine is
// what Nomad believes: several nodes share this one.
type ClientOptions struct {
	// Name of the node; empty means client-1 and so on.
	Name string
	// Datacenter ("dc1"), NodePool ("default") and Class (none).
	Datacenter, NodePool, Class string
	// Meta of the node.
	Meta map[string]string
	// CPU in MHz (8000), MemoryMiB (16384) and DiskMiB (102400) to place tasks on.
	CPU, MemoryMiB, DiskMiB int
	// KeepAllocs is how many ended allocations the client keeps with their files, 0 for 200.
	KeepAllocs int
	// GPUs that do not exist, and are placed on all the same.
	GPUs []GPU
	// Cgroups lets the client use the machine's cgroups, which the drivers exec and docker
	// want. Nomad knows one parent for them, so two such clients would undo each other's
	// settings as soon as a task asks for cores: let there be one.
	Cgroups bool
	// Env is the client's environment on top of the little it has: raw_exec tasks and
	// artifact downloads see it.
	Env []string
	// Chroot is what tasks of the driver exec see of this machine, path by path. Nil means
	// a few files of /etc: enough for a static program.
	Chroot map[string]string
	// Config is HCL that is merged over the client's.
	Config string
}

// GPU is a model of GPU and how many of it a node has.
type GPU struct {
	Model     string // as in "NVIDIA H100 80GB HBM3"
	Count     int
	MemoryMiB int
}

// String returns the GPU as the device plugin is told of it.
func (g GPU) String() string { return fmt.Sprintf("%s:%d:%d", g.Model, g.Count, g.MemoryMiB) }

// Nomad is a running Nomad cluster. Its methods may be called by several goroutines.
type Nomad struct {
	// Server is its only server, to kill and restart.
	Server *Process
	// Token is a management token, with ACLs.
	Token string

	cluster *Cluster
	options NomadOptions
	bin     string
	http    string // the server's address
	api     *api.Client
	gate    *gate // in front of the server's RPC port

	mu      sync.Mutex
	clients []*Client
}

// Client is a client agent: a node.
type Client struct {
	// Process of the agent. Its tasks outlive it.
	*Process
	// ID and Name of the node.
	ID, Name string

	nomad *Nomad
	cut   atomic.Bool
	gate  *gate // in front of its HTTP port
}

// StartNomad starts the server and then the clients, and returns when all nodes are
// ready, with their GPUs: about five seconds. Clients that start with the server would
// meet a keyring that is not there yet and wait for half a minute.
func (c *Cluster) StartNomad(ctx context.Context, o NomadOptions) (*Nomad, error) {
	if o.Clients == nil {
		o.Clients = make([]ClientOptions, 2)
	}
	if o.Region == "" {
		o.Region = "global"
	}
	if o.LogLevel == "" {
		o.LogLevel = "INFO"
	}
	n := &Nomad{cluster: c, options: o}
	var err error
	if n.bin, err = c.binary("nomad"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.clears = append(c.clears, n.clear)
	c.mu.Unlock()
	if err := n.startServer(ctx); err != nil {
		return nil, err
	}
	var starts errgroup.Group
	for i, client := range o.Clients {
		if client.Name == "" {
			client.Name = fmt.Sprintf("client-%d", i+1)
		}
		starts.Go(func() error {
			_, err := n.StartClient(ctx, client)
			return err
		})
	}
	if err := starts.Wait(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Nomad) startServer(ctx context.Context) error {
	dir, err := n.cluster.mkdir("server")
	if err != nil {
		return err
	}
	config := agentConfig{Name: "server", Region: n.options.Region, Datacenter: "dc1", LogLevel: n.options.LogLevel,
		DataDir: dir, ACL: n.options.ACL,
		Server: &serverConfig{HTTPConnections: n.options.HTTPConnections, TTL: 10 * time.Second, Grace: 10 * time.Second}}
	if d := n.options.DownAfter; d > 0 {
		config.Server.TTL, config.Server.Grace = max(d/2, time.Second), max(d/2, time.Second)
	}
	for _, address := range []*string{&config.HTTP, &config.RPC, &config.Serf} {
		if *address, err = n.cluster.ports.take(); err != nil {
			return err
		}
	}
	if n.gate, err = newGate(config.RPC, n.isCut); err != nil {
		return err
	}
	config.AdvertiseHTTP, config.AdvertiseRPC = config.HTTP, n.gate.address()
	n.http = config.HTTP
	if n.api, err = n.client(""); err != nil {
		return err
	}
	args, err := writeConfig(dir, config, n.options.Config)
	if err != nil {
		return err
	}
	n.Server, err = n.cluster.Start(ctx, Command{
		Name: "nomad-server", Path: n.bin, Args: args, Dir: dir, Ready: n.serverReady, Grace: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	if n.options.ACL {
		token, _, err := n.api.ACLTokens().Bootstrap(nil)
		if err != nil {
			return fmt.Errorf("bootstrapping Nomad's ACLs: %w", err)
		}
		n.Token = token.SecretID
		n.api, err = n.client(n.Token)
		return err
	}
	return nil
}

// serverReady asks for the keys with which clients' identities are signed. They are
// there when the server leads and its keyring is made.
func (n *Nomad) serverReady(ctx context.Context, _ *Process) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Address()+"/.well-known/jwks.json", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !strings.Contains(string(body), `"kid"`) {
		return fmt.Errorf("no keyring yet: %s", response.Status)
	}
	leader, err := n.api.Status().Leader()
	if err == nil && leader == "" {
		err = errors.New("no leader yet")
	}
	return err
}

// StartClient adds a client, and returns when its node is ready, with its GPUs.
func (n *Nomad) StartClient(ctx context.Context, o ClientOptions) (*Client, error) {
	setDefaults(&o)
	dir, err := n.cluster.mkdir(o.Name)
	if err != nil {
		return nil, err
	}
	client := &Client{Name: o.Name, nomad: n}
	config := agentConfig{Name: o.Name, Region: n.options.Region, Datacenter: o.Datacenter, LogLevel: n.options.LogLevel,
		DataDir: dir, ACL: n.options.ACL,
		Client: &clientConfig{ClientOptions: o, Server: n.gate.address()}}
	if config.HTTP, err = n.cluster.ports.take(); err != nil {
		return nil, err
	}
	if client.gate, err = newGate(config.HTTP, func(net.Addr) bool { return client.cut.Load() }); err != nil {
		return nil, err
	}
	config.AdvertiseHTTP = client.gate.address()
	if len(o.GPUs) > 0 {
		plugin, err := n.cluster.binary(filepath.Join("plugins", "fakegpu"))
		if err != nil {
			return nil, err
		}
		config.PluginDir = filepath.Dir(plugin)
	}
	args, err := writeConfig(dir, config, o.Config)
	if err != nil {
		return nil, err
	}
	gpus := 0
	for _, gpu := range o.GPUs {
		gpus += gpu.Count
	}
	command := append([]string{n.bin}, args...)
	if !o.Cgroups {
		if command, err = withoutCgroups(dir, command); err != nil {
			return nil, err
		}
	}
	client.Process, err = n.cluster.Start(ctx, Command{
		Name: "nomad-" + o.Name, Path: command[0], Args: command[1:], Env: o.Env, Dir: dir, Grace: 5 * time.Second,
		Ready: func(ctx context.Context, p *Process) error { return client.ready(ctx, p, gpus) },
	})
	if err != nil {
		client.gate.close()
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clients = append(n.clients, client)
	return client, nil
}

// withoutCgroups has a command run where no cgroups are mounted. It needs a mount
// namespace for that, and the folder is shared with it: what the client mounts there is
// seen here, and by the client's next life. Only root has cgroups to be without.
func withoutCgroups(dir string, command []string) ([]string, error) {
	if os.Geteuid() != 0 {
		return command, nil
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return nil, fmt.Errorf("running Nomad without cgroups: %w", err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("sharing %s: %w", dir, err)
	}
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		return nil, fmt.Errorf("sharing %s: %w", dir, err)
	}
	const script = `mount --make-rprivate /sys && umount -R -l /sys/fs/cgroup && exec "$@"`
	return append([]string{unshare, "--mount", "--propagation", "unchanged", "/bin/sh", "-c", script, "sh"}, command...), nil
}

func setDefaults(o *ClientOptions) {
	text := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	number := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	text(&o.Datacenter, "dc1")
	text(&o.NodePool, "default")
	number(&o.CPU, 8000)
	number(&o.MemoryMiB, 16<<10)
	number(&o.DiskMiB, 100<<10)
	number(&o.KeepAllocs, 200)
	if o.Chroot == nil {
		o.Chroot = map[string]string{}
		for _, file := range []string{"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ssl/certs"} {
			o.Chroot[file] = file
		}
	}
}

// writeConfig writes an agent's configuration and returns the command's arguments.
func writeConfig(dir string, config agentConfig, more string) ([]string, error) {
	file := filepath.Join(dir, "agent.hcl")
	if err := config.write(file); err != nil {
		return nil, err
	}
	args := []string{"agent", "-config", file}
	if more != "" {
		file := filepath.Join(dir, "more.hcl")
		if err := os.WriteFile(file, []byte(more), 0o644); err != nil {
			return nil, err
		}
		args = append(args, "-config", file)
	}
	return args, nil
}

// ready asks whether the node is ready, healthy and has its GPUs.
func (c *Client) ready(ctx context.Context, p *Process, gpus int) error {
	// A node that was killed a moment ago is still ready by the server's word.
	if err := p.Logged("node registration complete"); err != nil {
		return err
	}
	stubs, _, err := c.nomad.api.Nodes().List((&api.QueryOptions{Filter: fmt.Sprintf("Name == %q", c.Name), Params: map[string]string{"resources": "true"}}).WithContext(ctx))
	if err != nil {
		return err
	}
	for _, stub := range stubs {
		if stub.Status != api.NodeStatusReady {
			continue
		}
		if c.ID == "" {
			c.ID = stub.ID
		}
		if driver := stub.Drivers["raw_exec"]; driver == nil || !driver.Healthy {
			return errors.New("raw_exec is not healthy")
		}
		found := 0
		for _, device := range stub.NodeResources.Devices {
			found += len(device.Instances)
		}
		if found != gpus {
			return fmt.Errorf("%d of %d GPUs", found, gpus)
		}
		return nil
	}
	return errors.New("the node is not ready")
}

// Address returns the server's address, as in NOMAD_ADDR.
func (n *Nomad) Address() string { return "http://" + n.http }

// Env returns the settings with which Nomad's tools and ours find the cluster.
func (n *Nomad) Env() []string {
	env := []string{"NOMAD_ADDR=" + n.Address(), "NOMAD_REGION=" + n.options.Region}
	if n.Token != "" {
		env = append(env, "NOMAD_TOKEN="+n.Token)
	}
	return env
}

// API returns a client of Nomad's API, with the management token where there are ACLs.
func (n *Nomad) API() *api.Client { return n.api }

// client makes a client of the API from nothing but the cluster's settings.
func (n *Nomad) client(token string) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{Address: n.Address(), Region: n.options.Region, SecretID: token, TLSConfig: &api.TLSConfig{}})
	if err != nil {
		return nil, fmt.Errorf("connecting to Nomad: %w", err)
	}
	return client, nil
}

// Clients returns the clients in the order of their names.
func (n *Nomad) Clients() []*Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	clients := slices.Clone(n.clients)
	slices.SortFunc(clients, func(a, b *Client) int { return strings.Compare(a.Name, b.Name) })
	return clients
}

// CollectGarbage has the server forget all jobs, allocations and evaluations that have
// ended, however recently, and the clients' files of them. It is done a moment later.
func (n *Nomad) CollectGarbage() error {
	if err := n.api.System().GarbageCollect(); err != nil {
		return fmt.Errorf("collecting Nomad's garbage: %w", err)
	}
	return nil
}

// isCut says whether a connection to the server comes from a client that is cut off.
// While there is one, whoever cannot be told is refused, too: the kernel's lists are
// not one picture, and agents try again.
func (n *Nomad) isCut(from net.Addr) bool {
	cut := map[*Process]bool{}
	for _, c := range n.Clients() {
		if c.cut.Load() {
			cut[c.Process] = true
		}
	}
	if len(cut) == 0 {
		return false
	}
	socket, ok := socketOf(from)
	return !ok || !slices.ContainsFunc(n.cluster.all(), func(p *Process) bool { return !cut[p] && owns(p.Pid(), socket) })
}

// Cut partitions the client: neither reaches the server's agent the other's, until
// Mend. Its tasks go on, and reach the rest of the world.
func (c *Client) Cut() {
	c.cut.Store(true)
	c.nomad.gate.enforce()
	c.gate.enforce()
	c.nomad.cluster.log.Info("cut off", "process", c.Process.Name())
}

// Mend ends the partition. The client asks again within half a minute.
func (c *Client) Mend() {
	if c.cut.Swap(false) {
		c.nomad.cluster.log.Info("mended", "process", c.Process.Name())
	}
}

// Drain lets no allocation be placed on the node any more and moves those that are
// there: of batch jobs, those that still run at the deadline. It returns at once.
func (c *Client) Drain(deadline time.Duration) error {
	_, err := c.nomad.api.Nodes().UpdateDrainOpts(c.ID, &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: deadline}}, nil)
	if err != nil {
		return fmt.Errorf("draining %s: %w", c.Name, err)
	}
	return nil
}

// Enable ends a drain and lets allocations be placed on the node again.
func (c *Client) Enable() error {
	if _, err := c.nomad.api.Nodes().UpdateDrainOpts(c.ID, &api.DrainOptions{MarkEligible: true}, nil); err != nil {
		return fmt.Errorf("enabling %s: %w", c.Name, err)
	}
	return nil
}

// WaitStatus waits until the server calls the node what status says: one of
// api.NodeStatusReady, NodeStatusDown and NodeStatusDisconnected.
func (c *Client) WaitStatus(ctx context.Context, status string) error {
	index := uint64(0)
	for {
		node, meta, err := c.nomad.api.Nodes().Info(c.ID, (&api.QueryOptions{WaitIndex: index, WaitTime: 5 * time.Second}).WithContext(ctx))
		if err != nil {
			return fmt.Errorf("waiting for %s to be %s: %w", c.Name, status, err)
		}
		if node.Status == status {
			return nil
		}
		index = meta.LastIndex
	}
}

// clear stops all jobs while somebody is there to do it. The agents are processes of the
// cluster, which ends them next.
func (n *Nomad) clear(ctx context.Context) error {
	defer n.closeGates()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if n.Server == nil || !n.Server.Running() {
		return nil
	}
	err := n.Server.Thaw()
	for _, c := range n.Clients() {
		err = errors.Join(err, c.Thaw())
		c.Mend()
	}
	begun := time.Now()
	err = errors.Join(err, n.stopJobs(ctx))
	n.cluster.log.Info("jobs stopped", "after", time.Since(begun).Round(time.Millisecond))
	return err
}

func (n *Nomad) closeGates() {
	for _, c := range n.Clients() {
		c.gate.close()
	}
	if n.gate != nil {
		n.gate.close()
	}
}

// stopJobs stops all jobs and waits until their tasks on clients that run have ended.
func (n *Nomad) stopJobs(ctx context.Context) error {
	query := &api.QueryOptions{Namespace: "*"}
	jobs, _, err := n.api.Jobs().List(query.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("listing what to stop: %w", err)
	}
	stops := new(errgroup.Group)
	stops.SetLimit(16)
	for _, job := range jobs {
		if job.Status == "dead" {
			continue
		}
		stops.Go(func() error {
			_, _, err := n.api.Jobs().Deregister(job.ID, false, (&api.WriteOptions{Namespace: job.Namespace}).WithContext(ctx))
			return err
		})
	}
	if err := stops.Wait(); err != nil {
		return fmt.Errorf("stopping jobs: %w", err)
	}
	alive := map[string]bool{}
	for _, c := range n.Clients() {
		alive[c.ID] = c.Running()
	}
	query.Filter = `ClientStatus == "running" or ClientStatus == "pending"`
	query.Params = map[string]string{"task_states": "false"}
	query.WaitTime = time.Second
	for {
		allocs, meta, err := n.api.Allocations().List(query.WithContext(ctx))
		if err != nil {
			return fmt.Errorf("waiting for tasks to end: %w", err)
		}
		if !slices.ContainsFunc(allocs, func(a *api.AllocationListStub) bool { return alive[a.NodeID] }) {
			return nil
		}
		query.WaitIndex = meta.LastIndex
	}
}
