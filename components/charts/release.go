package charts

import (
	"maps"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Release is a chart installed by Helm: one resource in the state, whose hooks run, and which is undone when it fails. The chart
// is the archive that lies beside the stack; no repository is asked.
//
// It has the type and the property names of the official SDK's helm/v3.Release. That package imports every API group of
// Kubernetes and triples the time of a build.
// Upstream: https://www.pulumi.com/registry/packages/kubernetes/api-docs/helm/v3/release/
type Release struct {
	pulumi.CustomResourceState
}

// ReleaseArgs says what to install, and where.
type ReleaseArgs struct {
	Chart Chart
	// Name is the release's name, explicit so that the names of its objects are known.
	Name string
	// Namespace exists already.
	Namespace pulumi.StringInput
	// Values are the chart's values. A secret does not belong here: create a Secret and name it.
	Values pulumi.Map
	// Overrides are merged over Values, last and whatever they say: the way to what the component does not offer.
	Overrides map[string]any
}

// timeout is how long a release may take until all that it made is ready, in seconds.
const timeout = 600

// releaseInputs are the properties of the official type that are used here.
type releaseInputs struct {
	Atomic    pulumi.BoolInput   `pulumi:"atomic"`
	Chart     pulumi.StringInput `pulumi:"chart"`
	Name      pulumi.StringInput `pulumi:"name"`
	Namespace pulumi.StringInput `pulumi:"namespace"`
	Timeout   pulumi.IntInput    `pulumi:"timeout"`
	Values    pulumi.MapInput    `pulumi:"values"`
	Version   pulumi.StringInput `pulumi:"version"`
}

type releaseProperties struct {
	Atomic    bool           `pulumi:"atomic"`
	Chart     string         `pulumi:"chart"`
	Name      string         `pulumi:"name"`
	Namespace string         `pulumi:"namespace"`
	Timeout   int            `pulumi:"timeout"`
	Values    map[string]any `pulumi:"values"`
	Version   string         `pulumi:"version"`
}

func (releaseInputs) ElementType() reflect.Type { return reflect.TypeFor[releaseProperties]() }

// NewRelease declares a release. It is there when everything that it made is ready.
func NewRelease(ctx *pulumi.Context, name string, args *ReleaseArgs, opts ...pulumi.ResourceOption) (*Release, error) {
	inputs := releaseInputs{
		Atomic:    pulumi.Bool(true),
		Chart:     pulumi.String(args.Chart.Path()),
		Name:      pulumi.String(args.Name),
		Namespace: args.Namespace,
		Timeout:   pulumi.Int(timeout),
		Values:    merge(args.Values, toInput(args.Overrides).(pulumi.Map)),
		Version:   pulumi.String(args.Chart.Version),
	}
	release := &Release{}
	return release, ctx.RegisterResource("kubernetes:helm.sh/v3:Release", name, inputs, release, opts...)
}

// toInput turns free-form configuration into an input, maps into maps, so that they can be merged.
func toInput(value any) pulumi.Input {
	switch value := value.(type) {
	case map[string]any:
		inputs := pulumi.Map{}
		for key, item := range value {
			inputs[key] = toInput(item)
		}
		return inputs
	case []any:
		inputs := pulumi.Array{}
		for _, item := range value {
			inputs = append(inputs, toInput(item))
		}
		return inputs
	default:
		return pulumi.Any(value)
	}
}

// merge returns base with over laid on top, map by map.
func merge(base, over pulumi.Map) pulumi.Map {
	merged := maps.Clone(base)
	if merged == nil {
		merged = pulumi.Map{}
	}
	for key, value := range over {
		below, above := inputs(merged[key]), inputs(value)
		if below != nil && above != nil {
			value = merge(below, above)
		}
		merged[key] = value
	}
	return merged
}

// inputs returns the entries of a map, whatever they are; nil for what is no map, or is not known yet.
func inputs(value pulumi.Input) pulumi.Map {
	of := reflect.ValueOf(value)
	if of.Kind() != reflect.Map {
		return nil
	}
	entries := pulumi.Map{}
	for key, entry := range of.Seq2() {
		entries[key.String()], _ = entry.Interface().(pulumi.Input)
	}
	return entries
}
