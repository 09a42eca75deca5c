// Command records tells which records have to be set by hand, in zones at other DNS providers, and whether public DNS has them.
// `make records` calls it, and so does `make up`; docs/components/dns.md describes it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"lke-platform/cmd/internal/command"
	"lke-platform/components/dns"
	"lke-platform/components/dns/public"
)

func main() {
	stack := flag.String("stack", "", "the stack, which has been brought up")
	flag.Parse()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	err := run(ctx, *stack, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "records:", err)
		os.Exit(1)
	}
}

// run prints the stack's records, each with what public DNS says. The error is that some are not as they should be.
func run(ctx context.Context, stack string, out io.Writer) error {
	records, err := wanted(ctx, stack)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		_, err := fmt.Fprintln(out, "There is nothing to set by hand: no zone of the stack is at another provider.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "STATE\tNAME\tTYPE\tVALUE\tWHY")
	bad := 0
	for _, record := range records {
		state := look(ctx, record)
		if state != "set" {
			bad++
		}
		for i, value := range record.Values {
			if i > 0 {
				state, record.Why = "", ""
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", state, record.Name, record.Type, value, record.Why)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d are not as they should be; set them at the provider of the zone, from the top",
			bad, len(records))
	}
	return nil
}

// wanted are the records that the stack's last `up` told.
func wanted(ctx context.Context, stack string) ([]dns.ByHand, error) {
	text, err := command.Output(ctx, nil, "pulumi", "stack", "output", "--stack", stack, "--json")
	if err != nil {
		return nil, err
	}
	var outputs struct {
		Records []dns.ByHand `json:"dnsRecords"`
	}
	if err := json.Unmarshal(text, &outputs); err != nil {
		return nil, fmt.Errorf("pulumi stack output: %w", err)
	}
	return outputs.Records, nil
}

// look says whether public DNS has a record.
func look(ctx context.Context, record dns.ByHand) string {
	found, err := public.Ask(ctx, record.Zone, record.Name, record.Type)
	values := slices.Clone(record.Values)
	for i, value := range values {
		if address, err := netip.ParseAddr(value); err == nil {
			values[i] = address.String() // in the one form
		}
	}
	slices.Sort(values)
	switch {
	case err != nil:
		return "unknown (" + err.Error() + ")"
	case slices.Equal(found, values):
		return "set"
	case len(found) == 0:
		return "missing"
	}
	return "wrong (" + strings.Join(found, ", ") + ")"
}
