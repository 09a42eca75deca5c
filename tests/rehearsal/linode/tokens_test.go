package linode_test

import (
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	created, err := r.CreateToken(ctx, linodego.TokenCreateOptions{Label: "dns", Scopes: "lke:read_only,domains:read_write"})
	require.NoError(t, err)
	require.Len(t, created.Token, 64)
	require.Equal(t, "domains:read_write lke:read_only", created.Scopes)
	require.Equal(t, 2999, created.Expiry.Year(), "it never expires")
	shown, err := r.GetToken(ctx, created.ID)
	require.NoError(t, err)
	require.Equal(t, created.Token[:16], shown.Token, "the rest is shown once")
	shown, err = r.UpdateToken(ctx, created.ID, linodego.TokenUpdateOptions{Label: "renamed"})
	require.NoError(t, err)
	require.Equal(t, "renamed", shown.Label)
	require.Len(t, shown.Token, 16)

	for reason, options := range map[string]linodego.TokenCreateOptions{
		"[scopes] scopes is required":                      {Label: "x"},
		"[scopes] Invalid OAuth scope: domains:write":      {Label: "x", Scopes: "domains:write"},
		"[expiry] Must be a time in the future, such as 2": {Label: "x", Scopes: "*", Expiry: new(time.Now().Add(-time.Hour))},
	} {
		_, err := r.CreateToken(ctx, options)
		require.ErrorContains(t, err, reason)
	}
}

func TestATokenIsGoodForItsScopesUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	zone := r.zone("example.com")
	client := func(scopes string) (*linodego.Client, int) {
		created, err := r.CreateToken(ctx, linodego.TokenCreateOptions{Label: "it", Scopes: scopes})
		require.NoError(t, err)
		client := linodego.NewClient(nil)
		client.SetBaseURL(r.url)
		client.SetToken(created.Token)
		return &client, created.ID
	}
	dns, id := client("domains:read_write")
	record := linodego.DomainRecordCreateOptions{Type: "TXT", Name: "_acme-challenge", Target: "x"}
	_, err := dns.CreateDomainRecord(ctx, zone.ID, record)
	require.NoError(t, err)
	_, err = dns.ListRegions(ctx, nil)
	require.NoError(t, err, "regions are public")
	_, err = dns.ListInstances(ctx, nil)
	require.EqualError(t, err, "[401] Your OAuth token is not authorized to use this endpoint.")
	reader, _ := client("domains:read_only")
	_, err = reader.ListDomains(ctx, nil)
	require.NoError(t, err)
	_, err = reader.CreateDomainRecord(ctx, zone.ID, record)
	require.ErrorContains(t, err, "not authorized")
	full, _ := client("*")
	_, err = full.ListInstances(ctx, nil)
	require.NoError(t, err)

	require.NoError(t, r.DeleteToken(ctx, id))
	_, err = dns.ListDomains(ctx, nil)
	require.EqualError(t, err, "[401] Invalid Token")
}
