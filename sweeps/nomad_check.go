package sweeps

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	attributeRule = rule{doc: "Attribute of a node or device, such as ${attr.cpu.arch}; required.", pattern: solid, format: "an attribute, such as ${attr.cpu.arch}"}
	valueRule     = rule{doc: "What the attribute is compared to."}

	// unaryOperators take no value.
	unaryOperators  = []string{"is_set", "is_not_set"}
	checksumPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	envName         = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// userPassword is in a URL that has a password for its user.
	userPassword = regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)
)

// comparisons are the operators that take a value, as Nomad has them.
func comparisons() []string {
	return []string{"=", "!=", "<", "<=", ">", ">=", "regexp", "version", "semver", "set_contains", "set_contains_all", "set_contains_any"}
}

func operatorRule(words []string) rule {
	return rule{doc: "How the attribute is compared to the value. Default: =.", words: words}
}

// SecretName says that a variable or setting of this name would hold a secret: it
// ends as those do. The values of such variables are masked where trainers print
// them, and have no place in a spec.
func SecretName(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc([]string{"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS"}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
}

// check says what is wrong with an artifact by itself.
func (a NomadArtifact) check() string {
	switch path := "/" + a.Destination + "/"; {
	case userPassword.MatchString(a.Source), secretWords.MatchString(a.Source):
		return "has a password or key in its source; a spec is stored and shown, so it may hold no secret"
	case strings.HasPrefix(path, "//"), strings.Contains(path, "/../"):
		return fmt.Sprintf("destination is %.60q, but has to stay below the task's folder, as local/ does", a.Destination)
	}
	return ""
}

// checkLauncher checks the launcher's settings against each other.
func (d *decoder) checkLauncher() {
	const section = "launcher.nomad"
	if d.faulty("launcher.kind") {
		return
	}
	if d.spec.Launcher.Kind != NomadLauncher {
		if d.given(section) {
			d.problem(d.keys[section], section, "has an effect only with kind: nomad; set that, or remove the section")
		}
		if d.spec.Resources.GPUs > 0 && !d.faulty("resources.gpus") {
			d.problem(d.where("resources.gpus"), "resources.gpus", "needs launcher.kind: nomad; remove it, or set that")
		}
		return
	}
	n := d.spec.Launcher.Nomad
	d.needs("launcher.nomad.image", n.Image == "" && n.Driver == "docker", "launcher.nomad.driver",
		"is missing; driver: docker needs one, such as image: python:3.13-slim")
	d.useless("launcher.nomad.image", n.Driver != "docker" && !d.faulty("launcher.nomad.driver"), "is for driver: docker; remove it, or set that")
	d.useless("launcher.nomad.gpu", d.spec.Resources.GPUs == 0 && !d.faulty("resources"), "has no effect without resources.gpus; set that, or remove it")
	d.useless("launcher.nomad.vault.namespace", n.Vault.Role == "", "has no effect without launcher.nomad.vault.role; set that, or remove it")
	for _, key := range []string{"audience", "env", "file", "ttl"} {
		d.useless("launcher.nomad.identity."+key, n.Identity.Name == "", "has no effect without launcher.nomad.identity.name; set that, or remove it")
	}
	d.needs("launcher.nomad.identity.audience", n.Identity.Name != "" && n.Identity.Name != "default" && len(n.Identity.Audience) == 0, "launcher.nomad.identity.name",
		"is missing; say whom the identity is for, such as audience: [vault.io]")
	d.useless("launcher.nomad.credentials.duration", n.Credentials.RoleARN == "", "has no effect without launcher.nomad.credentials.role_arn; set that, or remove it")
	d.checkEnv("launcher.nomad.env")
	if !d.faulty("launcher.nomad.jobspec") {
		d.checkSecrets(d.values["launcher.nomad.jobspec"], "launcher.nomad.jobspec")
	}
}

// needs reports a setting that is missing, at the place of the one that needs it.
func (d *decoder) needs(path string, missing bool, because, message string) {
	if missing && !d.faulty(path) && !d.faulty(because) {
		d.problem(d.where(because, "launcher.nomad"), path, "%s", message)
	}
}

// useless reports a setting that is there and has no effect.
func (d *decoder) useless(path string, useless bool, message string) {
	if useless && d.given(path) && !d.faulty(path) {
		d.problem(d.keys[path], path, "%s", message)
	}
}

const noSecret = "would be a secret by its name, and a spec is stored and shown; use launcher.nomad.identity, vault or credentials"

// checkEnv checks the names and values of the environment's variables.
func (d *decoder) checkEnv(path string) {
	n := d.values[path]
	if n == nil || n.kind != mapNode {
		return
	}
	for _, e := range n.entries {
		at := join(path, showKey(e.key))
		switch value, _ := e.value.value.(string); {
		case !envName.MatchString(e.key):
			d.problem(e.position, at, "is no name of a variable; use letters, digits and underscores, and no digit first")
		case SecretName(e.key):
			d.problem(e.position, at, noSecret)
		case strings.HasPrefix(e.key, "TENFOLD_"), strings.HasPrefix(e.key, "NOMAD_"):
			d.problem(e.position, at, "is set by the launcher; choose a name that begins otherwise than TENFOLD_ and NOMAD_")
		case userPassword.MatchString(value), strings.Contains(value, "://") && secretWords.MatchString(value):
			d.problem(e.value.position, at, "is a URL with a password or key in it; a spec is stored and shown, so it may hold no secret")
		}
	}
}

// checkSecrets reports the keys in a free-form value that name a secret.
func (d *decoder) checkSecrets(n *node, path string) {
	if n == nil {
		return
	}
	for i, e := range n.list {
		d.checkSecrets(e, fmt.Sprintf("%s[%d]", path, i))
	}
	for _, e := range n.entries {
		at := join(path, showKey(e.key))
		if text, ok := e.value.value.(string); ok && text != "" && SecretName(e.key) {
			d.problem(e.position, at, noSecret)
		}
		d.checkSecrets(e.value, at)
	}
}
