package nomad

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const (
	mib = 1 << 20
	// leastDisk and logFiles × logFileMB: Nomad refuses jobs whose logs may fill the disk.
	leastDiskMB, logFiles, logFileMB = 16, 2, 2
	// scratchDir is empty when a trainer starts, and goes with its allocation.
	scratchDir = "${NOMAD_ALLOC_DIR}/tmp"
	// credentialsFile is where a trial's own credentials are, as the SDKs' credential
	// process prints them.
	credentialsDir  = "${NOMAD_SECRETS_DIR}"
	credentialsFile = "credentials.json"
	credentialsConf = "aws-config"
)

// jobPrefix is what the IDs of all attempts at a run begin with.
func jobPrefix(k activities.JobKey) string {
	return fmt.Sprintf("tenfold-%s-%s-%d-a", k.Sweep, k.Trial, k.Epochs)
}

// jobID is the same for the same launch, which makes registering it twice harmless.
func jobID(k activities.JobKey, attempt int) string { return jobPrefix(k) + strconv.Itoa(attempt) }

// attemptOf is the attempt in a job's ID, if it is one of k.
func attemptOf(id string, k activities.JobKey) (int, bool) {
	digits, ok := strings.CutPrefix(id, jobPrefix(k))
	if !ok || digits == "" || digits[0] == '0' || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// program is what a job runs, and what has to be fetched for it.
type program struct {
	command  []string
	artifact *api.TaskArtifact
}

// jobOf describes a launch. The same launch makes the same job, to the byte. What
// the spec's own job says is merged under it.
//
// Cores are reserved (Nomad's cores, not shares) when the job asks for some; else a
// trial has Nomad's default share and one thread.
func jobOf(spec sweeps.Nomad, j activities.Job, p program) (*api.Job, error) {
	if len(p.command) == 0 {
		return nil, fmt.Errorf("the job has no command")
	}
	id := jobID(j.Key, j.Attempt)
	job := &api.Job{
		ID: &id, Name: &id, Type: ref(api.JobTypeBatch),
		Datacenters: spec.Datacenters,
		Meta: map[string]string{
			"sweep": j.Key.Sweep, "trial": string(j.Key.Trial),
			"epochs": strconv.Itoa(j.Key.Epochs), "attempt": strconv.Itoa(j.Attempt),
		},
		Constraints: constraintsOf(spec.Constraints),
		TaskGroups:  []*api.TaskGroup{group(spec, j, p)},
	}
	job.Region, job.Namespace, job.NodePool = given(spec.Region), given(spec.Namespace), given(spec.NodePool)
	if spec.Priority != 0 {
		job.Priority = &spec.Priority
	}
	for _, a := range spec.Affinities {
		job.Affinities = append(job.Affinities, &api.Affinity{LTarget: a.Attribute, Operand: a.Operator, RTarget: a.Value, Weight: ref(int8(a.Weight))})
	}
	for _, s := range spec.Spread {
		job.Spreads = append(job.Spreads, &api.Spread{Attribute: s.Attribute, Weight: ref(int8(s.Weight))})
	}
	return merged(spec.Jobspec, job)
}

// group is the job's only one. Only the workflow retries, so it never restarts, is
// never rescheduled, and nothing takes its place while its node is away.
func group(spec sweeps.Nomad, j activities.Job, p program) *api.TaskGroup {
	none := 0
	g := &api.TaskGroup{
		Name: ref(groupName), Count: ref(1),
		RestartPolicy: &api.RestartPolicy{
			Attempts: &none, Mode: ref(api.RestartPolicyModeFail),
			Interval: ref(24 * time.Hour), Delay: ref(time.Second),
		},
		ReschedulePolicy: &api.ReschedulePolicy{Attempts: &none, Unlimited: ref(false)},
		EphemeralDisk:    &api.EphemeralDisk{SizeMB: ref(max(ceilMB(int64(spec.Disk)), leastDiskMB))},
		Tasks:            []*api.Task{task(spec, j, p)},
	}
	if spec.LostAfter > 0 {
		g.Disconnect = &api.DisconnectStrategy{
			LostAfter: ref(time.Duration(spec.LostAfter)), Replace: ref(false),
			Reconcile: ref(api.ReconcileOptionKeepOriginal),
		}
	}
	return g
}

// task is the trainer.
func task(spec sweeps.Nomad, j activities.Job, p program) *api.Task {
	t := &api.Task{
		Name: taskName, Driver: or(spec.Driver, "raw_exec"),
		Config:     map[string]any{"command": p.command[0]},
		Env:        environment(spec, j),
		Resources:  resources(spec, j),
		KillSignal: "SIGTERM",
		LogConfig:  &api.LogConfig{MaxFiles: ref(logFiles), MaxFileSizeMB: ref(logFileMB)},
		Leader:     true, // whatever the spec's own job puts beside it ends with it
	}
	if len(p.command) > 1 {
		t.Config["args"] = p.command[1:]
	}
	if spec.Image != "" {
		t.Config["image"] = spec.Image
	}
	if spec.KillTimeout > 0 {
		t.KillTimeout = ref(time.Duration(spec.KillTimeout))
	}
	for _, a := range spec.Artifacts {
		artifact := &api.TaskArtifact{GetterSource: ref(a.Source), RelativeDest: given(a.Destination)}
		if a.Checksum != "" {
			artifact.GetterOptions = map[string]string{"checksum": a.Checksum}
		}
		t.Artifacts = append(t.Artifacts, artifact)
	}
	if p.artifact != nil {
		t.Artifacts = append(t.Artifacts, p.artifact)
	}
	if v := spec.Vault; v.Role != "" {
		t.Vault = &api.Vault{Role: v.Role, ChangeMode: ref("noop")}
		if v.Namespace != "" {
			t.Vault.Namespace = ref(v.Namespace)
		}
	}
	if i := spec.Identity; i.Name != "" {
		t.Identities = []*api.WorkloadIdentity{{
			Name: i.Name, Audience: i.Audience, Env: i.Env, File: i.File, TTL: time.Duration(i.TTL),
		}}
	}
	if spec.Credentials.RoleARN != "" {
		t.Templates = credentialTemplates(jobID(j.Key, j.Attempt))
	}
	return t
}

// environment is that of the trainer on top of the node's. None of it comes from
// this process.
func environment(spec sweeps.Nomad, j activities.Job) map[string]string {
	threads := strconv.Itoa(max(j.Cores, 1))
	env := maps.Clone(spec.Env)
	if env == nil {
		env = map[string]string{}
	}
	// Libraries that the trainer loads must not take more than its share.
	env["OPENBLAS_NUM_THREADS"], env["OMP_NUM_THREADS"] = threads, threads
	maps.Copy(env, j.Env)
	env["TENFOLD_THREADS"], env["TENFOLD_SCRATCH"] = threads, scratchDir
	if spec.Credentials.RoleARN != "" {
		env["AWS_CONFIG_FILE"] = credentialsDir + "/" + credentialsConf
		env["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null" // the node's own are not the trial's
	}
	return env
}

func resources(spec sweeps.Nomad, j activities.Job) *api.Resources {
	r := &api.Resources{}
	if j.Cores > 0 {
		r.Cores = ref(j.Cores)
	}
	if j.MemoryBytes > 0 {
		r.MemoryMB = ref(ceilMB(j.MemoryBytes))
	}
	if j.GPUs > 0 {
		r.Devices = []*api.RequestedDevice{{
			Name: or(spec.GPU.Name, "nvidia/gpu"), Count: ref(uint64(j.GPUs)),
			Constraints: constraintsOf(spec.GPU.Constraints),
		}}
	}
	return r
}

// credentialTemplates put a trial's credentials where AWS SDKs ask for them again
// when they are about to expire. They come from a variable of Nomad's that only this
// job may read, and its definition does not hold them.
func credentialTemplates(id string) []*api.Template {
	file := func(name, text string) *api.Template {
		return &api.Template{
			DestPath: ref("secrets/" + name), EmbeddedTmpl: &text, Perms: ref("0600"),
			ChangeMode: ref("noop"),
		}
	}
	return []*api.Template{
		file(credentialsFile, fmt.Sprintf(`{{ with nomadVar %q }}{{ .credentials }}{{ end }}`, variablePath(id))),
		file(credentialsConf, fmt.Sprintf("[default]\ncredential_process = cat \"{{ env \"NOMAD_SECRETS_DIR\" }}/%s\"\n", credentialsFile)),
	}
}

// variablePath is what the job of an ID may read without further ado.
func variablePath(id string) string { return "nomad/jobs/" + id }

func constraintsOf(list []sweeps.NomadConstraint) (out []*api.Constraint) {
	for _, c := range list {
		out = append(out, &api.Constraint{LTarget: c.Attribute, Operand: c.Operator, RTarget: c.Value})
	}
	return out
}

// given is nil for a text that says nothing, so that it does not hide what the spec's
// own job or Nomad says.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func ceilMB(bytes int64) int { return int((bytes + mib - 1) / mib) }
