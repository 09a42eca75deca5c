// Package archive knows how charts lie beside the stack. It needs nothing but the standard library, so that `make charts` is
// built in a moment.
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Folder is where the archives are, seen from the top of the repository. Pulumi runs the program and the plugins there, so that
// the same path is right on every machine, and no move of the repository changes a release.
const Folder = ".charts"

// Path is the path of a chart's archive. The chart may be named by a reference to an OCI registry. Helm takes what begins with a
// dot for a path, and for nothing else: it asks no repository where the file is missing.
func Path(chart, version string) string {
	return filepath.Join(Folder, path.Base(chart)+"-"+version+".tgz")
}

// Digest returns the SHA-256 of a file in hexadecimal, as repositories list it.
func Digest(file string) (string, error) {
	content, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer content.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
