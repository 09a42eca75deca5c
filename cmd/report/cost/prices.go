// Package cost tells what a platform costs a month at Linode's list price.
package cost

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// recorded is the list of the day that it names. Written by: go run ./cmd/report prices
//
//go:embed prices.json
var recorded []byte

// Prices are a list of them, in USD a month.
type Prices struct {
	// Date is when Linode said so.
	Date string `json:"date"`
	// Types of nodes, control planes, NodeBalancers, volumes (of which one GB has a price) and Object Storage.
	Nodes         []Priced `json:"linode/types"`
	ControlPlanes []Priced `json:"lke/types"`
	NodeBalancers []Priced `json:"nodebalancers/types"`
	Volumes       []Priced `json:"volumes/types"`
	ObjectStorage []Priced `json:"object-storage/types"`
}

// Priced is something that has a price, which can be another one in some regions.
type Priced struct {
	ID           string        `json:"id"`
	Price        Price         `json:"price"`
	RegionPrices []RegionPrice `json:"region_prices"`
}

// Price is that of a month.
type Price struct {
	Monthly float64 `json:"monthly"`
}

// RegionPrice is that of a month in one region.
type RegionPrice struct {
	ID string `json:"id"`
	Price
}

// Recorded is the list that comes with the program.
func Recorded() (*Prices, error) {
	p := &Prices{}
	if err := json.Unmarshal(recorded, p); err != nil {
		return nil, fmt.Errorf("cost: reading the list of prices: %w", err)
	}
	return p, nil
}

// patience is how long Linode may take to answer.
const patience = 5 * time.Second

// Ask takes the list from Linode, which wants no token for it. api is the address of Linode's API, https://api.linode.com/v4.
// Upstream: https://techdocs.akamai.com/linode-api/reference/get-linode-types
func Ask(ctx context.Context, api string) (*Prices, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	p := &Prices{Date: time.Now().UTC().Format(time.DateOnly)}
	questions, ctx := errgroup.WithContext(ctx)
	for path, items := range map[string]*[]Priced{
		"linode/types": &p.Nodes, "lke/types": &p.ControlPlanes, "nodebalancers/types": &p.NodeBalancers,
		"volumes/types": &p.Volumes, "object-storage/types": &p.ObjectStorage,
	} {
		questions.Go(func() (err error) {
			*items, err = ask(ctx, strings.TrimSuffix(api, "/")+"/"+path+"?page_size=500")
			return err
		})
	}
	if err := questions.Wait(); err != nil {
		return nil, fmt.Errorf("cost: asking Linode for prices: %w", err)
	}
	return p, nil
}

func ask(ctx context.Context, url string) ([]Priced, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	const most = 4 << 20
	var page struct{ Data []Priced }
	if err := json.NewDecoder(io.LimitReader(response.Body, most)).Decode(&page); err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if len(page.Data) == 0 {
		return nil, fmt.Errorf("%s: the list is empty", url)
	}
	return page.Data, nil
}

// Monthly is the price of something in a region, by its ID in a list of Prices.
func Monthly(items []Priced, id, region string) (usd float64, known bool) {
	i := slices.IndexFunc(items, func(item Priced) bool { return item.ID == id })
	if i < 0 {
		return 0, false
	}
	for _, other := range items[i].RegionPrices {
		if other.ID == region {
			return other.Monthly, true
		}
	}
	return items[i].Price.Monthly, true
}
