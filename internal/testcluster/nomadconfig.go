//go:build linux

package testcluster

import (
	"bytes"
	"net"
	"os"
	"strconv"
	"text/template"
	"time"
)

// agentConfig is what an agent's configuration is made of: a server's or a client's.
type agentConfig struct {
	Name, Region, Datacenter, LogLevel string
	DataDir, PluginDir                 string
	HTTP, RPC, Serf                    string // where it listens
	AdvertiseHTTP, AdvertiseRPC        string // where others find it
	ACL                                bool

	Server *serverConfig
	Client *clientConfig
}

type serverConfig struct {
	HTTPConnections int
	TTL, Grace      time.Duration
}

type clientConfig struct {
	ClientOptions
	Server string
}

// agentTemplate is HCL, which people can read when a cluster is strange.
var agentTemplate = template.Must(template.New("agent.hcl").Funcs(template.FuncMap{
	"quote": strconv.Quote,
	"port": func(address string) string {
		_, port, _ := net.SplitHostPort(address)
		return port
	},
}).Parse(`name       = {{quote .Name}}
region     = {{quote .Region}}
datacenter = {{quote .Datacenter}}
data_dir   = {{quote .DataDir}}
{{- with .PluginDir}}
plugin_dir = {{quote .}}
{{- end}}
bind_addr  = "127.0.0.1"
log_level  = {{quote .LogLevel}}

disable_update_check        = true
disable_anonymous_signature = true
leave_on_interrupt          = false
leave_on_terminate          = false

ports {
  http = {{port .HTTP}}
{{- if .Server}}
  rpc  = {{port .RPC}}
  serf = {{port .Serf}}
{{- end}}
}
advertise {
  http = {{quote .AdvertiseHTTP}}
{{- if .Server}}
  rpc  = {{quote .AdvertiseRPC}}
  serf = {{quote .Serf}}
{{- else}}
  rpc  = {{quote .AdvertiseHTTP}} # a client has none
  serf = {{quote .AdvertiseHTTP}}
{{- end}}
}
consul {
  auto_advertise   = false
  server_auto_join = false
  client_auto_join = false
}
acl {
  enabled = {{.ACL}}
}
ui {
  enabled = false
}
{{- with .Server}}
limits {
  rpc_max_conns_per_client  = 1000
{{- with .HTTPConnections}}
  http_max_conns_per_client = {{.}}
{{- end}}
}
server {
  enabled          = true
  bootstrap_expect = 1

  min_heartbeat_ttl      = "{{.TTL}}"
  heartbeat_grace        = "{{.Grace}}"
  failover_heartbeat_ttl = "30s"

  default_scheduler_config {
    preemption_config {
      batch_scheduler_enabled = true
    }
  }
}
{{- end}}
{{- with .Client}}
client {
  enabled           = true
  servers           = [{{quote .Server}}]
  node_pool         = {{quote .NodePool}}
  node_class        = {{quote .Class}}
  network_interface = "lo"
  cpu_total_compute = {{.CPU}}
  memory_total_mb   = {{.MemoryMiB}}
  disk_total_mb     = {{.DiskMiB}}
  max_kill_timeout  = "1h"
  gc_interval       = "10s"
  gc_max_allocs     = {{.KeepAllocs}}

  gc_disk_usage_threshold  = 99
  gc_inode_usage_threshold = 99

  options {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni,bridge,landlock"
    "driver.denylist"      = "java,qemu"
  }
  meta {
{{- range $key, $value := .Meta}}
    {{quote $key}} = {{quote $value}}
{{- end}}
  }
  chroot_env {
{{- range $from, $to := .Chroot}}
    {{quote $from}} = {{quote $to}}
{{- end}}
  }
  artifact {
    # The node's own credentials, and not the caller's, fetch artifacts.
    set_environment_variables    = "AWS_SHARED_CREDENTIALS_FILE,AWS_CONFIG_FILE,AWS_REGION,AWS_ENDPOINT_URL_S3"
    disable_filesystem_isolation = true
  }
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
{{- if .GPUs}}
plugin "fakegpu" {
  config {
    gpus = [{{range $i, $gpu := .GPUs}}{{if $i}}, {{end}}{{quote $gpu.String}}{{end}}]
  }
}
{{- end}}
{{- end}}
`))

// write writes the configuration to a file.
func (a agentConfig) write(file string) error {
	var b bytes.Buffer
	if err := agentTemplate.Execute(&b, a); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
