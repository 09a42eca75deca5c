package postgres

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"lke-platform/components/internal/kube"
)

// spec is the PostgresCluster's. keys names the Secret of the repository, setup the ConfigMap of the first SQL.
func (a *Args) spec(keys, setup pulumi.StringPtrOutput) pulumi.Map {
	spec := pulumi.Map{
		"postgresVersion": pulumi.Int(a.Version),
		"instances":       pulumi.Array{a.instances()},
		"users":           a.users(),
		"databaseInitSQL": pulumi.Map{"name": setup, "key": pulumi.String(initKey)},
		"config":          pulumi.Map{"parameters": pulumi.ToStringMap(a.parameters())},
		"patroni":         pulumi.Map{"dynamicConfiguration": patroni()},
		"backups":         pulumi.Map{"pgbackrest": a.backups(keys)},
		"proxy":           pulumi.Map{"pgBouncer": a.pooler()},
		"monitoring": pulumi.Map{"pgmonitor": pulumi.Map{
			"exporter": pulumi.Map{"resources": kube.Requests("20m", "128Mi")},
		}},
	}
	switch {
	case a.Image != "":
		spec["image"] = pulumi.String(a.Image)
	case a.spatial():
		spec["postGISVersion"] = pulumi.String(postgisVersion)
	}
	if !a.RequireTLS {
		// "host" is a connection with TLS or without.
		spec["authentication"] = pulumi.Map{"rules": pulumi.Array{pulumi.Map{
			"connection": pulumi.String("host"), "method": pulumi.String("scram-sha-256"),
		}}}
	}
	return spec
}

// patroni says who is the primary.
// Upstream: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html
func patroni() pulumi.Map {
	return pulumi.Map{
		// The primary's lock is an object of Kubernetes. While the API server is away, which a version upgrade makes it, the
		// primary would step down for want of its lock; so it goes on for as long as it reaches all other servers.
		"failsafe_mode": pulumi.Bool(true),
		// Without slots the primary keeps nothing for a replica that is gone: it catches up from the archive.
		"postgresql": pulumi.Map{"use_slots": pulumi.Bool(false)},
	}
}

// instances keep Kubernetes' own delay of five minutes before they leave a node that cannot be reached: a server that may still
// run there is not replaced however soon it is given up, and a network that comes back after a minute costs nothing.
func (a *Args) instances() pulumi.Map {
	return pulumi.Map{
		"name":                pulumi.String(instanceSet),
		"replicas":            pulumi.Int(a.Instances),
		"dataVolumeClaimSpec": a.claim(a.Storage),
		"walVolumeClaimSpec":  a.claim(a.WALStorage),
		"resources":           kube.Requests(a.CPU, a.Memory),
		"sidecars":            pulumi.Map{"replicaCertCopy": resources("5m", "32Mi")},
		"priorityClassName":   pulumi.String(kube.PriorityData),
		// Two servers on one node would be lost together, so that one of them may as well not run.
		"affinity": pulumi.Map{"podAntiAffinity": pulumi.Map{
			"requiredDuringSchedulingIgnoredDuringExecution": pulumi.Array{pulumi.Map{
				"topologyKey": pulumi.String("kubernetes.io/hostname"),
				"labelSelector": pulumi.Map{"matchLabels": pulumi.StringMap{
					prefix + "cluster":      pulumi.String(a.Name),
					prefix + "instance-set": pulumi.String(instanceSet),
				}},
			}},
		}},
	}
}

func (a *Args) claim(size string) pulumi.Map {
	return pulumi.Map{
		"storageClassName": a.StorageClass,
		"accessModes":      pulumi.ToStringArray([]string{"ReadWriteOnce"}),
		"resources":        pulumi.Map{"requests": pulumi.StringMap{"storage": pulumi.String(size)}},
	}
}

const (
	// unpooled is how many connections there are for what does not come through the pooler: loads, the exporter, replicas, the
	// operator. It cannot do with fewer than fewestUnpooled.
	unpooled, fewestUnpooled = 100, 20
)

// How soon a connection is given up whose other end is gone without a word, as with a node that is lost: half a minute, where
// Linux by itself takes two hours, and a quarter of an hour for what is on its way.
const (
	keepIdle, keepInterval, keepCount = "15", "5", "3" // seconds, seconds, and probes
	unanswered                        = "30000"        // milliseconds
)

// parameters bound what piles up in the write-ahead log's volume, each by a part of it, so that none can fill it: checkpoints
// come when a quarter is used, and a slot that nobody reads is given up at two fifths. And they free what a client held that is
// gone with its node: its connection, and its locks.
func (a *Args) parameters() map[string]string {
	parameters := map[string]string{
		"max_connections":        strconv.Itoa(unpooled + a.pooled()),
		"shared_buffers":         part(a.Memory, 0.25) + "MB",
		"max_wal_size":           part(a.WALStorage, 0.25) + "MB",
		"max_slot_wal_keep_size": part(a.WALStorage, 0.4) + "MB",

		"tcp_keepalives_idle": keepIdle, "tcp_keepalives_interval": keepInterval, "tcp_keepalives_count": keepCount,
		"tcp_user_timeout": unanswered,
	}
	maps.Copy(parameters, a.Parameters)
	return parameters
}

// pooled is how many connections the poolers hold at most: each has a pool for every database.
func (a *Args) pooled() int { return len(a.databases()) * a.Pooler.Replicas * a.Pooler.Size }

func (a *Args) pooler() pulumi.Map {
	global := pulumi.StringMap{
		"pool_mode":         pulumi.String(a.Pooler.Mode),
		"default_pool_size": pulumi.String(strconv.Itoa(a.Pooler.Size)),
		"max_client_conn":   pulumi.String("1000"),
		// Clients may prepare statements, although their next transaction may run on another connection.
		"max_prepared_statements": pulumi.String("200"),
		// Of clients, and of a primary whose node is lost: its successor is asked when these connections are given up.
		"tcp_keepidle": pulumi.String(keepIdle), "tcp_keepintvl": pulumi.String(keepInterval),
		"tcp_keepcnt": pulumi.String(keepCount), "tcp_user_timeout": pulumi.String(unanswered),
		// By default a connection that does not come about is waited for as long, and tried again after as long.
		"server_connect_timeout": pulumi.String("5"), "server_login_retry": pulumi.String("1"),
	}
	if !a.RequireTLS {
		global["client_tls_sslmode"] = pulumi.String("prefer")
	}
	return pulumi.Map{
		"replicas":          pulumi.Int(a.Pooler.Replicas),
		"config":            pulumi.Map{"global": global},
		"resources":         kube.Requests("50m", "64Mi"),
		"sidecars":          pulumi.Map{"pgbouncerConfig": resources("5m", "32Mi")},
		"priorityClassName": pulumi.String(kube.PriorityData),
		"tolerations":       kube.TolerationValues(),
	}
}

// part is a share of a quantity, in mebibytes; PostgreSQL calls them MB.
func part(quantity string, share float64) string {
	size := resource.MustParse(quantity)
	return fmt.Sprintf("%.0f", size.AsApproximateFloat64()*share/(1<<20))
}

func resources(cpu, memory string) pulumi.Map {
	return pulumi.Map{"resources": kube.Requests(cpu, memory)}
}
