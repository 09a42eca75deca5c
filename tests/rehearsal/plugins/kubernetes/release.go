package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	helmrelease "helm.sh/helm/v3/pkg/release"
)

// releaseToken is the type of a Helm release.
const releaseToken = "kubernetes:helm.sh/v3:Release"

// release is the resource type of Helm releases.
type release struct {
	*cluster
	options Options
}

// NotRendered is a release that a rehearsal has to leave out, because its chart cannot be had.
type NotRendered struct {
	Namespace, Name string
	Chart           string // its name
	Version         string
	Values          map[string]any
	Reason          string // why it cannot be had
}

// statusNotRendered is the status of a release that was left out. Helm has none such.
const statusNotRendered = "not-rendered"

// check completes name and namespace, and refuses what the release type does not know.
func (r *release) check(
	_ context.Context, q *request,
) (resource.PropertyMap, []*pulumirpc.CheckFailure, error) {
	inputs := maps.Clone(q.inputs)
	faults := unknownProperties(inputs)
	if isBlank(inputs["name"]) {
		inputs["name"] = q.oldInputs["name"]
	}
	if isBlank(inputs["name"]) {
		name, err := autoname(q)
		if err != nil {
			faults["name"] = err
		}
		inputs["name"] = resource.NewProperty(name)
	}
	if isBlank(inputs["namespace"]) {
		inputs["namespace"] = resource.NewProperty(r.Namespace)
	}
	switch chart := inputs["chart"]; {
	case isBlank(chart):
		faults["chart"] = errors.New("a chart is wanted")
	case chart.IsString() && strings.Contains(chart.StringValue(), "://"):
		faults["chart"] = errors.New("a chart at hand is wanted, by its path: a registry can be down, or be served by what is")
	}
	if len(faults) == 0 && !inputs.ContainsUnknowns() {
		if _, err := readReleaseArgs(inputs); err != nil {
			return nil, nil, err
		}
	}
	return inputs, failures(faults), nil
}

// diff compares inputs with inputs. A release that was left out wants an update as soon as its chart can be had.
func (r *release) diff(ctx context.Context, q *request) (*pulumirpc.DiffResponse, error) {
	fixed := []resource.PropertyPath{{"name"}, {"namespace"}}
	response, err := compare(plain(q.oldInputs), plain(q.inputs), q.ignored, fixed)
	if err != nil || !isNotRendered(q.state) || q.inputs.ContainsUnknowns() {
		return response, err
	}
	args, err := readReleaseArgs(q.inputs)
	if err != nil {
		return nil, err
	}
	if _, err := loadChart(args); errors.Is(err, fs.ErrNotExist) {
		r.report(ctx, args, err)
		return response, nil
	}
	response.Changes = pulumirpc.DiffResponse_DIFF_SOME
	response.DetailedDiff["status"] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_UPDATE}
	return response, nil
}

// create installs a release.
func (r *release) create(ctx context.Context, q *request) (*outcome, error) {
	return r.deploy(ctx, q, r.install)
}

// update upgrades a release, or installs one that was left out before.
func (r *release) update(ctx context.Context, q *request) (*outcome, error) {
	if isNotRendered(q.state) {
		return r.deploy(ctx, q, r.installAtLast)
	}
	return r.deploy(ctx, q, r.upgrade)
}

// installAtLast installs a release in the place of its substitute, and takes over what that leaves behind: definitions,
// above all.
func (r *release) installAtLast(ctx context.Context, d *deployment) (*helmrelease.Release, error) {
	if err := r.unsubstitute(ctx, d.releaseArgs, d.timeout); err != nil {
		return nil, err
	}
	d.takesOver = true
	return r.install(ctx, d)
}

