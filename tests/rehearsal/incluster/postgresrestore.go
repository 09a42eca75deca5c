package incluster

import (
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// dataSource says how data come from a backup.
type dataSource struct {
	scheduling
	Configuration []corev1.VolumeProjection   `json:"configuration"`
	Resources     corev1.ResourceRequirements `json:"resources"`
}

// Conditions of a PostgresCluster, and the reason of the second one that says that nothing runs any more.
const (
	dataInitialized    = "PostgresDataInitialized"
	restoreProgressing = "PGBackRestoreProgressing"
	readyForRestore    = "ReadyForRestore"
)

// restoreAnnotation names the restore in place that is asked for.
const restoreAnnotation = postgresPrefix + "pgbackrest-restore"

// source returns where the data come from and the name of their restore; nil where a cluster begins empty and stays as it is.
func (w *postgresCluster) source() (id string, source *dataSource) {
	id = w.Annotations[restoreAnnotation]
	if restore := w.Spec.Backups.PGBackRest.Restore; restore != nil && restore.Enabled && id != "" {
		return id, &restore.dataSource
	}
	if w.Spec.DataSource.PGBackRest != nil {
		return "~pgo-bootstrap-" + w.Name, w.Spec.DataSource.PGBackRest
	}
	return "", nil
}

// restorePostgres plays a restore, each name once: the servers go, a Job fills the volumes of the first one, and only then are
// there servers again. Until then it returns a status, whose observed generation stays behind.
// Upstream: reconcileDataSource in
// https://github.com/CrunchyData/postgres-operator/blob/v6.0.3/internal/controller/postgrescluster/cluster.go
func (c *cluster) restorePostgres(
	ctx context.Context, object *unstructured.Unstructured, wanted *postgresCluster,
) (status map[string]any, err error) {
	id, source := wanted.source()
	if source == nil {
		return nil, nil
	}
	restored, _, _ := unstructured.NestedString(object.Object, "status", "pgbackrest", "restore", "id")
	progress := conditionNamed(object, restoreProgressing)
	restore := map[string]any{"id": id, "finished": false}
	var condition map[string]any
	switch {
	case restored != id || progress != nil && progress["reason"] != readyForRestore:
		condition, err = c.prepareForRestore(ctx, object, wanted)
	case conditionNamed(object, dataInitialized) != nil:
		return nil, nil
	default:
		var job *batchv1.Job
		if job, err = c.runRestore(ctx, object, wanted, source); err != nil {
			break
		}
		condition = progress
		if job.Status.CompletionTime != nil {
			restore = map[string]any{
				"id": id, "finished": true, "succeeded": int64(job.Status.Succeeded),
				"startTime": timestamp(job.Status.StartTime.Time), "completionTime": timestamp(job.Status.CompletionTime.Time),
			}
			condition = holds(object, dataInitialized, "PGBackRestRestoreComplete", "pgBackRest restore completed successfully")
		}
	}
	if err != nil {
		return nil, err
	}
	status, _, _ = unstructured.NestedMap(object.Object, "status")
	if status == nil {
		status = map[string]any{}
	}
	status["instances"], status["conditions"] = wanted.noInstances(), []any{condition}
	status["pgbackrest"] = map[string]any{"restore": restore}
	return status, nil
}

// prepareForRestore removes the servers and an earlier restore. The volumes stay.
func (c *cluster) prepareForRestore(
	ctx context.Context, object *unstructured.Unstructured, wanted *postgresCluster,
) (condition map[string]any, err error) {
	of := metav1.ListOptions{LabelSelector: postgresPrefix + "cluster=" + wanted.Name}
	sets, jobs := c.client.AppsV1().StatefulSets(wanted.Namespace), c.client.BatchV1().Jobs(wanted.Namespace)
	servers, err := sets.List(ctx, of)
	if err != nil {
		return nil, err
	}
	earlier, err := jobs.List(ctx, of)
	if err != nil {
		return nil, err
	}
	if len(servers.Items)+len(earlier.Items) == 0 {
		return holds(object, restoreProgressing, readyForRestore, "Restoring cluster in-place"), nil
	}
	if err := jobs.DeleteCollection(ctx, foreground, of); err != nil {
		return nil, err
	}
	if err := sets.DeleteCollection(ctx, foreground, of); err != nil {
		return nil, err
	}
	return holds(object, restoreProgressing, "RestoreInPlaceRequested",
		"Preparing cluster to restore in-place: removing runners"), nil
}

// runRestore runs the Job that fills the volumes of the first server.
func (c *cluster) runRestore(
	ctx context.Context, object *unstructured.Unstructured, wanted *postgresCluster, source *dataSource,
) (*batchv1.Job, error) {
	if err := c.hasConfiguration(ctx, wanted.Namespace, source.Configuration); err != nil {
		return nil, err
	}
	set := wanted.Spec.Instances[0]
	server := wanted.serverName(set, 0)
	volumes, err := c.makeVolumes(ctx, object, wanted, set, server)
	if err != nil {
		return nil, err
	}
	pod := source.pod(corev1.Container{Name: "pgbackrest-restore", Resources: source.Resources})
	pod.RestartPolicy, pod.Volumes = corev1.RestartPolicyNever, volumes
	labels := map[string]string{
		postgresPrefix + "cluster": wanted.Name, restoreAnnotation: "", postgresPrefix + "startup-instance": server,
	}
	name := wanted.Name + "-pgbackrest-restore"
	err = c.make(ctx, object, jobs, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}},
	})
	if err != nil {
		return nil, err
	}
	return c.client.BatchV1().Jobs(wanted.Namespace).Get(ctx, name, metav1.GetOptions{})
}

// noInstances is the status of the sets while none of their servers runs.
func (w *postgresCluster) noInstances() (status []any) {
	for _, set := range w.Spec.Instances {
		status = append(status, map[string]any{
			"name": set.Name, "replicas": int64(*set.Replicas), "readyReplicas": int64(0), "updatedReplicas": int64(0),
		})
	}
	return status
}

// hasConfiguration tells, with errNotYet, where a Secret with the keys of a repository is missing: pods mount it.
func (c *cluster) hasConfiguration(ctx context.Context, namespace string, configuration []corev1.VolumeProjection) error {
	for _, projected := range configuration {
		if projected.Secret == nil {
			continue
		}
		_, err := c.client.CoreV1().Secrets(namespace).Get(ctx, projected.Secret.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return errNotYet
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// conditionNamed returns a condition of an object, of whatever generation, if it is true.
func conditionNamed(object *unstructured.Unstructured, name string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	at := slices.IndexFunc(conditions, func(element any) bool {
		condition, _ := element.(map[string]any)
		return condition["type"] == name && condition["status"] == string(metav1.ConditionTrue)
	})
	if at < 0 {
		return nil
	}
	return conditions[at].(map[string]any)
}
