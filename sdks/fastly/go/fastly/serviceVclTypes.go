package fastly

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ServiceVclDomain is a public name that the service answers for.
type ServiceVclDomain struct {
	Name string `pulumi:"name"`
}

// ServiceVclDomainArgs is a ServiceVclDomain of inputs.
type ServiceVclDomainArgs struct {
	Name pulumi.StringInput `pulumi:"name"`
}

func (ServiceVclDomainArgs) ElementType() reflect.Type { return reflect.TypeFor[ServiceVclDomain]() }

// ServiceVclDomainInput is accepted where one ServiceVclDomain is wanted.
type ServiceVclDomainInput interface {
	pulumi.Input
	toServiceVclDomain()
}

func (ServiceVclDomainArgs) toServiceVclDomain() {}

// ServiceVclDomainArray is a list of ServiceVclDomain.
type ServiceVclDomainArray []ServiceVclDomainInput

func (ServiceVclDomainArray) ElementType() reflect.Type { return reflect.TypeFor[[]ServiceVclDomain]() }

// ServiceVclDomainArrayInput is accepted where a list of ServiceVclDomain is wanted.
type ServiceVclDomainArrayInput interface {
	pulumi.Input
	toServiceVclDomainArray()
}

func (ServiceVclDomainArray) toServiceVclDomainArray() {}

// ServiceVclBackend is an origin. Timeouts are in milliseconds.
type ServiceVclBackend struct {
	Address             string  `pulumi:"address"`
	BetweenBytesTimeout *int    `pulumi:"betweenBytesTimeout"`
	ConnectTimeout      *int    `pulumi:"connectTimeout"`
	FirstByteTimeout    *int    `pulumi:"firstByteTimeout"`
	Healthcheck         *string `pulumi:"healthcheck"`
	MaxConn             *int    `pulumi:"maxConn"`
	MinTlsVersion       *string `pulumi:"minTlsVersion"`
	Name                string  `pulumi:"name"`
	OverrideHost        *string `pulumi:"overrideHost"`
	Port                *int    `pulumi:"port"`
	RequestCondition    *string `pulumi:"requestCondition"`
	Shield              *string `pulumi:"shield"`
	SslCertHostname     *string `pulumi:"sslCertHostname"`
	SslCheckCert        *bool   `pulumi:"sslCheckCert"`
	SslClientCert       *string `pulumi:"sslClientCert"`
	SslClientKey        *string `pulumi:"sslClientKey"`
	SslSniHostname      *string `pulumi:"sslSniHostname"`
	UseSsl              *bool   `pulumi:"useSsl"`
}

// ServiceVclBackendArgs is a ServiceVclBackend of inputs.
type ServiceVclBackendArgs struct {
	Address             pulumi.StringInput    `pulumi:"address"`
	BetweenBytesTimeout pulumi.IntPtrInput    `pulumi:"betweenBytesTimeout"`
	ConnectTimeout      pulumi.IntPtrInput    `pulumi:"connectTimeout"`
	FirstByteTimeout    pulumi.IntPtrInput    `pulumi:"firstByteTimeout"`
	Healthcheck         pulumi.StringPtrInput `pulumi:"healthcheck"`
	MaxConn             pulumi.IntPtrInput    `pulumi:"maxConn"`
	MinTlsVersion       pulumi.StringPtrInput `pulumi:"minTlsVersion"`
	Name                pulumi.StringInput    `pulumi:"name"`
	OverrideHost        pulumi.StringPtrInput `pulumi:"overrideHost"`
	Port                pulumi.IntPtrInput    `pulumi:"port"`
	RequestCondition    pulumi.StringPtrInput `pulumi:"requestCondition"`
	Shield              pulumi.StringPtrInput `pulumi:"shield"`
	SslCertHostname     pulumi.StringPtrInput `pulumi:"sslCertHostname"`
	SslCheckCert        pulumi.BoolPtrInput   `pulumi:"sslCheckCert"`
	SslClientCert       pulumi.StringPtrInput `pulumi:"sslClientCert"`
	SslClientKey        pulumi.StringPtrInput `pulumi:"sslClientKey"`
	SslSniHostname      pulumi.StringPtrInput `pulumi:"sslSniHostname"`
	UseSsl              pulumi.BoolPtrInput   `pulumi:"useSsl"`
}

func (ServiceVclBackendArgs) ElementType() reflect.Type { return reflect.TypeFor[ServiceVclBackend]() }

// ServiceVclBackendInput is accepted where one ServiceVclBackend is wanted.
type ServiceVclBackendInput interface {
	pulumi.Input
	toServiceVclBackend()
}

func (ServiceVclBackendArgs) toServiceVclBackend() {}

// ServiceVclBackendArray is a list of ServiceVclBackend.
type ServiceVclBackendArray []ServiceVclBackendInput

func (ServiceVclBackendArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclBackend]()
}

// ServiceVclBackendArrayInput is accepted where a list of ServiceVclBackend is wanted.
type ServiceVclBackendArrayInput interface {
	pulumi.Input
	toServiceVclBackendArray()
}

func (ServiceVclBackendArray) toServiceVclBackendArray() {}