// deploy runs a deployment of a release whose chart can be had, and has the others substituted.
func (r *release) deploy(
	ctx context.Context, q *request,
	run func(context.Context, *deployment) (*helmrelease.Release, error),
) (*outcome, error) {
	if q.inputs.ContainsUnknowns() {
		return &outcome{outputs: q.inputs}, nil
	}
	args, err := readReleaseArgs(q.inputs)
	if err != nil {
		return nil, err
	}
	chart, err := loadChart(args)
	if errors.Is(err, fs.ErrNotExist) {
		return r.substitute(ctx, q, args, err)
	}
	if err != nil {
		return nil, fmt.Errorf("release %s/%s: %w", args.Namespace, args.Name, err)
	}
	if q.preview {
		if err := fits(args.Values, chart); err != nil {
			return nil, fmt.Errorf("release %s/%s: %w", args.Namespace, args.Name, err)
		}
		return &outcome{outputs: q.inputs}, nil
	}
	config, err := r.helm(ctx, args.Namespace)
	if err != nil {
		return nil, fmt.Errorf("release %s/%s: %w", args.Namespace, args.Name, err)
	}
	d := &deployment{releaseArgs: args, chart: chart, config: config, timeout: cmp.Or(q.timeout, args.timeout())}
	deployed, err := run(ctx, d)
	result := &outcome{id: id(args.Namespace, args.Name)}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not ready after %s", d.timeout)
	}
	if err != nil {
		result.unready = []string{fmt.Sprintf("release %s: %v", result.id, err)}
		if !d.recorded(deployed) {
			return nil, errors.New(result.unready[0]) // Helm has nothing of it, so neither shall the state
		}
		result.unready = append(result.unready, r.lacking(ctx, deployed)...)
	}
	if err != nil && args.Atomic {
		return nil, fmt.Errorf("%s\n%w", strings.Join(result.unready, "\n"), d.undo(deployed))
	}
	result.outputs = deployedOutputs(q.inputs, deployed)
	return result, nil
}

// loadChart reads the chart of a release. The error is fs.ErrNotExist where it is not at hand.
func loadChart(args *releaseArgs) (*chart.Chart, error) {
	loaded, err := loader.Load(args.Chart)
	if err != nil {
		return nil, fmt.Errorf("loading chart %s: %w", args.Chart, err)
	}
	return loaded, action.CheckDependencies(loaded, loaded.Metadata.Dependencies)
}

// fits checks values against the schema that a chart may have.
func fits(values map[string]any, chart *chart.Chart) error {
	if err := chartutil.ProcessDependenciesWithMerge(chart, values); err != nil {
		return err
	}
	_, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{}, nil)
	return err
}

// substitute has something else take the place of a release whose chart cannot be had.
func (r *release) substitute(ctx context.Context, q *request, args *releaseArgs, reason error) (*outcome, error) {
	r.report(ctx, args, reason)
	if !q.preview {
		ctx, cancel := context.WithTimeout(ctx, cmp.Or(q.timeout, args.timeout()))
		defer cancel()
		if err := r.options.NotRendered.Deployed(ctx, notRendered(args, reason)); err != nil {
			return nil, fmt.Errorf("standing in for release %s/%s: %w", args.Namespace, args.Name, err)
		}
	}
	return &outcome{id: id(args.Namespace, args.Name), outputs: notRenderedOutputs(q.inputs, args)}, nil
}

// unsubstitute has what took the place of a release removed.
func (r *release) unsubstitute(ctx context.Context, args *releaseArgs, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.options.NotRendered.Uninstalled(ctx, notRendered(args, nil))
}

// report tells that a chart cannot be had.
func (r *release) report(ctx context.Context, args *releaseArgs, reason error) {
	r.journal.status(ctx, fmt.Sprintf("left out of the rehearsal, because its chart cannot be had: %v", reason))
	r.options.NotRendered.Found(notRendered(args, reason))
}

func notRendered(args *releaseArgs, reason error) NotRendered {
	left := NotRendered{
		Namespace: args.Namespace, Name: args.Name, Version: args.Version, Values: args.Values,
		Chart: strings.TrimSuffix(filepath.Base(args.Chart), "-"+args.Version+".tgz"),
	}
	if reason != nil {
		left.Reason = reason.Error()
	}
	return left
}

