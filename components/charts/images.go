package charts

import "fmt"

// Image is a container image at one version.
type Image struct{ Name, Tag string }

func (i Image) String() string { return i.Name + ":" + i.Tag }

// Renovate reads this list: see .github/renovate.json.
var (
	// BlackboxExporter asks for the public names as visitors do.
	BlackboxExporter = Image{"quay.io/prometheus/blackbox-exporter", "v0.28.0"}
	// FastlyExporter has Fastly's own statistics as metrics.
	FastlyExporter = Image{"ghcr.io/fastly/fastly-exporter", "v10.4.0"}
	// Valkey is what caches run, in the place of the Redis of RedisHA; its programs have Redis' names too.
	Valkey = Image{"docker.io/valkey/valkey", "8.1.4"}
	// Busybox runs the job that upgrades the CRDs of KubePrometheusStack, and serves the canary's page.
	Busybox = Image{"docker.io/library/busybox", "1.38.0"}
)

// PostgresServer is the image from which the operator, in PGO's version, runs servers of a major version of PostgreSQL. It has
// pgBackRest too.
// Upstream: https://github.com/CrunchyData/postgres-operator/blob/v6.0.3/config/components/images-by-tag/kustomization.yaml
func PostgresServer(major int) string {
	tag := map[int]string{15: "ubi9-15.19-2633", 16: "ubi9-16.15-2633", 17: "ubi9-17.11-2633"}[major]
	return "registry.developers.crunchydata.com/crunchydata/crunchy-postgres:" + tag
}

// PostgresTools is the image with the client programs of a major version of PostgreSQL, that of the database: what a newer one
// writes, an older server does not take. Its tag moves with the minor versions, which hold nothing but fixes.
func PostgresTools(major int) string {
	return fmt.Sprintf("docker.io/library/postgres:%d-alpine", major)
}
