package sweeps

import "time"

// Kinds of launchers.
const (
	LocalLauncher = "local"
	NomadLauncher = "nomad"
)

// Nomad says how trials are placed on a Nomad cluster. How the cluster is reached
// is the workers' environment (NOMAD_*), and no secret is in here: a spec is stored
// and shown. Nothing of it is in [Config], so a point that was trained on a laptop
// and on a cluster is one trial.
type Nomad struct {
	// Driver is raw_exec, exec or docker. Default: raw_exec.
	Driver string `json:"driver,omitzero" yaml:"driver"`
	// Image is the container's, for docker only, which needs it.
	Image string `json:"image,omitzero" yaml:"image"`
	// Region of the jobs. Default: the worker's, of NOMAD_REGION or its agent.
	Region string `json:"region,omitzero" yaml:"region"`
	// Namespace of the jobs. Default: default.
	Namespace string `json:"namespace,omitzero" yaml:"namespace"`
	// Datacenters that may be used, with wildcards. Default: all.
	Datacenters []string `json:"datacenters,omitzero" yaml:"datacenters"`
	// NodePool that is used. Default: default.
	NodePool string `json:"node_pool,omitzero" yaml:"node_pool"`
	// Priority is 1 to 100, and jobs of a higher one may preempt. Default: 50.
	Priority int `json:"priority,omitzero" yaml:"priority"`
	// Constraints say which nodes may be used at all, Affinities which rather, and
	// Spread over which attribute trials are spread.
	Constraints []NomadConstraint `json:"constraints,omitzero" yaml:"constraints"`
	Affinities  []NomadAffinity   `json:"affinities,omitzero" yaml:"affinities"`
	Spread      []NomadSpread     `json:"spread,omitzero" yaml:"spread"`
	// GPU says which devices count as GPUs; with resources.gpus only.
	GPU NomadGPU `json:"gpu,omitzero" yaml:"gpu"`
	// KillTimeout is how long a trainer has between SIGTERM and SIGKILL. Default: 30s.
	KillTimeout Duration `json:"kill_timeout,omitzero" yaml:"kill_timeout"`
	// LostAfter is how long a client that is not heard of may come back, with its
	// trials. Default: 5m.
	LostAfter Duration `json:"lost_after,omitzero" yaml:"lost_after"`
	// Env holds plain settings for the trainer's environment.
	Env map[string]string `json:"env,omitzero" yaml:"env"`
	// Artifacts are fetched by Nomad before a trainer starts.
	Artifacts   []NomadArtifact  `json:"artifacts,omitzero" yaml:"artifacts"`
	Vault       NomadVault       `json:"vault,omitzero" yaml:"vault"`
	Identity    NomadIdentity    `json:"identity,omitzero" yaml:"identity"`
	Credentials NomadCredentials `json:"credentials,omitzero" yaml:"credentials"`
	// Disk is the size of a trial's ephemeral disk. Default: 100MiB.
	Disk Bytes `json:"disk,omitzero" yaml:"disk"`
	// Jobspec is a job in the JSON form of Nomad's API for what the other settings
	// do not reach. It is merged under what they say.
	Jobspec map[string]any `json:"jobspec,omitzero" yaml:"jobspec"`
}

// NomadConstraint is a condition on nodes, or on devices.
type NomadConstraint struct {
	// Attribute such as ${attr.cpu.arch} or ${meta.rack}.
	Attribute string `json:"attribute" yaml:"attribute"`
	// Operator compares the attribute to Value. Default: =.
	Operator string `json:"operator" yaml:"operator"`
	// Value is empty for is_set and is_not_set, which have none.
	Value string `json:"value,omitzero" yaml:"value"`
}

// NomadAffinity is a preference for nodes.
type NomadAffinity struct {
	Attribute string `json:"attribute" yaml:"attribute"`
	Operator  string `json:"operator" yaml:"operator"` // Default: =.
	Value     string `json:"value" yaml:"value"`
	// Weight is -100 to 100 and not 0; below 0 it is an aversion. Default: 50.
	Weight int `json:"weight" yaml:"weight"`
}

// NomadSpread spreads trials over the values of an attribute.
type NomadSpread struct {
	Attribute string `json:"attribute" yaml:"attribute"`
	Weight    int    `json:"weight" yaml:"weight"` // 1 to 100. Default: 50.
}

