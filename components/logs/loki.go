package logs

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/internal/kube"
)

// The variables that Loki's configuration names in the place of the bucket's key.
const accessKeyVariable, secretKeyVariable = "BUCKET_ACCESS_KEY", "BUCKET_SECRET_KEY"

// lokiStorage holds what was written since the last chunk, and the index of days at hand; no volume is smaller.
const lokiStorage = "10Gi"

// lokiValues are those of the chart: one process, and nothing beside it. The chart's caches alone would reserve 11 GiB.
// Upstream: https://github.com/grafana-community/helm-charts/tree/main/charts/loki
func (a *Args) lokiValues(key pulumi.StringInput) pulumi.Map {
	off := func() pulumi.Map { return pulumi.Map{"enabled": pulumi.Bool(false)} }
	none := func() pulumi.Map { return pulumi.Map{"replicas": pulumi.Int(0)} }
	return pulumi.Map{
		"deploymentMode": pulumi.String("Monolithic"),
		"singleBinary":   a.singleBinary(key),
		"loki":           a.lokiConfig(),
		"monitoring":     pulumi.Map{"serviceMonitor": pulumi.Map{"enabled": pulumi.Bool(true)}},
		"defaults":       pulumi.Map{"automountServiceAccountToken": pulumi.Bool(false)},
		"write":          none(), "read": none(), "backend": none(),
		"gateway": off(), "chunksCache": off(), "resultsCache": off(), "lokiCanary": off(), "test": off(),
		"sidecar": pulumi.Map{"rules": off()},
	}
}

// singleBinary keeps Kubernetes' own delay before it leaves a node that is not reached: see kube.Tolerations.
func (a *Args) singleBinary(key pulumi.StringInput) pulumi.Map {
	return pulumi.Map{
		"replicas":     pulumi.Int(1),
		"resources":    kube.Requests(a.Resources.CPU, a.Resources.Memory),
		"extraEnvFrom": pulumi.Array{pulumi.Map{"secretRef": pulumi.Map{"name": key}}},
		// A budget for one pod would keep every node that it is on from being drained.
		"podDisruptionBudget": pulumi.Map{"enabled": pulumi.Bool(false)},
		// What it has not stored yet it stores when it is told to stop.
		"terminationGracePeriodSeconds": pulumi.Int(120),
		"persistence": pulumi.Map{
			"enabled": pulumi.Bool(true), "size": pulumi.String(lokiStorage), "storageClass": a.StorageClass,
		},
	}
}

// lokiConfig is what the chart makes Loki's configuration of, and what it lays over that in Loki's own words.
func (a *Args) lokiConfig() pulumi.Map {
	return pulumi.Map{
		"auth_enabled": pulumi.Bool(false), // the namespace lets nobody else in
		"commonConfig": pulumi.Map{"replication_factor": pulumi.Int(1)},
		"storage": pulumi.Map{
			"type":                pulumi.String("s3"),
			"use_thanos_objstore": pulumi.Bool(true), // see structured
			"bucketNames":         pulumi.Map{"chunks": a.Bucket.Name},
			"object_store": pulumi.Map{"type": pulumi.String("s3"), "s3": pulumi.Map{
				"endpoint": a.Bucket.Endpoint, "region": a.Bucket.Region,
				"access_key_id":     pulumi.String("${" + accessKeyVariable + "}"),
				"secret_access_key": pulumi.String("${" + secretKeyVariable + "}"),
			}},
		},
		// A second request for what is slow goes past the settings of the first.
		"storage_config": pulumi.Map{"hedging": pulumi.Map{"at": pulumi.String("0s")}},
		"schemaConfig": pulumi.Map{"configs": pulumi.Array{pulumi.Map{
			"from": pulumi.String("2024-04-01"), "store": pulumi.String("tsdb"), "object_store": pulumi.String("s3"),
			"schema": pulumi.String("v13"),
			"index":  pulumi.Map{"prefix": pulumi.String("index_"), "period": pulumi.String("24h")},
		}}},
		"structuredConfig": a.structured(),
	}
}

// structured is in Loki's own words. Its older client of S3 sends digests behind what it uploads, which Object Storage refuses;
// its newer one has others.
// Upstream: https://grafana.com/docs/loki/latest/configure/,
// https://techdocs.akamai.com/cloud-computing/docs/aws-cli-sdks-support-details
func (a *Args) structured() pulumi.Map {
	return pulumi.Map{
		"analytics": pulumi.Map{"reporting_enabled": pulumi.Bool(false)},
		"common": pulumi.Map{
			// Of one process nobody has to tell the others.
			"ring": pulumi.Map{"kvstore": pulumi.Map{"store": pulumi.String("inmemory")}},
			"storage": pulumi.Map{"object_store": pulumi.Map{"s3": pulumi.Map{
				"send_content_md5": pulumi.Bool(true), "bucket_lookup_type": pulumi.String("path"),
			}}},
		},
		"limits_config": pulumi.Map{
			"retention_period": pulumi.String(a.Retention),
			// Loki would make a label of its own of the first of many that it knows.
			"discover_service_name":      pulumi.Array{},
			"max_label_names_per_series": pulumi.Int(len(labels) + len(furtherLabels)),
			// And another one of busy streams, for others to share in.
			"shard_streams": pulumi.Map{"enabled": pulumi.Bool(false)},
		},
		// Without a store for requests to delete, retention does not begin.
		"compactor": pulumi.Map{
			"retention_enabled": pulumi.Bool(true), "delete_request_store": pulumi.String("s3"),
		},
		// What it reads again after it was killed has to fit its memory: the default is 4 GB.
		"ingester": pulumi.Map{"wal": pulumi.Map{"replay_memory_ceiling": pulumi.String("128MB")}},
	}
}
