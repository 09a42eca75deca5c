package incluster

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// postgresCluster is what counts in a PostgresCluster of Crunchy's operator:
// https://access.crunchydata.com/documentation/postgres-operator/latest/references/crd/
type postgresCluster struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		PostgresVersion int            `json:"postgresVersion"`
		Port            int            `json:"port"`
		Instances       []instanceSet  `json:"instances"`
		Users           []postgresUser `json:"users"`
		Proxy           struct {
			PGBouncer *pgBouncer `json:"pgBouncer"`
		} `json:"proxy"`
		Config struct {
			Parameters map[string]any `json:"parameters"`
		} `json:"config"`
		Authentication struct {
			Rules []hbaRule `json:"rules"`
		} `json:"authentication"`
		Patroni struct {
			DynamicConfiguration map[string]any `json:"dynamicConfiguration"`
		} `json:"patroni"`
		Backups struct {
			PGBackRest pgBackRest `json:"pgbackrest"`
		} `json:"backups"`
		Monitoring struct {
			PGMonitor struct {
				Exporter *sidecar `json:"exporter"`
			} `json:"pgmonitor"`
		} `json:"monitoring"`
		DatabaseInitSQL *corev1.ConfigMapKeySelector `json:"databaseInitSQL"`
		DataSource      struct {
			PGBackRest *dataSource `json:"pgbackrest"`
		} `json:"dataSource"`
	} `json:"spec"`
}

// instanceSet is a set of servers that are alike.
type instanceSet struct {
	scheduling
	Name                string                            `json:"name"`
	Replicas            *int32                            `json:"replicas"`
	Resources           corev1.ResourceRequirements       `json:"resources"`
	DataVolumeClaimSpec corev1.PersistentVolumeClaimSpec  `json:"dataVolumeClaimSpec"`
	WALVolumeClaimSpec  *corev1.PersistentVolumeClaimSpec `json:"walVolumeClaimSpec"`
	Sidecars            struct {
		ReplicaCertCopy sidecar `json:"replicaCertCopy"`
	} `json:"sidecars"`
}

type pgBouncer struct {
	scheduling
	Port      int                         `json:"port"`
	Replicas  *int32                      `json:"replicas"`
	Resources corev1.ResourceRequirements `json:"resources"`
	Config    struct {
		Global map[string]string `json:"global"`
	} `json:"config"`
	Sidecars struct {
		PGBouncerConfig sidecar `json:"pgbouncerConfig"`
	} `json:"sidecars"`
}

type pgBackRest struct {
	Configuration []corev1.VolumeProjection `json:"configuration"`
	Repos         []struct {
		Name string `json:"name"`
	} `json:"repos"`
	Restore *struct {
		dataSource
		Enabled bool `json:"enabled"`
	} `json:"restore"`
	Sidecars struct {
		PGBackRest       sidecar `json:"pgbackrest"`
		PGBackRestConfig sidecar `json:"pgbackrestConfig"`
	} `json:"sidecars"`
}

const postgresPrefix = postgresGroup + "/"

// runPostgres runs a cluster as far as Kubernetes sees it: servers with their volumes, the pooler, Services, disruption
// budgets, and the users' Secrets. It is ready when the pods are.
func (c *cluster) runPostgres(
	ctx context.Context, resource schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	var wanted postgresCluster
	if err := decode(object, &wanted); err != nil {
		return err
	}
	wanted.complete()
	if safe, _ := wanted.Spec.Patroni.DynamicConfiguration["failsafe_mode"].(bool); !safe {
		c.notes.add(warning, "PostgresCluster %s/%s: without patroni's failsafe_mode its primary steps down whenever the API "+
			"server is away, as for an upgrade", wanted.Namespace, wanted.Name)
	}
	if err := c.hasConfiguration(ctx, wanted.Namespace, wanted.Spec.Backups.PGBackRest.Configuration); err != nil {
		return err
	}
	restoring, err := c.restorePostgres(ctx, object, &wanted)
	if err != nil {
		return err
	}
	if restoring != nil {
		if err := c.setStatus(ctx, resource, object, restoring); err != nil {
			return err
		}
		return errNotYet
	}
	if err := c.makeCertificate(ctx, object, &wanted); err != nil {
		return err
	}
	for _, user := range wanted.Spec.Users {
		if err := c.makeUser(ctx, object, &wanted, user); err != nil {
			return err
		}
	}
	if c.realServers() {
		if err := c.equipServers(ctx, object, &wanted); err != nil {
			return err
		}
	}
	instances, ready, err := c.runInstances(ctx, object, &wanted)
	if err != nil {
		return err
	}
	if ready && c.realServers() {
		if ready, err = c.provision(ctx, object, &wanted); err != nil {
			return err
		}
	}
	status := map[string]any{
		"observedGeneration": object.GetGeneration(), "instances": instances, "pgbackrest": wanted.backupStatus(object, ready),
	}
	if restored := conditionNamed(object, dataInitialized); restored != nil {
		status["conditions"] = []any{restored}
	}
	if wanted.Spec.Proxy.PGBouncer != nil {
		if status["proxy"], err = c.runPooler(ctx, object, &wanted); err != nil {
			return err
		}
	}
	_, initialized, _ := unstructured.NestedString(object.Object, "status", "databaseInitSQL")
	if wanted.Spec.DatabaseInitSQL != nil && (ready || initialized) { // it runs once
		status["databaseInitSQL"] = wanted.Spec.DatabaseInitSQL.Name
	}
	return c.setStatus(ctx, resource, object, status)
}

