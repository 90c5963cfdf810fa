package devserver

import (
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
)

// clusterName is in every database file, so it never changes.
const clusterName = "active"

// memoryDatabases numbers the databases without a file. Temporal's plugin
// keeps them under their name in a pool of the whole process.
var memoryDatabases atomic.Int64

// services are what runs. Temporal's worker service is not among them: it does
// schedules, batches and scans of the history, and none of them is used here.
// Closed workflows are removed by the history service.
var services = []primitives.ServiceName{
	primitives.FrontendService,
	primitives.HistoryService,
	primitives.MatchingService,
}

// serverConfig describes a server with one history shard: SQLite has one
// writer, so more shards add goroutines and no speed.
func serverConfig(sql *config.SQL, services []primitives.ServiceName, addresses map[primitives.ServiceName]string) (*config.Config, error) {
	cfg := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     sqliteplugin.PluginName,
			VisibilityStore:  sqliteplugin.PluginName,
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{sqliteplugin.PluginName: {SQL: sql}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {
					Enabled:                true,
					InitialFailoverVersion: 1,
					RPCAddress:             addresses[primitives.FrontendService],
				},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: addresses[primitives.FrontendService]},
		Services:            map[string]config.Service{},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{
			Archival: config.ArchivalNamespaceDefaults{
				History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
				Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
			},
		},
		// Global has no metrics and no pprof port: neither listens.
	}
	for _, service := range services {
		host, port, err := net.SplitHostPort(addresses[service])
		if err != nil {
			return nil, fmt.Errorf("address of service %s: %w", service, err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("port of service %s: %w", service, err)
		}
		cfg.Services[string(service)] = config.Service{RPC: config.RPC{GRPCPort: number, BindOnIP: host}}
	}
	return cfg, nil
}

// hosts is the static membership: nobody gossips, nobody joins.
func hosts(services []primitives.ServiceName, addresses map[primitives.ServiceName]string) map[primitives.ServiceName]static.Hosts {
	all := map[primitives.ServiceName]static.Hosts{
		// Required to be named, though it does not run.
		primitives.WorkerService: static.SingleLocalHost("127.0.0.1:1"),
	}
	for _, service := range services {
		all[service] = static.SingleLocalHost(addresses[service])
	}
	return all
}

// dynamicConfig is what differs from Temporal's defaults, which are made for a
// cluster that many share.
func dynamicConfig() dynamicconfig.StaticClient {
	const unlimited = 1_000_000 // per second
	return dynamicconfig.StaticClient{
		// Asks a server in the internet for news otherwise.
		dynamicconfig.EnableServerVersionCheck.Key(): false,

		// One partition: a task never waits in one while pollers wait at another.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// The first few activities of a workflow task go back to the worker at
		// once, without the way through matching.
		dynamicconfig.EnableActivityEagerExecution.Key(): true,

		// Nobody else is to be protected from us.
		dynamicconfig.FrontendRPS.Key():                        unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key(): unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():          unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():           unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():          unlimited,
		dynamicconfig.HistoryRPS.Key():                         unlimited,
		dynamicconfig.MatchingRPS.Key():                        unlimited,

		// New search attributes and namespaces are seen at once.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.NamespaceCacheRefreshInterval.Key():           time.Second,

		// Goroutines that would idle: the defaults are 512 for each queue.
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():      16,
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():   16,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key(): 4,
	}
}
