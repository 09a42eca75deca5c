package visitors

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Choose fills in who visits: the sorts that a text names, with commas between them, or where it names none, all that are
// answered. It returns why the others stay away.
func (o *Options) Choose(ctx context.Context, text string) (left []Failure, err error) {
	if text == "" {
		o.Sorts, left, err = answered(ctx, *o)
		switch {
		case err != nil || len(o.Sorts) > 0:
		case len(left) == 0:
			err = errors.New("visitors: nobody came to ask, on a busy machine; try again")
		default:
			err = fmt.Errorf("visitors: nobody is answered at %s: %s", left[0].Station, left[0].Says)
		}
		return left, err
	}
	o.Sorts, err = named(text)
	return nil, err
}

func named(text string) (chosen []Sort, err error) {
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(Sorts, Sort(name)) {
			return nil, fmt.Errorf("%q are no visitors; there are %v", name, Sorts)
		}
		chosen = append(chosen, Sort(name))
	}
	return chosen, nil
}

// Way is how a live sandbox says, in the environment, that its public names are reached, and whose certificates are good. Without
// a file of roots all are.
func Way() (*url.URL, *x509.CertPool, error) {
	address := os.Getenv("REHEARSAL_PROXY")
	if address == "" {
		return nil, nil, errors.New("no live sandbox runs: make sandbox LIVE=1, in another shell")
	}
	proxy, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("REHEARSAL_PROXY: %w", err)
	}
	file := os.Getenv("REHEARSAL_ROOTS")
	if file == "" {
		return proxy, nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("REHEARSAL_ROOTS: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, nil, fmt.Errorf("REHEARSAL_ROOTS: %s has no certificate", file)
	}
	return proxy, roots, nil
}