// ServiceVclHealthcheck probes a backend. CheckInterval and Timeout are in milliseconds.
type ServiceVclHealthcheck struct {
	CheckInterval *int    `pulumi:"checkInterval"`
	Host          string  `pulumi:"host"`
	Initial       *int    `pulumi:"initial"`
	Method        *string `pulumi:"method"`
	Name          string  `pulumi:"name"`
	Path          string  `pulumi:"path"`
	Threshold     *int    `pulumi:"threshold"`
	Timeout       *int    `pulumi:"timeout"`
	Window        *int    `pulumi:"window"`
}

// ServiceVclHealthcheckArgs is a ServiceVclHealthcheck of inputs.
type ServiceVclHealthcheckArgs struct {
	CheckInterval pulumi.IntPtrInput    `pulumi:"checkInterval"`
	Host          pulumi.StringInput    `pulumi:"host"`
	Initial       pulumi.IntPtrInput    `pulumi:"initial"`
	Method        pulumi.StringPtrInput `pulumi:"method"`
	Name          pulumi.StringInput    `pulumi:"name"`
	Path          pulumi.StringInput    `pulumi:"path"`
	Threshold     pulumi.IntPtrInput    `pulumi:"threshold"`
	Timeout       pulumi.IntPtrInput    `pulumi:"timeout"`
	Window        pulumi.IntPtrInput    `pulumi:"window"`
}

func (ServiceVclHealthcheckArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclHealthcheck]()
}

// ServiceVclHealthcheckInput is accepted where one ServiceVclHealthcheck is wanted.
type ServiceVclHealthcheckInput interface {
	pulumi.Input
	toServiceVclHealthcheck()
}

func (ServiceVclHealthcheckArgs) toServiceVclHealthcheck() {}

// ServiceVclHealthcheckArray is a list of ServiceVclHealthcheck.
type ServiceVclHealthcheckArray []ServiceVclHealthcheckInput

func (ServiceVclHealthcheckArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclHealthcheck]()
}

// ServiceVclHealthcheckArrayInput is accepted where a list of ServiceVclHealthcheck is wanted.
type ServiceVclHealthcheckArrayInput interface {
	pulumi.Input
	toServiceVclHealthcheckArray()
}

func (ServiceVclHealthcheckArray) toServiceVclHealthcheckArray() {}

// ServiceVclGzip names what is compressed on its way to visitors.
type ServiceVclGzip struct {
	ContentTypes []string `pulumi:"contentTypes"`
	Extensions   []string `pulumi:"extensions"`
	Name         string   `pulumi:"name"`
}

// ServiceVclGzipArgs is a ServiceVclGzip of inputs.
type ServiceVclGzipArgs struct {
	ContentTypes pulumi.StringArrayInput `pulumi:"contentTypes"`
	Extensions   pulumi.StringArrayInput `pulumi:"extensions"`
	Name         pulumi.StringInput      `pulumi:"name"`
}

func (ServiceVclGzipArgs) ElementType() reflect.Type { return reflect.TypeFor[ServiceVclGzip]() }

// ServiceVclGzipInput is accepted where one ServiceVclGzip is wanted.
type ServiceVclGzipInput interface {
	pulumi.Input
	toServiceVclGzip()
}

func (ServiceVclGzipArgs) toServiceVclGzip() {}

// ServiceVclGzipArray is a list of ServiceVclGzip.
type ServiceVclGzipArray []ServiceVclGzipInput

func (ServiceVclGzipArray) ElementType() reflect.Type { return reflect.TypeFor[[]ServiceVclGzip]() }

// ServiceVclGzipArrayInput is accepted where a list of ServiceVclGzip is wanted.
type ServiceVclGzipArrayInput interface {
	pulumi.Input
	toServiceVclGzipArray()
}

func (ServiceVclGzipArray) toServiceVclGzipArray() {}

// ServiceVclRequestSetting changes how requests are handled.
type ServiceVclRequestSetting struct {
	ForceSsl *bool   `pulumi:"forceSsl"`
	Name     string  `pulumi:"name"`
	Xff      *string `pulumi:"xff"`
}

// ServiceVclRequestSettingArgs is a ServiceVclRequestSetting of inputs.
type ServiceVclRequestSettingArgs struct {
	ForceSsl pulumi.BoolPtrInput   `pulumi:"forceSsl"`
	Name     pulumi.StringInput    `pulumi:"name"`
	Xff      pulumi.StringPtrInput `pulumi:"xff"`
}

func (ServiceVclRequestSettingArgs) ElementType() reflect.Type {
	return reflect.TypeFor[ServiceVclRequestSetting]()
}

// ServiceVclRequestSettingInput is accepted where one ServiceVclRequestSetting is wanted.
type ServiceVclRequestSettingInput interface {
	pulumi.Input
	toServiceVclRequestSetting()
}

func (ServiceVclRequestSettingArgs) toServiceVclRequestSetting() {}

// ServiceVclRequestSettingArray is a list of ServiceVclRequestSetting.
type ServiceVclRequestSettingArray []ServiceVclRequestSettingInput

func (ServiceVclRequestSettingArray) ElementType() reflect.Type {
	return reflect.TypeFor[[]ServiceVclRequestSetting]()
}

// ServiceVclRequestSettingArrayInput is accepted where a list of ServiceVclRequestSetting is wanted.
type ServiceVclRequestSettingArrayInput interface {
	pulumi.Input
	toServiceVclRequestSettingArray()
}

func (ServiceVclRequestSettingArray) toServiceVclRequestSettingArray() {}
