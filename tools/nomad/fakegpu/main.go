// Fakegpu is a device plugin of Nomad that offers GPUs which do not exist, so that
// placement on GPUs can be tested on any machine: queueing, several a node, models
// and memory to choose by. Tasks get their numbers in NVIDIA_VISIBLE_DEVICES, as from
// NVIDIA's own plugin, and nothing else.
//
// Its configuration is a list of "model:count:MiB":
//
//	plugin "fakegpu" {
//	  config { gpus = ["NVIDIA H100 80GB HBM3:2:81559"] }
//	}
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/plugins"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/device"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
	"github.com/hashicorp/nomad/plugins/shared/structs"
)

func main() {
	go endWithParent()
	plugins.Serve(func(hclog.Logger) any { return new(plugin) })
}

// endWithParent ends this process when the agent that started it is gone. Nomad leaves
// its plugins behind when it is killed.
func endWithParent() {
	parent := os.Getppid()
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(0)
		}
	}
}

type plugin struct{ groups []*device.DeviceGroup }

func (*plugin) PluginInfo() (*base.PluginInfoResponse, error) {
	return &base.PluginInfoResponse{
		Type:              base.PluginTypeDevice,
		PluginApiVersions: []string{device.ApiVersion010},
		PluginVersion:     "0.1.0",
		Name:              "fakegpu",
	}, nil
}

func (*plugin) ConfigSchema() (*hclspec.Spec, error) {
	return hclspec.NewObject(map[string]*hclspec.Spec{
		"gpus": hclspec.NewAttr("gpus", "list(string)", false),
	}), nil
}

func (p *plugin) SetConfig(c *base.Config) error {
	var config struct {
		GPUs []string `codec:"gpus"`
	}
	if len(c.PluginConfig) > 0 {
		if err := base.MsgPackDecode(c.PluginConfig, &config); err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
	}
	p.groups = nil
	next := 0
	for _, text := range config.GPUs {
		group, err := parse(text, next)
		if err != nil {
			return err
		}
		p.groups = append(p.groups, group)
		next += len(group.Devices)
	}
	return nil
}

// parse makes the devices of "model:count:MiB", numbered from first.
func parse(text string, first int) (*device.DeviceGroup, error) {
	fields := strings.Split(text, ":")
	if len(fields) != 3 || fields[0] == "" {
		return nil, fmt.Errorf("gpus: %q is not model:count:MiB", text)
	}
	count, err := strconv.Atoi(fields[1])
	if err != nil || count < 1 {
		return nil, fmt.Errorf("gpus: %q: the count is not a positive number", text)
	}
	memory, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || memory < 1 {
		return nil, fmt.Errorf("gpus: %q: the memory is not a positive number of MiB", text)
	}
	group := &device.DeviceGroup{
		Vendor:     "nvidia",
		Type:       device.DeviceTypeGPU,
		Name:       fields[0],
		Attributes: map[string]*structs.Attribute{"memory": {Int: &memory, Unit: structs.UnitMiB}},
	}
	for i := range count {
		group.Devices = append(group.Devices, &device.Device{ID: fmt.Sprintf("GPU-%d", first+i), Healthy: true})
	}
	return group, nil
}

func (p *plugin) Fingerprint(ctx context.Context) (<-chan *device.FingerprintResponse, error) {
	out := make(chan *device.FingerprintResponse, 1)
	out <- device.NewFingerprint(p.groups...)
	go func() {
		<-ctx.Done()
		close(out)
	}()
	return out, nil
}

func (p *plugin) Reserve(ids []string) (*device.ContainerReservation, error) {
	numbers := make([]string, len(ids))
	for i, id := range ids {
		numbers[i] = strings.TrimPrefix(id, "GPU-")
	}
	return &device.ContainerReservation{Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(numbers, ",")}}, nil
}

// Stats reports nothing: there is nothing to measure.
func (p *plugin) Stats(ctx context.Context, _ time.Duration) (<-chan *device.StatsResponse, error) {
	out := make(chan *device.StatsResponse)
	go func() {
		<-ctx.Done()
		close(out)
	}()
	return out, nil
}
