package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// leftAlone is how long a host that did not answer is not asked again: each program would wait for it anew.
const leftAlone = 10 * time.Minute

// fetch puts the official release of a program into .bin, whole and of the digest that is recorded, or says why it did not.
func (t *toolchain) fetch(ctx context.Context, p program) error {
	switch {
	case t.offline:
		return errors.New("OFFLINE is set")
	case p.release == "":
		return fmt.Errorf("no official release is used for %s/%s", t.system, t.processor)
	}
	digests, err := t.recorded()
	if err != nil {
		return err
	}
	wanted := digests[p.release]
	if wanted == "" {
		return fmt.Errorf("%s has no digest of its release (make releases records it)", sums)
	}
	if t.isSilent(p.release) {
		return fmt.Errorf("%s did not answer just now", hostOf(p.release))
	}
	folder, err := os.MkdirTemp(t.bin(""), "."+filepath.Base(p.name)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	release, whole := filepath.Join(folder, "release"), filepath.Join(folder, filepath.Base(p.name))
	digest, err := t.save(ctx, p.release, release)
	switch {
	case err != nil:
		return err
	case digest != wanted:
		return fmt.Errorf("%s has sha256 %s, and %s has %s", p.release, digest, sums, wanted)
	}
	if err := unpack(release, p, whole); err != nil {
		return fmt.Errorf("unpacking %s: %w", p.release, err)
	}
	if p.plugin { // its folder is what the engine goes by, so that it is there at once, with all that is in it
		return errors.Join(os.Remove(release), os.Rename(folder, filepath.Dir(t.bin(p.name))))
	}
	// It may be for another machine than this, or a digest may have been recorded of something else.
	if err := p.suits(ctx, whole); err != nil {
		return fmt.Errorf("%s does not suit: %w", p.release, err)
	}
	return os.Rename(whole, t.bin(p.name)) // in one step: what is there is whole
}

// save downloads into a file, and returns the digest of that.
func (t *toolchain) save(ctx context.Context, from, file string) (digest string, err error) {
	target, err := os.Create(file)
	if err != nil {
		return "", err
	}
	digest, err = t.download(ctx, from, target)
	return digest, errors.Join(err, target.Close())
}

// download copies what is at a URL, and returns its digest. A host that does not answer is noted.
func (t *toolchain) download(ctx context.Context, from string, to io.Writer) (digest string, err error) {
	watched, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	silent := func(err error) error {
		if ctx.Err() == nil {
			t.noteSilence(from)
		}
		return fmt.Errorf("%s does not answer: %w", hostOf(from), err)
	}
	request, err := http.NewRequestWithContext(watched, http.MethodGet, from, nil)
	if err != nil {
		return "", err
	}
	response, err := t.client.Do(request)
	switch failed := new(url.Error); {
	case errors.Is(err, errAstray):
		return "", fmt.Errorf("%s %w", from, errors.Unwrap(err))
	case errors.As(err, &failed): // which says once more who was asked
		return "", silent(failed.Err)
	case err != nil:
		return "", silent(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", from, response.Status)
	}
	sum, brought := sha256.New(), &counter{}
	go t.watch(watched, brought, giveUp)
	_, err = io.Copy(io.MultiWriter(to, sum, brought), response.Body)
	if slow := new(slowness); errors.As(context.Cause(watched), &slow) {
		return "", silent(slow)
	} else if err != nil {
		return "", fmt.Errorf("%s ends early: %w", from, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// counter counts the bytes that are written to it.
type counter struct{ atomic.Int64 }

func (c *counter) Write(some []byte) (int, error) {
	c.Add(int64(len(some)))
	return len(some), nil
}

// slowness is why a transfer was given up.
type slowness struct {
	bytes int64
	pace  time.Duration
}

func (s *slowness) Error() string { return fmt.Sprintf("%d bytes in %s are too slow", s.bytes, s.pace) }

// watch gives a transfer up that is too slow.
func (t *toolchain) watch(ctx context.Context, brought *counter, giveUp context.CancelCauseFunc) {
	tick := time.NewTicker(t.pace)
	defer tick.Stop()
	for before := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := brought.Load()
		if now-before < t.least {
			giveUp(&slowness{now - before, t.pace})
			return
		}
		before = now
	}
}

// noteSilence tells the runs after this one, and those beside it, that a host does not answer.
func (t *toolchain) noteSilence(at string) {
	_ = os.WriteFile(t.silence(at), []byte(time.Now().Format(time.RFC3339)), 0o644)
}

func (t *toolchain) isSilent(at string) bool {
	noted, err := os.ReadFile(t.silence(at))
	if err != nil {
		return false
	}
	since, err := time.Parse(time.RFC3339, string(noted))
	return err == nil && time.Since(since) < leftAlone
}

func (t *toolchain) silence(at string) string { return t.bin(".silent-" + hostOf(at)) }

func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	return parsed.Host
}

// unpack writes the program that a release is, or has in it.
func unpack(release string, p program, to string) error {
	if p.member == "" {
		return errors.Join(os.Rename(release, to), os.Chmod(to, 0o755))
	}
	packed, err := os.Open(release)
	if err != nil {
		return err
	}
	defer packed.Close()
	open := inTar
	if strings.HasSuffix(p.release, ".zip") {
		open = inZip
	}
	member, err := open(packed, p.member)
	if err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, member)
	return errors.Join(err, target.Close())
}

func inTar(packed *os.File, name string) (io.Reader, error) {
	plain, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", name, err)
		}
		if strings.TrimPrefix(header.Name, "./") == name {
			return archive, nil
		}
	}
}

func inZip(packed *os.File, name string) (io.Reader, error) {
	info, err := packed.Stat()
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(packed, info.Size())
	if err != nil {
		return nil, err
	}
	return archive.Open(name)
}
