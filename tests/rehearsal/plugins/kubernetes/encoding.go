package kubernetes

import (
	"errors"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

// decoder reads the parts of a request and remembers what it could not read.
type decoder struct{ err error }

func (d *decoder) properties(from *structpb.Struct) resource.PropertyMap {
	properties, err := plugin.UnmarshalProperties(from, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
	d.err = errors.Join(d.err, err)
	return properties
}

func (d *decoder) paths(from []string) []resource.PropertyPath {
	paths := make([]resource.PropertyPath, len(from))
	for i, text := range from {
		path, err := resource.ParsePropertyPath(text)
		if err != nil {
			d.err = errors.Join(d.err, fmt.Errorf("ignoreChanges: %q is not a property path: %w", text, err))
		}
		paths[i] = path
	}
	return paths
}

func encode(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
}

// encode returns the outputs, or the error by which an engine learns of a resource that exists but is not ready.
func (o *outcome) encode() (*structpb.Struct, error) {
	outputs, err := encode(o.outputs)
	if err != nil || len(o.unready) == 0 {
		return outputs, err
	}
	detail := &pulumirpc.ErrorResourceInitFailed{Id: o.id, Properties: outputs, Reasons: o.unready}
	if o.inputs != nil {
		if detail.Inputs, err = encode(o.inputs); err != nil {
			return nil, err
		}
	}
	return nil, rpcerror.WithDetails(rpcerror.New(codes.Unknown, o.unready[0]), detail)
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }
