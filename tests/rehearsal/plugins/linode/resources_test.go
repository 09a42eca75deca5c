package linode_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"lke-platform/tests/rehearsal/simulation"
)

const (
	domainType   = "linode:index/domain:Domain"
	recordType   = "linode:index/domainRecord:DomainRecord"
	bucketType   = "linode:index/objectStorageBucket:ObjectStorageBucket"
	keyType      = "linode:index/objectStorageKey:ObjectStorageKey"
	tokenType    = "linode:index/token:Token"
	firewallType = "linode:index/firewall:Firewall"
)

func (o *object) number() int {
	id, _ := strconv.Atoi(o.id)
	return id
}

// settled asserts that neither another run nor a refresh and another run would change anything.
func (e *engine) settled(o *object, inputs map[string]any) {
	e.t.Helper()
	require.Empty(e.t, e.diff(o, inputs))
	before := o.state
	e.refresh(o)
	require.Equal(e.t, before, o.state)
	require.Empty(e.t, e.diff(o, inputs), "a refresh changes nothing")
}

// gone asserts that a deleted object is drift and that its deletion is no error.
func (e *engine) gone(o *object) {
	e.t.Helper()
	require.NoError(e.t, e.delete(o))
	e.refresh(o)
	require.Empty(e.t, o.id)
}

func (e *engine) zone(name string) *object {
	e.t.Helper()
	return e.mustCreate(domainType, map[string]any{"domain": name, "type": "master", "soaEmail": "dns@example.com"})
}

func TestDomain(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs := map[string]any{"domain": "example.com", "type": "master", "soaEmail": "dns@example.com", "ttlSec": 301}
	zone := e.mustCreate(domainType, inputs)
	require.Equal(t, "active", zone.state.Mappable()["status"])
	require.InDelta(t, 3600, zone.state.Mappable()["ttlSec"], 0, "as Linode stores it")
	e.settled(zone, inputs)
	require.Equal(t, map[string]string{"type": "UPDATE_REPLACE", "soaEmail": "UPDATE"},
		e.diff(zone, with(with(inputs, "type", "slave"), "soaEmail", "other@example.com")))

	_, err := e.UpdateDomain(t.Context(), zone.number(), linodego.DomainUpdateOptions{Description: "by hand", TTLSec: 300})
	require.NoError(t, err)
	e.refresh(zone)
	require.Equal(t, map[string]string{"description": "DELETE", "ttlSec": "UPDATE"}, e.diff(zone, inputs))
	inputs = with(inputs, "tags", []any{"web"})
	require.NoError(t, e.update(zone, inputs))
	actual, err := e.GetDomain(t.Context(), zone.number())
	require.NoError(t, err)
	require.Equal(t, 3600, actual.TTLSec)
	require.Equal(t, []string{"web"}, actual.Tags)

	require.NoError(t, e.DeleteDomain(t.Context(), zone.number()))
	require.ErrorContains(t, e.delete(zone), "deleting domain example.com: [404] Not found", "as with the official provider")
	e.refresh(zone)
	require.Empty(t, zone.id)
}

func TestAdoptedZonesAndRecords(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	zone := e.adopt(domainType, e.zone("example.com").id)
	require.Equal(t, "example.com", zone.inputs.Mappable()["domain"])
	require.Equal(t, zone.inputs, zone.state, "so that what is to be kept can be ignored")

	for name, options := range map[string]linodego.DomainRecordCreateOptions{
		"www":        {Type: "A", Name: "www", Target: "192.0.2.1", TTLSec: 300},
		"_sip._tcp":  {Type: "SRV", Service: new("sip"), Protocol: new("tcp"), Target: "sip.example.com", Port: new(5060)},
		"_challenge": {Type: "TXT", Name: "_challenge", Target: "x"},
	} {
		existing, err := e.CreateDomainRecord(t.Context(), zone.number(), options)
		require.NoError(t, err)
		record := e.adopt(recordType, zone.id+","+strconv.Itoa(existing.ID))
		require.Equal(t, strconv.Itoa(existing.ID), record.id)
		require.Equal(t, name, record.state.Mappable()["name"])
		require.Equal(t, options.Type != "SRV", record.inputs.HasValue("name"), "the name of an SRV record is not declared")
		e.refresh(record)
		require.NotEmpty(t, record.id, "then it is known where it is")
	}
	require.Empty(t, e.adopt(domainType, "1").id, "there is no such zone")
}

