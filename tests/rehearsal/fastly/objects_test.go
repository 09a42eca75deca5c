package fastly

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fastly/go-fastly/v12/fastly"
	"github.com/stretchr/testify/require"
)

// Every kind of object is created, listed, read, updated and deleted with go-fastly, with every field that go-fastly can
// set, and each field comes back as it was set.
func TestEveryKindOfObject(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	svc, err := c.CreateService(t.Context(), &fastly.CreateServiceInput{Name: ptr("objects"), Type: ptr("vcl")})
	require.NoError(t, err)
	tests := map[string]string{ // go-fastly's name of a kind, and its plural where that is not just an s more
		"Domain": "", "HealthCheck": "", "Condition": "", "Backend": "", "Director": "", "Header": "", "Gzip": "", "ERL": "",
		"ResponseObject": "", "RequestSetting": "", "VCL": "", "Snippet": "", "CacheSetting": "", "ACL": "",
		"Dictionary": "Dictionaries", "BlobStorage": "", "BigQuery": "BigQueries", "Cloudfiles": "Cloudfiles", "Datadog": "Datadog",
		"DigitalOcean": "", "Elasticsearch": "Elasticsearch", "FTP": "", "GCS": "GCSs", "GrafanaCloudLogs": "GrafanaCloudLogs",
		"Heroku": "", "Honeycomb": "", "HTTPS": "HTTPS", "Kafka": "", "Kinesis": "Kinesis", "Logentries": "Logentries",
		"Loggly": "Loggly", "Logshuttle": "", "NewRelic": "NewRelic", "NewRelicOTLP": "NewRelicOTLP", "Openstack": "Openstack",
		"Papertrail": "", "Pubsub": "", "S3": "S3s", "Scalyr": "", "SFTP": "", "Splunk": "", "Sumologic": "", "Syslog": "",
	}
	require.Len(t, tests, len(kinds), "every kind of the table is tested")
	for name, plural := range tests {
		if plural == "" {
			plural = name + "s"
		}
		t.Run(name, func(t *testing.T) {
			o := objectTest{t: t, client: reflect.ValueOf(c), service: *svc.ServiceID, kind: kindNamed(name)}
			created := o.input("Create"+name, 1)
			created.Elem().FieldByName("Name").Set(reflect.ValueOf(ptr(nameOf(name))))
			answer := o.call("Create"+name, created)
			o.requireSame(created, answer)
			list := o.call("List"+plural, o.input("List"+plural, 0))
			require.Equal(t, 1, list.Len())
			o.requireSame(created, list.Index(0).Elem())

			updated := o.input("Update"+name, 2)
			o.identify(updated, answer)
			o.requireSame(updated, o.call("Update"+name, updated))
			get := o.input("Get"+name, 2)
			o.identify(get, answer)
			read := o.call("Get"+name, get)
			o.requireSame(updated, read)
			require.WithinDuration(t, time.Now(), *member(read, "CreatedAt").(*time.Time), time.Minute)

			remove := o.input("Delete"+name, 2)
			o.identify(remove, answer)
			o.call("Delete"+name, remove)
			_, err := o.try("Get"+name, get)
			require.ErrorContains(t, err, "404 - Not Found")
			require.ErrorContains(t, err, "Record not found")
		})
	}
}

// nameOf returns a valid name for an object, which has to be escaped in a path where the kind allows that.
func nameOf(kind string) string {
	switch kind {
	case "Domain":
		return "www.example.com"
	case "ACL", "Dictionary":
		return "some name"
	default:
		return "some/name?"
	}
}

// objectTest calls go-fastly's methods by their names, as all kinds have methods of the same form.
type objectTest struct {
	t       *testing.T
	client  reflect.Value
	service string
	kind    *kind
}

// kindNamed returns the kind that go-fastly gives a name.
func kindNamed(name string) *kind {
	paths := map[string]string{"BlobStorage": "logging/azureblob", "CacheSetting": "cache_settings", "ERL": "rate-limiters",
		"RequestSetting": "request_settings", "ResponseObject": "response_object"}
	for _, k := range kinds {
		if k.path == paths[name] || strings.TrimPrefix(k.path, "logging/") == strings.ToLower(name) {
			return k
		}
	}
	return nil
}

