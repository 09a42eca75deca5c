package cdn

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Names of objects of the service.
const (
	originName      = "origin"
	mediaName       = "media"
	mediaCondition  = "is media"
	healthCheckName = "origin health"
)

// How often health checks may ask the origin. Every machine of Fastly asks for itself, whatever the shield: changelog.com counted
// 196 requests a minute from a check a minute, and 44 a second from one that asked more often.
const (
	// probers is how many machines ask.
	probers = 200
	// probeBudget is how many requests a second all of them together may cost.
	probeBudget = 5
)

// probeWait is how long a health check waits for an answer.
const probeWait = 5 * time.Second

// checkProbes refuses health checks that would cost the origin more than probeBudget.
func checkProbes(path *field.Path, interval string) field.ErrorList {
	faults := checkDuration(path, interval, time.Second, time.Hour)
	if len(faults) > 0 {
		return faults
	}
	rate := probers / duration(interval).Seconds()
	if rate <= probeBudget {
		return nil
	}
	return field.ErrorList{field.Invalid(path, interval, fmt.Sprintf(
		"about %d machines of Fastly ask for themselves, which makes %d requests a second; the origin is to bear %d, so ask no "+
			"more often than every %s", probers, int(math.Ceil(rate)), probeBudget, probers/probeBudget*time.Second))}
}

func (a *Args) backends() fastly.ServiceVclBackendArray {
	backends := fastly.ServiceVclBackendArray{a.originBackend()}
	if a.Media != nil {
		backends = append(backends, a.mediaBackend())
	}
	for i := range a.Backends {
		backends = append(backends, a.furtherBackend(&a.Backends[i]))
	}
	return backends
}

// originBackend verifies the origin's certificate: Fastly checks it against one name and asks for it by another, so both are set.
// The visitor's Host header goes through, as the origin routes by it. And Fastly shows a certificate of its own, as any other of
// its customers could connect, too.
func (a *Args) originBackend() fastly.ServiceVclBackendArgs {
	backend := serverOverTLS(originName, pulumi.String(a.OriginHost), a.Origin.Timeouts)
	backend.MaxConn = pulumi.Int(a.Origin.MaxConn)
	backend.Shield = pulumi.String(a.Origin.Shield)
	backend.Healthcheck = pulumi.String(healthCheckName)
	if a.ClientKey != nil {
		backend.SslClientCert = a.ClientCertificate.ToStringOutput().ToStringPtrOutput()
		backend.SslClientKey = a.ClientKey.ToStringOutput().ToStringPtrOutput()
	}
	return backend
}

// mediaBackend asks the bucket by its own name, in the Host header too: object storage finds the bucket by that. It has no health
// check, since it is a service that has its own.
func (a *Args) mediaBackend() fastly.ServiceVclBackendArgs {
	host := a.MediaAddress()
	backend := serverOverTLS(mediaName, host, Timeouts{Connect: "1s", FirstByte: "15s", BetweenBytes: "10s"})
	backend.OverrideHost = host.ToStringOutput().ToStringPtrOutput()
	backend.Shield = pulumi.String(cmp.Or(a.Media.Shield, a.Origin.Shield))
	backend.RequestCondition = pulumi.String(mediaCondition)
	return backend
}

// furtherBackend is shown no certificate: that is for the origin, which trusts whoever has it.
func (a *Args) furtherBackend(b *Backend) fastly.ServiceVclBackendArgs {
	backend := serverOverTLS(b.Name, pulumi.String(b.Address), b.timeouts())
	if !b.KeepHost {
		backend.OverrideHost = pulumi.String(b.Address)
	}
	backend.Shield = pulumi.String(cmp.Or(b.Shield, a.Origin.Shield))
	backend.RequestCondition = pulumi.String(b.conditionName())
	return backend
}

// serverOverTLS is a server on port 443 whose certificate is valid for its name.
func serverOverTLS(name string, host pulumi.StringInput, timeouts Timeouts) fastly.ServiceVclBackendArgs {
	certificate := host.ToStringOutput().ToStringPtrOutput()
	return fastly.ServiceVclBackendArgs{
		Name:                pulumi.String(name),
		Address:             host,
		Port:                pulumi.Int(443),
		UseSsl:              pulumi.Bool(true),
		SslCheckCert:        pulumi.Bool(true),
		SslCertHostname:     certificate,
		SslSniHostname:      certificate,
		MinTlsVersion:       pulumi.String("1.2"),
		ConnectTimeout:      milliseconds(duration(timeouts.Connect)),
		FirstByteTimeout:    milliseconds(duration(timeouts.FirstByte)),
		BetweenBytesTimeout: milliseconds(duration(timeouts.BetweenBytes)),
		MaxConn:             pulumi.Int(200),
	}
}

// healthCheck asks for a public name, since the origin routes by name and its own name belongs to no application. The origin is
// held for well as long as one of the last two answers was.
func (a *Args) healthCheck() fastly.ServiceVclHealthcheckArgs {
	return fastly.ServiceVclHealthcheckArgs{
		Name:          pulumi.String(healthCheckName),
		Host:          pulumi.String(cmp.Or(a.HealthHost, strings.TrimPrefix(a.Domains[0], "*."))),
		Method:        pulumi.String("GET"),
		Path:          pulumi.String(a.Origin.HealthPath),
		CheckInterval: milliseconds(duration(a.Origin.HealthInterval)),
		Timeout:       milliseconds(probeWait),
		Window:        pulumi.Int(2),
		Threshold:     pulumi.Int(1),
		Initial:       pulumi.Int(1),
	}
}

// conditions say which requests go to which backend; those that meet none go to the origin.
func (a *Args) conditions() fastly.ServiceVclConditionArray {
	var conditions fastly.ServiceVclConditionArray
	add := func(name string, routes []Route) {
		conditions = append(conditions, fastly.ServiceVclConditionArgs{
			Name: pulumi.String(name), Type: pulumi.String("REQUEST"), Statement: pulumi.String(isFor(routes)),
		})
	}
	if a.Media != nil {
		add(mediaCondition, WholeHosts(a.Media.Hosts))
	}
	for i := range a.Backends {
		add(a.Backends[i].conditionName(), a.Backends[i].Routes())
	}
	return conditions
}

func (b *Backend) conditionName() string { return "is for " + b.Name }

func milliseconds(length time.Duration) pulumi.Int { return pulumi.Int(length.Milliseconds()) }