func TestDomainRecord(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	zone := e.zone("example.com")
	inputs := map[string]any{
		"domainId": zone.number(), "recordType": "CNAME", "name": "www.example.com", "target": "cdn.example.net.", "ttlSec": 301,
	}
	record := e.mustCreate(recordType, inputs)
	require.Equal(t, "www", record.state.Mappable()["name"])
	e.settled(record, inputs)
	require.Equal(t, map[string]string{"domainId": "UPDATE_REPLACE", "recordType": "UPDATE_REPLACE", "target": "UPDATE"},
		e.diff(record, with(with(with(inputs, "domainId", 1), "recordType", "A"), "target", "192.0.2.1")))

	_, err := e.UpdateDomainRecord(t.Context(), zone.number(), record.number(), linodego.DomainRecordUpdateOptions{
		Target: "elsewhere.example.org", // by hand
	})
	require.NoError(t, err)
	e.refresh(record)
	require.Equal(t, map[string]string{"target": "UPDATE"}, e.diff(record, inputs), "refresh sees it")
	require.NoError(t, e.update(record, inputs))
	actual, err := e.GetDomainRecord(t.Context(), zone.number(), record.number())
	require.NoError(t, err)
	require.Equal(t, "cdn.example.net", actual.Target)

	_, err = e.create(recordType, inputs)
	require.ErrorContains(t, err, "creating a record of type CNAME for cdn.example.net.: [400] [name] Record conflict")
	mx := e.mustCreate(recordType, map[string]any{
		"domainId": zone.number(), "recordType": "MX", "target": "mail.example.com", "priority": 10,
	})
	require.InDelta(t, 10, mx.state.Mappable()["priority"], 0)
	e.gone(record)
}

// https://github.com/linode/terraform-provider-linode/issues/222: 150 records were more than Linode took.
func TestTooManyRecordsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	zone := e.zone("example.com")
	e.fail(`{"method":"POST","path":"/records$","status":429,"times":40}`)

	var records errgroup.Group
	records.SetLimit(16) // as many as the engine makes at a time
	for i := range 150 {
		records.Go(func() error {
			_, err := e.create(recordType, map[string]any{
				"domainId": zone.number(), "recordType": "A", "name": fmt.Sprintf("host-%d", i), "target": "192.0.2.1",
			})
			return err
		})
	}
	require.NoError(t, records.Wait(), "a request that is refused is made again when Linode says")
	made, err := e.ListDomainRecords(t.Context(), zone.number(), nil)
	require.NoError(t, err)
	require.Len(t, made, 150)
}

// fail has calls of the API fail.
func (e *engine) fail(fault string) {
	e.t.Helper()
	response, err := http.Post(e.url+simulation.FaultsPath, "application/json", strings.NewReader("["+fault+"]"))
	require.NoError(e.t, err)
	require.NoError(e.t, response.Body.Close())
}

func (e *engine) bucket(label string) map[string]any {
	e.t.Helper()
	inputs := map[string]any{"label": label, "region": "us-ord"}
	e.mustCreate(bucketType, inputs)
	return inputs
}

// The official provider knows a bucket from the answer to its creation on, whatever comes of looking at it.
func TestABucketThatCannotBeLookedAtIsNotForgotten(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.fail(`{"method":"GET","path":"/buckets/us-ord/media$","status":500,"times":1}`)
	inputs := map[string]any{"label": "media", "region": "us-ord", "acl": "private"}
	bucket, err := e.create(bucketType, inputs)
	require.ErrorContains(t, err, "reading bucket media in us-ord")
	require.NotNil(t, bucket)
	require.Equal(t, "us-ord:media", bucket.id)
	e.refresh(bucket)
	e.settled(bucket, inputs)
}