// complete sets the defaults.
func (w *postgresCluster) complete() {
	w.Spec.Port = cmp.Or(w.Spec.Port, 5432)
	if pooler := w.Spec.Proxy.PGBouncer; pooler != nil {
		pooler.Port, pooler.Replicas = cmp.Or(pooler.Port, 5432), cmp.Or(pooler.Replicas, ptr.To[int32](1))
	}
	for i := range w.Spec.Instances {
		w.Spec.Instances[i].Replicas = cmp.Or(w.Spec.Instances[i].Replicas, ptr.To[int32](1))
	}
}

// runInstances runs the servers, one StatefulSet each, and returns the status of each set.
func (c *cluster) runInstances(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster,
) (status []any, ready bool, err error) {
	for _, set := range wanted.Spec.Instances {
		count := int64(0)
		err := c.makeBudget(ctx, owner, wanted.Name+"-set-"+set.Name, *set.Replicas, map[string]string{
			postgresPrefix + "cluster": wanted.Name, postgresPrefix + "instance-set": set.Name,
		})
		if err != nil {
			return nil, false, err
		}
		for i := range *set.Replicas {
			name := wanted.serverName(set, i)
			if err := c.runInstance(ctx, owner, wanted, set, name, i == 0); err != nil {
				return nil, false, err
			}
			running, err := c.readyReplicas(ctx, statefulSets, wanted.Namespace, name)
			if err != nil {
				return nil, false, err
			}
			count += running
		}
		ready = ready || count > 0
		status = append(status, map[string]any{
			"name": set.Name, "replicas": int64(*set.Replicas), "readyReplicas": count, "updatedReplicas": count,
		})
	}
	if c.realServers() {
		return status, ready, nil
	}
	return status, ready, c.makeService(ctx, owner, wanted.Name+"-primary", wanted.Spec.Port, map[string]string{
		postgresPrefix + "cluster": wanted.Name, postgresPrefix + "role": "master",
	})
}

// serverName ends in four letters that tell a server of a set from the others.
func (w *postgresCluster) serverName(set instanceSet, index int32) string {
	hash := fnv.New32a()
	fmt.Fprint(hash, w.Name, set.Name, index)
	return fmt.Sprintf("%s-%s-%.4s", w.Name, set.Name, fmt.Sprintf("%08x", hash.Sum32()))
}

func (c *cluster) runInstance(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster, set instanceSet, name string, primary bool,
) error {
	labels := map[string]string{
		postgresPrefix + "cluster": wanted.Name, postgresPrefix + "instance-set": set.Name,
		postgresPrefix + "instance": name, postgresPrefix + "data": "postgres", postgresPrefix + "role": "replica",
	}
	if primary {
		labels[postgresPrefix+"role"] = "master"
	}
	backups := wanted.Spec.Backups.PGBackRest.Sidecars
	containers := []corev1.Container{
		{Name: "database", Resources: set.Resources, Ports: []corev1.ContainerPort{
			{Name: "postgres", ContainerPort: int32(wanted.Spec.Port)},
		}},
		{Name: "replication-cert-copy", Resources: set.Sidecars.ReplicaCertCopy.Resources},
		{Name: "pgbackrest", Resources: backups.PGBackRest.Resources},
		{Name: "pgbackrest-config", Resources: backups.PGBackRestConfig.Resources},
	}
	if exporter := wanted.Spec.Monitoring.PGMonitor.Exporter; exporter != nil {
		labels[postgresPrefix+"crunchy-postgres-exporter"] = "true"
		containers = append(containers, corev1.Container{Name: "exporter", Resources: exporter.Resources,
			Ports: []corev1.ContainerPort{{Name: "exporter", ContainerPort: 9187}}})
	}
	pod := set.pod(containers...)
	var err error
	if pod.Volumes, err = c.makeVolumes(ctx, owner, wanted, set, name); err != nil {
		return err
	}
	server := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{postgresPrefix + "instance": name}},
		},
	}
	if c.realServers() {
		server.Spec.ServiceName = wanted.Name + "-pods"
		labels[postgresPrefix+"patroni"] = wanted.patroniScope()
		delete(labels, postgresPrefix+"role") // Patroni's to say
		wanted.serve(&pod, c.options.Postgres)
	}
	server.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}
	return c.remake(ctx, owner, statefulSets, server)
}

