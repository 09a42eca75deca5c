package linode_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linode/linodego"
	"github.com/stretchr/testify/require"

	"lke-platform/tests/rehearsal/simulation"
)

func TestClientsFindTheAPIByEnvironment(t *testing.T) {
	r := newRig(t)
	t.Setenv("LINODE_URL", r.url)
	for _, version := range []string{"v4", "v4beta"} {
		t.Setenv("LINODE_API_VERSION", version)
		client := linodego.NewClient(nil)
		client.SetToken(token)
		profile, err := client.GetProfile(t.Context())
		require.NoError(t, err)
		require.Equal(t, "rehearsal", profile.Username)
		_, err = client.GetAccount(t.Context())
		require.NoError(t, err)
	}
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	regions, err := r.ListRegions(ctx, nil)
	require.NoError(t, err)
	offered := map[string][]string{}
	for _, region := range regions {
		offered[region.ID] = region.Capabilities
	}
	for _, id := range []string{"us-east", "us-ord", "eu-central", "id-cgk", "br-gru"} {
		require.Subset(t, offered[id], []string{"Kubernetes", "Block Storage", "NodeBalancers", "Object Storage"}, id)
	}
	region, err := r.GetRegion(ctx, "us-ord")
	require.NoError(t, err)
	require.Equal(t, "Chicago, IL", region.Label)

	types, err := r.ListTypes(ctx, linodego.NewListOptions(100, "")) // as the Terraform provider does to test its token
	require.NoError(t, err)
	require.Empty(t, types, "there is no page 100")
	plan, err := r.GetType(ctx, "g6-standard-2")
	require.NoError(t, err)
	require.Equal(t, 4096, plan.Memory)
	require.InDelta(t, 24, plan.Price.Monthly, 0)
	require.NotNil(t, plan.Addons.Backups.Price)
	require.InDelta(t, 33.6, plan.RegionPrices[1].Monthly, 0.001)

	versions, err := r.ListLKEVersions(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, []linodego.LKEVersion{{ID: "1.36"}, {ID: "1.35"}, {ID: "1.34"}, {ID: "1.33"}}, versions)
	_, err = r.GetLKEVersion(ctx, "1.1")
	require.True(t, linodego.IsNotFound(err), err)
	tiers, err := r.ListLKETierVersions(ctx, "enterprise", nil)
	require.NoError(t, err)
	require.Equal(t, linodego.LKEVersionEnterprise, tiers[0].Tier)
	_, err = r.GetLKETierVersion(ctx, "enterprise", tiers[0].ID)
	require.NoError(t, err)

	lke, err := r.ListLKETypes(ctx, nil)
	require.NoError(t, err)
	require.InDelta(t, 60, lke[1].Price.Monthly, 0)
	balancers, err := r.ListNodeBalancerTypes(ctx, nil)
	require.NoError(t, err)
	require.InDelta(t, 10, balancers[0].Price.Monthly, 0)
	volumes, err := r.ListVolumeTypes(ctx, nil)
	require.NoError(t, err)
	require.InDelta(t, 0.1, volumes[0].Price.Monthly, 0.0001)
	transfer, err := r.ListNetworkTransferPrices(ctx, nil)
	require.NoError(t, err)
	require.Len(t, transfer, 2)
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cluster("many", 60)
	options := &linodego.ListOptions{PageSize: 25}
	instances, err := r.ListInstances(t.Context(), options)
	require.NoError(t, err)
	require.Len(t, instances, 60)
	require.Equal(t, 3, options.Pages)
	require.Equal(t, 60, options.Results)
	last, err := r.ListInstances(t.Context(), &linodego.ListOptions{PageSize: 25, PageOptions: &linodego.PageOptions{Page: 3}})
	require.NoError(t, err)
	require.Equal(t, instances[50:], last)
	_, err = r.ListInstances(t.Context(), &linodego.ListOptions{PageSize: 10})
	require.ErrorContains(t, err, "[400] [page_size] Must be 25-500")
}

func TestFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for filter, want := range map[string]string{
		`{"id":"g6-standard-2"}`:                                                           "g6-standard-2",
		`{"class":"nanode"}`:                                                               "g6-nanode-1",
		`{"id":{"+contains":"rtx"},"memory":{"+lte":65536}}`:                               "g1-gpu-rtx6000-1 g1-gpu-rtx6000-2",
		`{"class":"standard","+order_by":"memory","vcpus":{"+gt":20}}`:                     "g6-standard-24 g6-standard-32",
		`{"class":"highmem","+order_by":"id","memory":{"+lt":50000}}`:                      "g7-highmem-1 g7-highmem-2",
		`{"class":"highmem","+order_by":"memory","+order":"desc","memory":{"+gte":90000}}`: "g7-highmem-16 g7-highmem-8 g7-highmem-4",
		`{"+or":[{"id":"g6-nanode-1"},{"+and":[{"vcpus":2},{"class":"premium"}]}]}`:        "g6-nanode-1 g7-premium-2",
		`{"price.monthly":{"+gte":5000}}`:                                                  "g7-premium-64",
		`{"region_prices":{"+eq":"none"}}`:                                                 "",
	} {
		types, err := r.ListTypes(t.Context(), &linodego.ListOptions{Filter: filter})
		require.NoError(t, err, filter)
		var ids []string
		for _, plan := range types {
			ids = append(ids, plan.ID)
		}
		require.Equal(t, want, strings.Join(ids, " "), filter)
	}
	regions, err := r.ListRegions(t.Context(), &linodego.ListOptions{Filter: `{"capabilities":"Kubernetes","country":"br"}`})
	require.NoError(t, err)
	require.Len(t, regions, 1, "one element of a list is enough")

	for filter, reason := range map[string]string{
		`{"idd":"x"}`:             "[X-Filter] Cannot filter on idd",
		`{"+order_by":"nothing"}`: "[X-Filter] Cannot filter on nothing",
		`{"id":{"+like":"x"}}`:    "[X-Filter] Unknown operator +like",
		`{"+xor":[]}`:             "[X-Filter] Unknown operator +xor",
		`{"+and":[{"idd":"x"}]}`:  "[X-Filter] Cannot filter on idd",
		`{`:                       "[X-Filter] Invalid JSON",
	} {
		_, err := r.ListTypes(t.Context(), &linodego.ListOptions{Filter: filter})
		require.ErrorContains(t, err, reason)
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v4/lke/clusters/1", "", 404, `[{"reason":"Not found"}]`},
		{"GET", "/v4beta/lke/clusters/1/pools/1", "", 404, `[{"reason":"Not found"}]`},
		{"GET", "/v4/managed/services", "", 404, `[{"reason":"Not found"}]`},
		{"POST", "/v4/regions", "{}", 404, `[{"reason":"Not found"}]`},
		{"POST", "/v4/lke/clusters", "{", 400, `[{"reason":"Invalid JSON"}]`},
		{"POST", "/v4/lke/clusters", `{"label":7}`, 400, `[{"field":"label","reason":"Expected string, not number"}]`},
	} {
		status, answer := r.request(test.method, test.path, test.body)
		require.Equal(t, test.status, status, test.path)
		require.Equal(t, `{"errors":`+test.want+`}`, answer)
	}
	r.SetToken("guessed")
	_, err := r.GetProfile(t.Context())
	require.EqualError(t, err, "[401] Invalid Token")
	require.Contains(t, r.log.String(), "path=/managed/services", "what is not simulated leaves a trace")
}

func TestFaultsOnDemand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fault := func(fault simulation.Fault) { require.NoError(t, r.api.Faults.Add(fault)) }

	fault(simulation.Fault{Path: "/profile$", Status: http.StatusTooManyRequests, Times: 2})
	_, err := r.GetProfile(t.Context())
	require.NoError(t, err, "linodego tries again after a 429")
	fault(simulation.Fault{Path: "/profile$", Status: http.StatusServiceUnavailable, Times: 2})
	_, err = r.GetProfile(t.Context())
	require.NoError(t, err, "and after a 503")
	fault(simulation.Fault{Path: "/profile$", Status: http.StatusInternalServerError, Times: 1})
	_, err = r.GetProfile(t.Context())
	require.EqualError(t, err, "[500] Internal Server Error", "but not after a 500")

	start := time.Now()
	fault(simulation.Fault{Method: http.MethodGet, DelayMS: 30, Times: 1})
	_, err = r.GetProfile(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)

	body := strings.NewReader(fmt.Sprintf(`[{"path":"/account$","status":%d}]`, http.StatusBadGateway))
	response, err := http.Post(r.url+simulation.FaultsPath, "application/json", body) // as from a shell, without a token
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	_, err = r.GetAccount(t.Context())
	require.EqualError(t, err, "[502] Bad Gateway")
}