func TestBucket(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs := map[string]any{"label": "media", "region": "us-ord", "acl": "private"}
	checked, err := e.check(bucketType, inputs)
	require.NoError(t, err)
	preview := e.previewCreate(bucketType, checked)
	require.True(t, preview["s3Endpoint"].ContainsUnknowns(), "Linode chooses it")
	require.Equal(t, resource.NewProperty("media"), preview["label"])

	bucket := e.mustCreate(bucketType, inputs)
	require.Equal(t, "us-ord:media", bucket.id)
	state := bucket.state.Mappable()
	require.Equal(t, "us-ord-1.linodeobjects.com", state["s3Endpoint"])
	require.Equal(t, "media.us-ord-1.linodeobjects.com", state["hostname"])
	require.Equal(t, "E1", state["endpointType"])
	e.settled(bucket, inputs)
	require.Equal(t, map[string]string{"label": "UPDATE_REPLACE", "region": "UPDATE_REPLACE"},
		e.diff(bucket, with(with(inputs, "label", "other"), "region", "us-east")))

	change := linodego.ObjectStorageBucketUpdateAccessOptions{ACL: linodego.ACLPublicRead}
	require.NoError(t, e.UpdateObjectStorageBucketAccess(t.Context(), "us-ord", "media", change))
	e.refresh(bucket)
	require.Equal(t, map[string]string{"acl": "UPDATE"}, e.diff(bucket, inputs))
	preview = e.previewUpdate(bucket, with(inputs, "corsEnabled", false))
	require.Equal(t, bucket.state["s3Endpoint"], preview["s3Endpoint"], "an update does not move it")
	require.Equal(t, bucket.state["hostname"], preview["hostname"])
	inputs = with(inputs, "corsEnabled", false)
	require.NoError(t, e.update(bucket, inputs))
	e.settled(bucket, inputs)
	access, err := e.GetObjectStorageBucketAccessV2(t.Context(), "us-ord", "media")
	require.NoError(t, err)
	require.Equal(t, linodego.ACLPrivate, access.ACL)
	require.False(t, *access.CorsEnabled)
	change = linodego.ObjectStorageBucketUpdateAccessOptions{CorsEnabled: new(true)}
	require.NoError(t, e.UpdateObjectStorageBucketAccess(t.Context(), "us-ord", "media", change))
	e.refresh(bucket)
	require.Equal(t, map[string]string{"corsEnabled": "UPDATE"}, e.diff(bucket, inputs))
	plain := map[string]any{"label": "media", "region": "us-ord", "acl": "private"}
	healed := &object{bucket.urn, bucket.id, resource.NewPropertyMapFromMap(plain), resource.NewPropertyMapFromMap(plain)}
	e.refresh(healed)
	require.Equal(t, bucket.state["s3Endpoint"], healed.state["s3Endpoint"])
	require.Empty(t, e.diff(healed, plain), "what nobody declares is Linode's to choose")
	another := e.mustCreate(bucketType, with(inputs, "label", "another"))
	require.True(t, another.state["corsEnabled"].BoolValue(), "a creation leaves false out, and Linode lets browsers in")
	_, err = e.create(bucketType, map[string]any{"label": "newer", "region": "gb-lon", "corsEnabled": true})
	require.ErrorContains(t, err, "[cors_enabled] Endpoints of type E3")
	_, err = e.create(bucketType, with(inputs, "versioning", true))
	require.ErrorContains(t, err, "versioning", "what goes over S3 is refused")
	e.gone(bucket)
}

func TestObjectStorageKey(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.bucket("media")
	grant := map[string]any{"bucketName": "media", "region": "us-ord", "permissions": "read_write"}
	inputs := map[string]any{"label": "app", "bucketAccesses": []any{grant}}
	checked, err := e.check(keyType, inputs)
	require.NoError(t, err)
	require.True(t, e.previewCreate(keyType, checked)["secretKey"].ContainsUnknowns())

	key := e.mustCreate(keyType, inputs)
	secret := key.state["secretKey"]
	require.True(t, secret.IsSecret())
	require.Len(t, secret.SecretValue().Element.StringValue(), 40)
	require.Len(t, key.state.Mappable()["accessKey"], 20)
	require.Equal(t, []any{"us-ord"}, key.state.Mappable()["regions"])
	e.settled(key, inputs)
	require.Equal(t, secret, key.state["secretKey"], "the API shows it once")
	require.Equal(t, map[string]string{"bucketAccesses[0].permissions": "UPDATE_REPLACE"},
		e.diff(key, with(inputs, "bucketAccesses", []any{with(grant, "permissions", "read_only")})))

	renamed := with(inputs, "label", "renamed")
	preview := e.previewUpdate(key, renamed)
	require.Equal(t, secret, preview["secretKey"], "an update does not change it")
	require.Equal(t, key.state["accessKey"], preview["accessKey"])
	require.NoError(t, e.update(key, renamed))
	require.Equal(t, secret, key.state["secretKey"])
	e.settled(key, renamed)
	_, err = e.UpdateObjectStorageKey(t.Context(), key.number(), linodego.ObjectStorageKeyUpdateOptions{Label: "by hand"})
	require.NoError(t, err)
	e.refresh(key)
	require.Equal(t, map[string]string{"label": "UPDATE"}, e.diff(key, renamed))

	require.NoError(t, e.DeleteObjectStorageKey(t.Context(), key.number()))
	e.gone(key)
	unlimited := e.mustCreate(keyType, map[string]any{"label": "all"})
	require.Equal(t, false, unlimited.state.Mappable()["limited"])
}