// read finds the release as Helm has it. Values and version that are not what the program said last time are in the inputs.
func (r *release) read(ctx context.Context, q *request) (*outcome, error) {
	namespace, name := splitID(q.id)
	if namespace == "" {
		namespace = r.Namespace
	}
	config, err := r.helm(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading release %s: %w", q.id, err)
	}
	last, err := config.Releases.Last(name)
	switch {
	case isNoRelease(err) && isNotRendered(q.state):
		return &outcome{id: q.id, inputs: q.oldInputs, outputs: q.state}, nil
	case isNoRelease(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading release %s: %w", q.id, err)
	}
	inputs, err := liveReleaseInputs(q.oldInputs, last)
	if err != nil {
		return nil, fmt.Errorf("reading release %s: %w", q.id, err)
	}
	return &outcome{id: id(last.Namespace, last.Name), inputs: inputs, outputs: deployedOutputs(inputs, last)}, nil
}

// delete uninstalls a release, and waits until its objects are gone unless told not to.
func (r *release) delete(ctx context.Context, q *request) error {
	args, err := readReleaseArgs(q.oldInputs)
	if err != nil {
		return err
	}
	if isNotRendered(q.state) {
		return r.unsubstitute(ctx, args, cmp.Or(q.timeout, args.timeout()))
	}
	config, err := r.helm(ctx, args.Namespace)
	if err != nil {
		return fmt.Errorf("uninstalling release %s: %w", q.id, err)
	}
	uninstall := action.NewUninstall(config)
	uninstall.IgnoreNotFound = true
	uninstall.Wait = !args.SkipAwait || args.Atomic
	uninstall.DisableHooks = args.DisableWebhooks
	uninstall.Timeout = cmp.Or(q.timeout, args.timeout())
	finished := make(chan error, 1)
	go func() {
		_, err := uninstall.Run(args.Name)
		finished <- err
	}()
	select {
	case err = <-finished:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("uninstalling release %s: %w", q.id, err)
	}
	return nil
}

// lacking says what the objects of a release still lack.
func (r *release) lacking(ctx context.Context, deployed *helmrelease.Release) []string {
	objects, err := manifest(deployed)
	if err != nil {
		return []string{err.Error()}
	}
	var reasons []string
	for _, rendered := range objects {
		o := &object{cluster: r.cluster, gvk: rendered.GroupVersionKind()}
		if rendered.GetNamespace() == "" && o.namespaced(ctx) {
			rendered.SetNamespace(deployed.Namespace)
		}
		if live, err := o.get(ctx, rendered.GetNamespace(), rendered.GetName()); err == nil {
			reasons = append(reasons, o.unready(ctx, live)...)
		}
	}
	return reasons
}

func notRenderedOutputs(inputs resource.PropertyMap, args *releaseArgs) resource.PropertyMap {
	outputs := maps.Clone(inputs)
	outputs["status"] = resource.NewProperty(resource.PropertyMap{
		"status": resource.NewProperty(statusNotRendered), "name": resource.NewProperty(args.Name),
		"namespace": resource.NewProperty(args.Namespace), "chart": resource.NewProperty(args.Chart),
		"version": resource.NewProperty(args.Version),
	})
	return outputs
}

func isNotRendered(state resource.PropertyMap) bool {
	status := within(state["status"])["status"]
	return status.IsString() && status.StringValue() == statusNotRendered
}

// deployedOutputs are the inputs and the status, by the official names.
func deployedOutputs(inputs resource.PropertyMap, deployed *helmrelease.Release) resource.PropertyMap {
	outputs := maps.Clone(inputs)
	outputs["version"] = resource.NewProperty(deployed.Chart.Metadata.Version)
	outputs["status"] = resource.NewProperty(resource.PropertyMap{
		"status":     resource.NewProperty(deployed.Info.Status.String()),
		"name":       resource.NewProperty(deployed.Name),
		"namespace":  resource.NewProperty(deployed.Namespace),
		"revision":   resource.NewProperty(float64(deployed.Version)),
		"chart":      resource.NewProperty(deployed.Chart.Metadata.Name),
		"version":    resource.NewProperty(deployed.Chart.Metadata.Version),
		"appVersion": resource.NewProperty(deployed.Chart.Metadata.AppVersion),
	})
	return outputs
}
