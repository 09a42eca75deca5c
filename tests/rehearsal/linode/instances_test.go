package linode_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/linode"
)

func TestLinodesByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	created, err := r.CreateInstance(ctx, linodego.InstanceCreateOptions{
		Label: "name-servers", Region: "us-ord", Type: "g6-nanode-1", Tags: []string{"dns"},
	})
	require.NoError(t, err)
	require.Equal(t, linodego.InstanceProvisioning, created.Status)
	require.Zero(t, created.LKEClusterID)
	require.NotNil(t, created.Backups)
	require.Equal(t, 90, created.Alerts.CPU)
	require.Len(t, created.IPv4, 1)
	_, err = r.WaitForInstanceStatus(ctx, created.ID, linodego.InstanceOffline, 1)
	require.NoError(t, err)
	addresses, err := r.GetInstanceIPAddresses(ctx, created.ID)
	require.NoError(t, err)
	require.Equal(t, created.IPv4[0].String(), addresses.IPv4.Public[0].Address)
	require.Empty(t, addresses.IPv4.Private)
	private, err := r.AddInstanceIPAddress(ctx, created.ID, false)
	require.NoError(t, err)
	require.Regexp(t, `^192\.168\.`, private.Address)

	volume := r.volume("unused", 10)
	_, err = r.AttachVolume(ctx, volume.ID, &linodego.VolumeAttachOptions{LinodeID: created.ID})
	require.NoError(t, err)
	require.NoError(t, r.DeleteVolume(ctx, volume.ID), "its Linode has never run")

	require.NoError(t, r.BootInstance(ctx, created.ID, 0))
	renamed, err := r.UpdateInstance(ctx, created.ID, linodego.InstanceUpdateOptions{Label: "renamed"})
	require.NoError(t, err)
	require.Equal(t, "renamed", renamed.Label)
	require.Equal(t, []string{"dns"}, renamed.Tags)
	require.Equal(t, linodego.InstanceRunning, renamed.Status)
	require.Equal(t, []linode.CostLine{
		{What: "g6-nanode-1 Linodes in us-ord", Count: 1, EachUSD: 5, TotalUSD: 5},
	}, r.api.MonthlyCost())
	require.NoError(t, r.DeleteInstance(ctx, created.ID))

	image, label := "linode/debian13", "renamed"
	for reason, options := range map[string]linodego.InstanceCreateOptions{
		"[region] region is not valid":                        {Region: "us-moon", Type: "g6-nanode-1"},
		"[type] type is not valid":                            {Region: "us-ord", Type: "g6-tiny"},
		"[type] g7-premium-2 is not available in us-east":     {Region: "us-east", Type: "g7-premium-2"},
		"Must provide valid root_pass, authorized_keys, or":   {Region: "us-ord", Type: "g6-nanode-1", Image: image},
		"[label] Must be 3-64":                                {Region: "us-ord", Type: "g6-nanode-1", Label: "-"},
		"[maintenance_policy] Unsupported maintenance policy": {Region: "us-ord", Type: "g6-nanode-1", MaintenancePolicy: &label},
		"[backup_id] backup_id is not simulated":              {Region: "us-ord", Type: "g6-nanode-1", BackupID: 1},
	} {
		_, err := r.CreateInstance(ctx, options)
		require.ErrorContains(t, err, reason)
	}
}

func TestPlansThatOnlySomeRegionsHave(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plans, err := r.GetRegionAvailability(t.Context(), "us-east")
	require.NoError(t, err)
	require.NotNil(t, plans)
	all, err := r.ListRegionsAvailability(t.Context(), nil)
	require.NoError(t, err)
	require.Contains(t, all, linodego.RegionAvailability{Region: "us-east", Plan: "g7-premium-2"})
	require.Contains(t, all, linodego.RegionAvailability{Region: "us-ord", Plan: "g7-premium-2", Available: true})
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *linode.Options) { o.RateLimits = true })
	ask := func(path string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response
	}
	require.Equal(t, "1600", ask("/v4/profile").Header.Get("X-RateLimit-Limit"))
	for range 200 {
		require.Equal(t, http.StatusOK, ask("/v4/domains").StatusCode)
	}
	refused := ask("/v4/domains")
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.Equal(t, "200", refused.Header.Get("X-RateLimit-Limit"))
	require.Equal(t, "0", refused.Header.Get("X-RateLimit-Remaining"))
	seconds, err := strconv.Atoi(refused.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.LessOrEqual(t, seconds, 60)
	require.Equal(t, http.StatusOK, ask("/v4/volumes").StatusCode, "each operation has its own limit")
}