func TestToken(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	inputs := map[string]any{"label": "dns", "scopes": "lke:read_only domains:read_write", "expiry": "2100-01-02T03:04:05Z"}
	checked, err := e.check(tokenType, inputs)
	require.NoError(t, err)
	require.True(t, e.previewCreate(tokenType, checked)["token"].ContainsUnknowns())
	token := e.mustCreate(tokenType, inputs)
	secret := token.state["token"]
	require.True(t, secret.IsSecret())
	require.Len(t, secret.SecretValue().Element.StringValue(), 64)
	require.Equal(t, "2100-01-02T03:04:05Z", token.state.Mappable()["expiry"])
	e.settled(token, inputs)
	require.Equal(t, secret, token.state["token"], "the API shows it once")
	require.Equal(t, map[string]string{"scopes": "UPDATE_REPLACE", "expiry": "DELETE_REPLACE"},
		e.diff(token, map[string]any{"label": "dns", "scopes": "*"}))

	renamed := with(inputs, "label", "renamed")
	require.Equal(t, secret, e.previewUpdate(token, renamed)["token"], "an update does not change it")
	require.NoError(t, e.update(token, renamed))
	require.Equal(t, secret, token.state["token"])
	e.settled(token, renamed)

	require.NoError(t, e.DeleteToken(t.Context(), token.number()))
	e.gone(token)
	forever := e.mustCreate(tokenType, map[string]any{"scopes": "*"})
	require.Equal(t, "2999-12-12T05:00:00Z", forever.state.Mappable()["expiry"])
	_, err = e.create(tokenType, with(inputs, "expiry", "tomorrow"))
	require.ErrorContains(t, err, "expiry: parsing time")
}

func TestFirewall(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	ctx := t.Context()
	rule := map[string]any{
		"label": "https", "action": "ACCEPT", "protocol": "TCP", "ports": "80, 443", "ipv4s": []any{"192.0.2.0/24"},
	}
	inputs := map[string]any{"label": "edge", "inboundPolicy": "DROP", "outboundPolicy": "ACCEPT", "inbounds": []any{rule}}
	firewall := e.mustCreate(firewallType, inputs)
	require.Equal(t, "enabled", firewall.state.Mappable()["status"])
	e.settled(firewall, inputs)

	balancer, err := e.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord", FirewallID: firewall.number()})
	require.NoError(t, err)
	e.refresh(firewall)
	require.Len(t, firewall.state.Mappable()["devices"], 1)
	require.Empty(t, e.diff(firewall, inputs), "what a cloud controller puts behind it is left alone")

	actual, err := e.GetFirewall(ctx, firewall.number())
	require.NoError(t, err)
	actual.Rules.Inbound[0].Ports = "22"
	_, err = e.UpdateFirewallRules(ctx, actual.ID, actual.Rules) // by hand
	require.NoError(t, err)
	e.refresh(firewall)
	require.Equal(t, map[string]string{"inbounds[0].ports": "UPDATE"}, e.diff(firewall, inputs))
	inputs = with(inputs, "disabled", true)
	require.NoError(t, e.update(firewall, inputs))
	e.settled(firewall, inputs)
	actual, err = e.GetFirewall(ctx, firewall.number())
	require.NoError(t, err)
	require.Equal(t, linodego.FirewallDisabled, actual.Status)
	require.Equal(t, "80, 443", actual.Rules.Inbound[0].Ports)
	require.Len(t, actual.Entities, 1)

	other, err := e.CreateNodeBalancer(ctx, linodego.NodeBalancerCreateOptions{Region: "us-ord"})
	require.NoError(t, err)
	inputs = with(inputs, "nodebalancers", []any{other.ID})
	require.NoError(t, e.update(firewall, inputs))
	require.Equal(t, []any{float64(other.ID)}, firewall.state.Mappable()["nodebalancers"], "declared devices are all there is")
	e.settled(firewall, inputs)
	disabled := e.mustCreate(firewallType, with(with(inputs, "label", "off"), "nodebalancers", []any{balancer.ID}))
	require.Equal(t, "disabled", disabled.state.Mappable()["status"])
	e.gone(firewall)
}
