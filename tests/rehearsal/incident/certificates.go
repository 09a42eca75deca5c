package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linode/linodego"
)

// certificate is what counts of one.
type certificate struct {
	Metadata struct {
		metadata
		Generation int
	}
	Status struct {
		Revision   int
		Conditions []condition
	}
}

// refused says whether the authority has refused to renew it.
func (c *certificate) refused() bool { return has(c.Status.Conditions, "Issuing", "False") }

func (p *platform) certificates(ctx context.Context) ([]certificate, error) {
	var found struct{ Items []certificate }
	err := p.get(ctx, &found, "certificates.cert-manager.io")
	return found.Items, err
}

// renew has all certificates issued anew, and those of public names copied to Fastly.
func (p *platform) renew(ctx context.Context) error {
	before, err := p.askForRenewal(ctx)
	if err != nil {
		return err
	}
	if err := p.await(ctx, func(c *certificate) bool { return c.Status.Revision > before[c.Metadata.metadata] }); err != nil {
		return err
	}
	return p.copyCertificates(ctx)
}

// renewing is what `cmctl renew` writes into the status of a Certificate.
const renewing = `[{"op": "add", "path": "/status/conditions/-", "value": {"type": "Issuing", "status": "True",
	"reason": "ManuallyTriggered", "message": "Certificate re-issuance manually triggered", "lastTransitionTime": %q,
	"observedGeneration": %d}}]`

// askForRenewal asks for all certificates anew, and tells how often each was issued.
func (p *platform) askForRenewal(ctx context.Context) (issued map[metadata]int, err error) {
	all, err := p.certificates(ctx)
	if err != nil {
		return nil, err
	}
	issued = map[metadata]int{}
	for _, c := range all {
		issued[c.Metadata.metadata] = c.Status.Revision
		patch := fmt.Sprintf(renewing, time.Now().UTC().Format(time.RFC3339), c.Metadata.Generation)
		_, err := p.kubectl(ctx, "patch", "certificates.cert-manager.io", c.Metadata.Name, "--namespace", c.Metadata.Namespace,
			"--subresource", "status", "--type", "json", "--patch", patch)
		if err != nil {
			return nil, err
		}
	}
	return issued, nil
}

// await waits until something is true of all certificates.
func (p *platform) await(ctx context.Context, is func(*certificate) bool) error {
	for {
		all, err := p.certificates(ctx)
		if err != nil {
			return err
		}
		missing := 0
		for _, c := range all {
			if !is(&c) {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		if rest(ctx, p.every); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// copyCertificates has certsync run, which would do so within six hours.
func (p *platform) copyCertificates(ctx context.Context) error {
	var found struct{ Items []struct{ Metadata metadata } }
	if err := p.get(ctx, &found, "cronjobs", "--field-selector", "metadata.name="+certsync); err != nil {
		return err
	}
	for _, schedule := range found.Items { // none, where Fastly has certificates of its own
		namespace := schedule.Metadata.Namespace
		job := []string{"--namespace", namespace, "job/" + certsync + "-now"}
		_, err := p.kubectl(ctx, "create", "job", certsync+"-now", "--namespace", namespace, "--from", "cronjob/"+certsync)
		if err == nil {
			_, err = p.kubectl(ctx, append([]string{"wait", "--for", "condition=Complete", "--timeout", "5m"}, job...)...)
		}
		_, ending := p.kubectl(context.WithoutCancel(ctx), append([]string{"delete", "--ignore-not-found"}, job...)...)
		if err := errors.Join(err, ending); err != nil {
			return err
		}
	}
	return nil
}

const certsync = "certsync"

// forbidRenewal has the zones say (CAA) that another authority issues their certificates, and asks for all of them anew.
func (p *platform) forbidRenewal(ctx context.Context) error {
	account, zones, err := zones(ctx)
	if err != nil {
		return err
	}
	for _, zone := range zones {
		tag := "issue"
		_, err := account.CreateDomainRecord(ctx, zone.ID, linodego.DomainRecordCreateOptions{
			Type: linodego.RecordTypeCAA, Target: elsewhere, Tag: &tag,
		})
		if err != nil {
			return fmt.Errorf("forbidding certificates of %s: %w", zone.Domain, err)
		}
	}
	if _, err := p.askForRenewal(ctx); err != nil {
		return err
	}
	return p.await(ctx, (*certificate).refused)
}

// elsewhere is another authority than that of the issuers.
const elsewhere = "authority.example"

// allowRenewal takes the records away. Certificates are then issued when they are tried again.
func (p *platform) allowRenewal(ctx context.Context) error {
	account, zones, err := zones(ctx)
	if err != nil {
		return err
	}
	for _, zone := range zones {
		records, err := account.ListDomainRecords(ctx, zone.ID, nil)
		if err != nil {
			return err
		}
		for _, record := range records {
			if record.Type != linodego.RecordTypeCAA || record.Target != elsewhere {
				continue
			}
			if err := account.DeleteDomainRecord(ctx, zone.ID, record.ID); err != nil {
				return fmt.Errorf("allowing certificates of %s: %w", zone.Domain, err)
			}
		}
	}
	return nil
}

// zones are those of the simulated account.
func zones(ctx context.Context) (*linodego.Client, []linodego.Domain, error) {
	account, err := linodego.NewClientFromEnv(nil)
	if err != nil {
		return nil, nil, err
	}
	zones, err := account.ListDomains(ctx, nil)
	return account, zones, err
}