// NomadGPU says which devices count as GPUs.
type NomadGPU struct {
	// Name of the devices: type, vendor/type or vendor/type/model. Default: nvidia/gpu.
	Name string `json:"name,omitzero" yaml:"name"`
	// Constraints on ${device.model}, ${device.attr.memory} and the like.
	Constraints []NomadConstraint `json:"constraints,omitzero" yaml:"constraints"`
}

// NomadArtifact is something that Nomad fetches.
type NomadArtifact struct {
	// Source is a URL as Nomad's artifact block takes it, without credentials.
	Source string `json:"source" yaml:"source"`
	// Destination is below the task's folder. Default: local/.
	Destination string `json:"destination" yaml:"destination"`
	// Checksum is sha256:<64 hex digits>; empty checks nothing.
	Checksum string `json:"checksum,omitzero" yaml:"checksum"`
}

// NomadVault has Nomad get a Vault token for each trial.
type NomadVault struct {
	// Role in Vault; empty asks for no token.
	Role      string `json:"role,omitzero" yaml:"role"`
	Namespace string `json:"namespace,omitzero" yaml:"namespace"`
}

// NomadIdentity has Nomad sign a workload identity for each trial.
type NomadIdentity struct {
	// Name of the identity; empty asks for none.
	Name     string   `json:"name,omitzero" yaml:"name"`
	Audience []string `json:"audience,omitzero" yaml:"audience"`
	// Env and File say where the trainer finds it.
	Env  bool `json:"env,omitzero" yaml:"env"`
	File bool `json:"file,omitzero" yaml:"file"`
	// TTL after which it is renewed. Default: 1h.
	TTL Duration `json:"ttl,omitzero" yaml:"ttl"`
}

// NomadCredentials hands each trial credentials for the store that reach no
// further than the trial and do not last.
type NomadCredentials struct {
	// RoleARN is the role that is assumed for a trial; empty hands out none.
	RoleARN string `json:"role_arn,omitzero" yaml:"role_arn"`
	// Duration of the credentials. Default: 1h.
	Duration Duration `json:"duration,omitzero" yaml:"duration"`
}

// defaultNomad is what a spec says that only has kind: nomad.
func defaultNomad() Nomad {
	return Nomad{
		Driver:      "raw_exec",
		Namespace:   "default",
		Datacenters: []string{"*"},
		NodePool:    "default",
		Priority:    50,
		KillTimeout: Duration(30 * time.Second),
		LostAfter:   Duration(5 * time.Minute),
		Disk:        100 << 20,
	}
}

const (
	defaultGPU         = "nvidia/gpu"
	defaultIdentityTTL = Duration(time.Hour)
	defaultCredentials = Duration(time.Hour)
	defaultNomadWeight = 50
)

// fill sets the defaults of what the spec's author did not write, and makes empty
// lists the same as none, so that they do not tell sweeps apart.
func (n *Nomad) fill(gpus int, given func(path string) bool) {
	initial := defaultNomad()
	for _, f := range []struct {
		key string
		set func()
	}{
		{"driver", func() { n.Driver = initial.Driver }},
		{"namespace", func() { n.Namespace = initial.Namespace }},
		{"datacenters", func() { n.Datacenters = initial.Datacenters }},
		{"node_pool", func() { n.NodePool = initial.NodePool }},
		{"priority", func() { n.Priority = initial.Priority }},
		{"kill_timeout", func() { n.KillTimeout = initial.KillTimeout }},
		{"lost_after", func() { n.LostAfter = initial.LostAfter }},
		{"disk", func() { n.Disk = initial.Disk }},
	} {
		if !given("launcher.nomad." + f.key) {
			f.set()
		}
	}
	if gpus > 0 && n.GPU.Name == "" {
		n.GPU.Name = defaultGPU
	}
	if n.Identity.Name != "" && !given("launcher.nomad.identity.ttl") {
		n.Identity.TTL = defaultIdentityTTL
	}
	if n.Credentials.RoleARN != "" && !given("launcher.nomad.credentials.duration") {
		n.Credentials.Duration = defaultCredentials
	}
	n.Constraints, n.Affinities, n.Spread = orNil(n.Constraints), orNil(n.Affinities), orNil(n.Spread)
	n.GPU.Constraints, n.Artifacts, n.Identity.Audience = orNil(n.GPU.Constraints), orNil(n.Artifacts), orNil(n.Identity.Audience)
	if len(n.Env) == 0 {
		n.Env = nil
	}
	if len(n.Jobspec) == 0 {
		n.Jobspec = nil
	}
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