// makeVolumes makes the volumes of a server, which outlive it.
func (c *cluster) makeVolumes(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster, set instanceSet, server string,
) (volumes []corev1.Volume, err error) {
	specs := map[string]*corev1.PersistentVolumeClaimSpec{"pgdata": &set.DataVolumeClaimSpec, "pgwal": set.WALVolumeClaimSpec}
	for _, volume := range []string{"pgdata", "pgwal"} {
		spec := specs[volume]
		if spec == nil {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: server + "-" + volume, Labels: map[string]string{
				postgresPrefix + "cluster": wanted.Name, postgresPrefix + "instance-set": set.Name,
				postgresPrefix + "instance": server,
			}},
			Spec: *spec,
		}
		if err := c.make(ctx, owner, claims, claim); err != nil {
			return nil, err
		}
		volumes = append(volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
	}
	return volumes, nil
}

// runPooler runs PgBouncer and returns its status.
func (c *cluster) runPooler(
	ctx context.Context, owner *unstructured.Unstructured, wanted *postgresCluster,
) (map[string]any, error) {
	pooler, name := wanted.Spec.Proxy.PGBouncer, wanted.Name+"-pgbouncer"
	labels := map[string]string{postgresPrefix + "cluster": wanted.Name, postgresPrefix + "role": "pgbouncer"}
	pod := pooler.pod(
		corev1.Container{Name: "pgbouncer", Resources: pooler.Resources, Ports: []corev1.ContainerPort{
			{Name: "pgbouncer", ContainerPort: int32(pooler.Port)},
		}},
		corev1.Container{Name: "pgbouncer-config", Resources: pooler.Sidecars.PGBouncerConfig.Resources},
	)
	if c.realServers() {
		if err := c.equipPooler(ctx, owner, wanted, &pod); err != nil {
			return nil, err
		}
	}
	err := c.make(ctx, owner, deployments, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: pooler.Replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	})
	if err != nil {
		return nil, err
	}
	if err := c.makeService(ctx, owner, name, pooler.Port, labels); err != nil {
		return nil, err
	}
	if err := c.makeBudget(ctx, owner, name, *pooler.Replicas, labels); err != nil {
		return nil, err
	}
	ready, err := c.readyReplicas(ctx, deployments, wanted.Namespace, name)
	return map[string]any{"pgBouncer": map[string]any{"replicas": int64(*pooler.Replicas), "readyReplicas": ready}}, err
}

func (c *cluster) makeService(
	ctx context.Context, owner *unstructured.Unstructured, name string, port int, selector map[string]string,
) error {
	return c.make(ctx, owner, services, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: selector},
		Spec: corev1.ServiceSpec{
			Selector: selector, Ports: []corev1.ServicePort{{Port: int32(port), Protocol: corev1.ProtocolTCP}},
		},
	})
}

// makeBudget keeps the last of several pods from being taken away by intent.
func (c *cluster) makeBudget(
	ctx context.Context, owner *unstructured.Unstructured, name string, replicas int32, selector map[string]string,
) error {
	if replicas < 2 {
		return nil
	}
	return c.make(ctx, owner, budgets, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: selector},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: selector},
		},
	})
}

// backupStatus says whether the repositories are in use, and what became of a restore.
func (w *postgresCluster) backupStatus(object *unstructured.Unstructured, ready bool) map[string]any {
	var repos []any
	for _, repo := range w.Spec.Backups.PGBackRest.Repos {
		repos = append(repos, map[string]any{"name": repo.Name, "stanzaCreated": ready, "replicaCreateBackupComplete": ready})
	}
	status := map[string]any{"repos": repos}
	if restore, found, _ := unstructured.NestedMap(object.Object, "status", "pgbackrest", "restore"); found {
		status["restore"] = restore
	}
	return status
}
