package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// sums has the digests of official releases, each with the address of one. A version that is pinned anew is at another address,
// and has no digest until it is recorded: the old one cannot be taken for its.
const sums = "tools/releases.sum"

const aboutSums = `# SHA-256 of the official releases that the tool-chain is installed from. One that is not here is not used, and
# its program is built. "make releases" records what is missing, and drops what is pinned no more.
`

var sumLine = regexp.MustCompile(`^([0-9a-f]{64})  (https://\S+)$`)

// machines are those that digests are recorded for: the operating system, and the processor.
var machines = [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}

// recorded are the digests by address.
func (t *toolchain) recorded() (map[string]string, error) {
	content, err := os.ReadFile(filepath.Join(t.root, sums))
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		match := sumLine.FindStringSubmatch(line)
		if match == nil {
			return nil, fmt.Errorf("%s has a line that is no digest: %s", sums, line)
		}
		digests[match[2]] = match[1]
	}
	return digests, nil
}

// record downloads the releases that have no digest yet, for all machines, and holds the digests of all against those that their
// publishers list.
func (t *toolchain) record(ctx context.Context) error {
	known, err := t.recorded()
	if err != nil {
		return err
	}
	var faults []error
	text := bytes.NewBufferString(aboutSums)
	for _, p := range programs {
		version, err := t.pinned(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		for _, machine := range machines {
			p := p.at(version, machine[0], machine[1])
			if p.release == "" {
				continue
			}
			digest, err := t.digest(ctx, p, known[p.release])
			faults = append(faults, err)
			if digest == "" {
				continue
			}
			fmt.Fprintf(text, "%s  %s\n", digest, p.release)
			if known[p.release] == "" {
				t.say("recorded sha256 %s of %s in %s; commit it", digest, p.release, sums)
			}
		}
	}
	return errors.Join(append(faults, os.WriteFile(filepath.Join(t.root, sums), text.Bytes(), 0o644))...)
}

// digest is that of a release, or none where its publisher says another. Where he cannot be asked the one that is known stays.
func (t *toolchain) digest(ctx context.Context, p program, known string) (string, error) {
	published, err := t.publishedDigest(ctx, p)
	if err != nil {
		return known, err
	}
	digest := known
	if digest == "" {
		if digest, err = t.download(ctx, p.release, io.Discard); err != nil {
			return "", err
		}
	}
	if published != "" && published != digest {
		return "", fmt.Errorf("%s has sha256 %s, and its publisher lists %s", p.release, digest, published)
	}
	return digest, nil
}

// publishedDigest is the one that the publisher of a release lists beside it; empty if he lists none.
func (t *toolchain) publishedDigest(ctx context.Context, p program) (string, error) {
	if p.published == "" {
		return "", nil
	}
	folder, file := path.Split(p.release)
	var list bytes.Buffer
	if _, err := t.download(ctx, folder+p.published, &list); err != nil {
		return "", err
	}
	for line := range strings.Lines(list.String()) {
		// Kubernetes lists a digest alone, in a file for each program.
		fields := strings.Fields(line)
		if len(fields) == 1 || len(fields) == 2 && strings.TrimLeft(fields[1], "*./") == file {
			return fields[0], nil
		}
	}
	return "", fmt.Errorf("%s does not list %s", folder+p.published, file)
}
