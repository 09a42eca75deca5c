package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lke-platform/tests/rehearsal/live/spec"
)

// A live database is read by the app, through the pooler, and again soon after its primary is lost.
func TestALiveDatabaseOutlivesItsPrimary(t *testing.T) {
	e := &estate{options: options{
		root: repository(t, asItIs), stack: "staging", live: true, images: os.Getenv("REHEARSE_IMAGES"),
	}}
	machines, err := startMachines(e.options, nil)
	if err != nil {
		t.Skip(err)
	}
	missing := slices.DeleteFunc([]string{"docker.io/library/traefik", "lke-platform.rehearsal/app", spec.Postgres},
		func(image string) bool { return machines.AtHand(image) != "" })
	require.NoError(t, machines.Close())
	if len(missing) > 0 {
		t.Skip("not at hand, `make images` makes them: ", missing)
	}
	e.bringUp(t)
	before := e.eventuallyReads(t, "")
	pods := e.cluster.CoreV1().Pods("changelog")
	primary := metav1.ListOptions{LabelSelector: "postgres-operator.crunchydata.com/role=master"}
	found, err := pods.List(t.Context(), primary)
	require.NoError(t, err)
	require.Len(t, found.Items, 1)
	require.Equal(t, found.Items[0].Status.PodIP, before)
	now := int64(0)
	require.NoError(t, pods.Delete(t.Context(), found.Items[0].Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	e.eventuallyReads(t, before)
}

// eventuallyReads waits until the app has read from a primary other than one that is lost, and returns its address.
func (e *estate) eventuallyReads(t *testing.T, lost string) (server string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.world.outside.roots())
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: e.world.internet.Address()}),
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	defer client.CloseIdleConnections()
	require.Eventually(t, func() bool {
		var read struct {
			Server, Database string
			Replica          bool
		}
		answer, err := client.Get("https://staging.changelog.com/db")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		err = json.NewDecoder(answer.Body).Decode(&read)
		server = read.Server
		return err == nil && answer.StatusCode == http.StatusOK && read.Database == "changelog" && !read.Replica && server != lost
	}, 2*time.Minute, 250*time.Millisecond)
	return server
}
