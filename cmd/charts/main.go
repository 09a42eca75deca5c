// Command charts puts the archives of all pinned charts beside the stack and holds them against their digests. It changes nothing
// where they are there. `make charts` calls it, from the top of the repository.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"sync"
	"time"

	"lke-platform/components/charts/archive"
)

// list is the one list of charts. It is read and not imported: that would compile all of Pulumi's SDK first.
const list = "components/charts/charts.go"

func main() {
	frozen := flag.Bool("frozen", false, "record no digest that is missing, but fail")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	f := &fetcher{client: &http.Client{Timeout: 2 * time.Minute}, frozen: *frozen}
	err := f.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pin is a chart of the list.
type pin struct {
	name, repository, version, sha256 string
	// list is the file that the chart is pinned in, and at is where in it the digest stands, if that can be written there.
	list string
	at   int
}

func (p *pin) String() string { return p.name + " " + p.version }

// file is where the archive is, or will be.
func (p *pin) file() string { return archive.Path(p.name, p.version) }

// pinned is a chart as it stands in the list.
var pinned = regexp.MustCompile(`Chart\{"([^"]+)", "([^"]*)", "([^"]+)",\s+"([0-9a-f]*)"\}`)

// fetcher fetches what is missing.
type fetcher struct {
	client *http.Client
	frozen bool
}

// run has all charts at hand, and records the digests of those that have none yet.
func (f *fetcher) run(ctx context.Context) error {
	source, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	var pins []*pin
	for _, m := range pinned.FindAllSubmatchIndex(source, -1) {
		text := func(group int) string { return string(source[m[2*group]:m[2*group+1]]) }
		pins = append(pins, &pin{name: text(1), repository: text(2), version: text(3), sha256: text(4), list: list, at: m[8]})
	}
	own, err := stackPins()
	if err != nil {
		return err
	}
	pins = append(pins, own...)
	faults, digests := make([]error, len(pins)), make([]string, len(pins))
	// Stacks may list the same chart, whose archive is downloaded once and then held against the digest of each.
	files := map[string][]int{}
	for i, p := range pins {
		files[p.file()] = append(files[p.file()], i)
	}
	var all sync.WaitGroup
	for _, same := range files {
		all.Go(func() {
			for _, i := range same {
				digests[i], faults[i] = f.have(ctx, pins[i])
			}
		})
	}
	all.Wait()
	// From behind, so that the places before stay where they are.
	for i, p := range slices.Backward(pins) {
		if p.sha256 != "" || faults[i] != nil {
			continue
		}
		if p.list != list {
			faults[i] = fmt.Errorf("charts: %s: write its digest into %s: sha256: %s", p, p.list, digests[i])
		} else {
			source = slices.Insert(source, p.at, []byte(digests[i])...)
			fmt.Printf("charts: recorded sha256 %s of %s in %s; commit it\n", digests[i], p, list)
			err = os.WriteFile(list, source, 0o644)
		}
	}
	return errors.Join(append(faults, err)...)
}

// have downloads a chart that is not there, and returns the digest of its archive, which is the right one.
func (f *fetcher) have(ctx context.Context, p *pin) (string, error) {
	file := p.file()
	digest, err := archive.Digest(file)
	if err == nil {
		return digest, f.check(p, file, digest)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("charts: %s: %w", p, err)
	}
	origin, content, err := f.download(ctx, p)
	if err != nil {
		return "", fmt.Errorf("charts: %s: %w", p, err)
	}
	sum := sha256.Sum256(content)
	digest = hex.EncodeToString(sum[:])
	if p.sha256 != "" && p.sha256 != digest {
		return "", f.check(p, origin, digest)
	}
	// In one step: an archive that is there is whole.
	part := file + ".part"
	if err := os.MkdirAll(archive.Folder, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(part, content, 0o644); err != nil {
		return "", err
	}
	if err := os.Rename(part, file); err != nil {
		return "", err
	}
	fmt.Printf("charts: downloaded %s from %s\n", p, origin)
	return digest, f.check(p, file, digest)
}

// check says what is wrong with the digest of an archive.
func (f *fetcher) check(p *pin, where, digest string) error {
	switch {
	case p.sha256 == "" && f.frozen:
		return fmt.Errorf("charts: %s: %s pins no digest, %s has sha256 %s: run `make charts` and commit what it records",
			p, p.list, where, digest)
	case p.sha256 != "" && p.sha256 != digest:
		return fmt.Errorf("charts: %s: %s has sha256 %s, and %s pins %s: this is not the chart that was reviewed",
			p, where, digest, p.list, p.sha256)
	}
	return nil
}
