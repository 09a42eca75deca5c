package fastly

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ServiceVclLoggingS3 writes requests to files in an S3 bucket. Period is in seconds.
type ServiceVclLoggingS3 struct {
	BucketName        string  `pulumi:"bucketName"`
	Domain            *string `pulumi:"domain"`
	Format            *string `pulumi:"format"`
	MessageType       *string `pulumi:"messageType"`
	Name              string  `pulumi:"name"`
	Period            *int    `pulumi:"period"`
	ResponseCondition *string `pulumi:"responseCondition"`
	S3AccessKey       *string `pulumi:"s3AccessKey"`
	S3SecretKey       *string `pulumi:"s3SecretKey"`
}

// ServiceVclLoggingS3Args is a ServiceVclLoggingS3 of inputs.
type ServiceVclLoggingS3Args struct {
	BucketName        pulumi.StringInput    `pulumi:"bucketName"`
	Domain            pulumi.StringPtrInput `pulumi:"domain"`
	Format            pulumi.StringPtrInput `pulumi:"format"`
	MessageType       pulumi.StringPtrInput `pulumi:"messageType"`
	Name              pulumi.StringInput    `pulumi:"name"`
	Period            pulumi.IntPtrInput    `pulumi:"period"`
	ResponseCondition pulumi.StringPtrInput `pulumi:"responseCondition"`
	S3AccessKey       pulumi.StringPtrInput `pulumi:"s3AccessKey"`
	S3SecretKey       pulumi.StringPtrInput `pulumi:"s3SecretKey"`
}

func (ServiceVclLoggingS3Args) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclLoggingS3]()
}

// ServiceVclLoggingS3Input is accepted where one ServiceVclLoggingS3 is wanted.
type ServiceVclLoggingS3Input interface {
	pulumi.Input
	toServiceVclLoggingS3()
}

func (ServiceVclLoggingS3Args) toServiceVclLoggingS3() {}

// ServiceVclLoggingS3Array is a list of ServiceVclLoggingS3.
type ServiceVclLoggingS3Array []ServiceVclLoggingS3Input

func (ServiceVclLoggingS3Array) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclLoggingS3]()
}

// ServiceVclLoggingS3ArrayInput is accepted where a list of ServiceVclLoggingS3 is wanted.
type ServiceVclLoggingS3ArrayInput interface {
	pulumi.Input
	toServiceVclLoggingS3Array()
}

func (ServiceVclLoggingS3Array) toServiceVclLoggingS3Array() {}

// ServiceVclLoggingHttp sends requests to an HTTPS endpoint.
type ServiceVclLoggingHttp struct {
	ContentType       *string `pulumi:"contentType"`
	Format            *string `pulumi:"format"`
	HeaderName        *string `pulumi:"headerName"`
	HeaderValue       *string `pulumi:"headerValue"`
	JsonFormat        *string `pulumi:"jsonFormat"`
	MessageType       *string `pulumi:"messageType"`
	Name              string  `pulumi:"name"`
	ResponseCondition *string `pulumi:"responseCondition"`
	Url               string  `pulumi:"url"`
}

// ServiceVclLoggingHttpArgs is a ServiceVclLoggingHttp of inputs.
type ServiceVclLoggingHttpArgs struct {
	ContentType       pulumi.StringPtrInput `pulumi:"contentType"`
	Format            pulumi.StringPtrInput `pulumi:"format"`
	HeaderName        pulumi.StringPtrInput `pulumi:"headerName"`
	HeaderValue       pulumi.StringPtrInput `pulumi:"headerValue"`
	JsonFormat        pulumi.StringPtrInput `pulumi:"jsonFormat"`
	MessageType       pulumi.StringPtrInput `pulumi:"messageType"`
	Name              pulumi.StringInput    `pulumi:"name"`
	ResponseCondition pulumi.StringPtrInput `pulumi:"responseCondition"`
	Url               pulumi.StringInput    `pulumi:"url"`
}

func (ServiceVclLoggingHttpArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclLoggingHttp]()
}

// ServiceVclLoggingHttpInput is accepted where one ServiceVclLoggingHttp is wanted.
type ServiceVclLoggingHttpInput interface {
	pulumi.Input
	toServiceVclLoggingHttp()
}

func (ServiceVclLoggingHttpArgs) toServiceVclLoggingHttp() {}

// ServiceVclLoggingHttpArray is a list of ServiceVclLoggingHttp.
type ServiceVclLoggingHttpArray []ServiceVclLoggingHttpInput

func (ServiceVclLoggingHttpArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclLoggingHttp]()
}

// ServiceVclLoggingHttpArrayInput is accepted where a list of ServiceVclLoggingHttp is wanted.
type ServiceVclLoggingHttpArrayInput interface {
	pulumi.Input
	toServiceVclLoggingHttpArray()
}

func (ServiceVclLoggingHttpArray) toServiceVclLoggingHttpArray() {}
