package fastly

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ServiceVclCondition says when objects that name it apply.
type ServiceVclCondition struct {
	Name      string `pulumi:"name"`
	Statement string `pulumi:"statement"`
	Type      string `pulumi:"type"`
}

// ServiceVclConditionArgs is a ServiceVclCondition of inputs.
type ServiceVclConditionArgs struct {
	Name      pulumi.StringInput `pulumi:"name"`
	Statement pulumi.StringInput `pulumi:"statement"`
	Type      pulumi.StringInput `pulumi:"type"`
}

func (ServiceVclConditionArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclCondition]()
}

// ServiceVclConditionInput is accepted where one ServiceVclCondition is wanted.
type ServiceVclConditionInput interface {
	pulumi.Input
	toServiceVclCondition()
}

func (ServiceVclConditionArgs) toServiceVclCondition() {}

// ServiceVclConditionArray is a list of ServiceVclCondition.
type ServiceVclConditionArray []ServiceVclConditionInput

func (ServiceVclConditionArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclCondition]()
}

// ServiceVclConditionArrayInput is accepted where a list of ServiceVclCondition is wanted.
type ServiceVclConditionArrayInput interface {
	pulumi.Input
	toServiceVclConditionArray()
}

func (ServiceVclConditionArray) toServiceVclConditionArray() {}

// ServiceVclSnippet is VCL at one place of what Fastly generates.
type ServiceVclSnippet struct {
	Content  string `pulumi:"content"`
	Name     string `pulumi:"name"`
	Priority *int   `pulumi:"priority"`
	Type     string `pulumi:"type"`
}

// ServiceVclSnippetArgs is a ServiceVclSnippet of inputs.
type ServiceVclSnippetArgs struct {
	Content  pulumi.StringInput `pulumi:"content"`
	Name     pulumi.StringInput `pulumi:"name"`
	Priority pulumi.IntPtrInput `pulumi:"priority"`
	Type     pulumi.StringInput `pulumi:"type"`
}

func (ServiceVclSnippetArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclSnippet]()
}

// ServiceVclSnippetInput is accepted where one ServiceVclSnippet is wanted.
type ServiceVclSnippetInput interface {
	pulumi.Input
	toServiceVclSnippet()
}

func (ServiceVclSnippetArgs) toServiceVclSnippet() {}

// ServiceVclSnippetArray is a list of ServiceVclSnippet.
type ServiceVclSnippetArray []ServiceVclSnippetInput

func (ServiceVclSnippetArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclSnippet]()
}

// ServiceVclSnippetArrayInput is accepted where a list of ServiceVclSnippet is wanted.
type ServiceVclSnippetArrayInput interface {
	pulumi.Input
	toServiceVclSnippetArray()
}

func (ServiceVclSnippetArray) toServiceVclSnippetArray() {}

// ServiceVclVcl is a file of VCL; the main one is the service's program.
type ServiceVclVcl struct {
	Content string `pulumi:"content"`
	Main    *bool  `pulumi:"main"`
	Name    string `pulumi:"name"`
}

// ServiceVclVclArgs is a ServiceVclVcl of inputs.
type ServiceVclVclArgs struct {
	Content pulumi.StringInput  `pulumi:"content"`
	Main    pulumi.BoolPtrInput `pulumi:"main"`
	Name    pulumi.StringInput  `pulumi:"name"`
}

func (ServiceVclVclArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclVcl]()
}

// ServiceVclVclInput is accepted where one ServiceVclVcl is wanted.
type ServiceVclVclInput interface {
	pulumi.Input
	toServiceVclVcl()
}

func (ServiceVclVclArgs) toServiceVclVcl() {}

// ServiceVclVclArray is a list of ServiceVclVcl.
type ServiceVclVclArray []ServiceVclVclInput

func (ServiceVclVclArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclVcl]()
}

// ServiceVclVclArrayInput is accepted where a list of ServiceVclVcl is wanted.
type ServiceVclVclArrayInput interface {
	pulumi.Input
	toServiceVclVclArray()
}

func (ServiceVclVclArray) toServiceVclVclArray() {}