// input returns the input of a method with all its fields set to values that depend on the seed.
func (o *objectTest) input(method string, seed int) reflect.Value {
	o.t.Helper()
	m := o.client.MethodByName(method)
	require.True(o.t, m.IsValid(), method)
	input := reflect.New(m.Type().In(1).Elem())
	for i := range input.Elem().NumField() {
		f, v := input.Elem().Type().Field(i), input.Elem().Field(i)
		switch f.Name {
		case "ServiceID":
			v.SetString(o.service)
		case "ServiceVersion":
			v.SetInt(1)
		case "NewName", "Dynamic", "GzipLevel", "IAMRole", "IPV4": // what excludes other fields has tests of its own
		default:
			if f.Tag.Get("url") != "-" && v.Kind() == reflect.Pointer {
				v.Set(reflect.New(v.Type().Elem()))
				api, _, _ := strings.Cut(f.Tag.Get("url"), ",")
				if allowed := o.kind.fields[api].allowed; len(allowed) == 0 {
					sample(v.Elem(), f.Name, seed)
				} else if api == o.kind.frozen {
					set(v.Elem(), allowed[0])
				} else {
					set(v.Elem(), allowed[seed%len(allowed)])
				}
			}
		}
	}
	return input
}

// set sets one of the values that a field allows.
func set(v reflect.Value, value string) {
	if v.Kind() == reflect.String {
		v.SetString(value)
		return
	}
	n, _ := strconv.Atoi(value) // what is no text is a number
	v.SetInt(int64(n))
}

// sample sets a value that suits a field's type and name.
func sample(v reflect.Value, name string, seed int) {
	switch v.Kind() {
	case reflect.String:
		switch name {
		case "Address", "Hostname", "OverrideHost":
			v.SetString(fmt.Sprintf("origin-%d.example.com", seed))
		case "Priority":
			v.SetString(strconv.Itoa(seed))
		case "Region":
			v.SetString([]string{"us", "eu"}[seed%2])
		default:
			v.SetString(fmt.Sprintf("%s %d", name, seed))
		}
	case reflect.Int:
		v.SetInt(int64(40 + seed))
	case reflect.Bool:
		v.SetBool(seed%2 == 1)
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{fmt.Sprintf("X-A: %d", seed), "X-B: b"}))
	case reflect.Struct:
		for i := range v.NumField() {
			part := v.Field(i)
			part.Set(reflect.New(part.Type().Elem()))
			sample(part.Elem(), v.Type().Field(i).Name, seed)
		}
	}
}

// identify makes an input name the object that was created.
func (o *objectTest) identify(input, created reflect.Value) {
	if id := input.Elem().FieldByName("ERLID"); id.IsValid() {
		id.SetString(*member(created, "RateLimiterID").(*string))
	} else {
		input.Elem().FieldByName("Name").SetString(*member(created, "Name").(*string))
	}
}

func (o *objectTest) try(method string, input reflect.Value) (reflect.Value, error) {
	results := o.client.MethodByName(method).Call([]reflect.Value{reflect.ValueOf(o.t.Context()), input})
	err, _ := results[len(results)-1].Interface().(error)
	return reflect.Indirect(results[0]), err
}

func (o *objectTest) call(method string, input reflect.Value) reflect.Value {
	o.t.Helper()
	answer, err := o.try(method, input)
	require.NoError(o.t, err, method)
	return answer
}

// requireSame compares all fields that were sent with those that came back; the tags of both say their names in the API.
func (o *objectTest) requireSame(input, answer reflect.Value) {
	o.t.Helper()
	received := map[string]any{}
	for i := range answer.NumField() {
		received[answer.Type().Field(i).Tag.Get("mapstructure")] = answer.Field(i).Interface()
	}
	for i := range input.Elem().NumField() {
		f, v := input.Elem().Type().Field(i), input.Elem().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("url"), ",")
		if name == "" || name == "-" || v.Kind() != reflect.Pointer || v.IsNil() {
			continue
		}
		name = strings.TrimSuffix(name, "[]")
		require.Contains(o.t, received, name, "%s has no field %s", answer.Type(), name)
		require.Equal(o.t, show(v.Interface()), show(received[name]), name)
	}
}

// show writes what pointers point at, so that values of different types can be compared.
func show(value any) string {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return "nothing"
	case v.Kind() == reflect.Pointer:
		return show(v.Elem().Interface())
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = show(v.Index(i).Interface())
		}
		return strings.Join(items, ", ")
	case v.Kind() == reflect.Struct:
		parts := make([]string, v.NumField())
		for i := range parts {
			parts[i] = v.Type().Field(i).Name + "=" + show(v.Field(i).Interface())
		}
		return strings.Join(parts, " ")
	default:
		return fmt.Sprint(value)
	}
}

func member(v reflect.Value, name string) any { return v.FieldByName(name).Interface() }

func ptr[T any](value T) *T { return &value }
