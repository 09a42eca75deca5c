package check

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File returns what a file in the project's folder holds.
func File(folder, name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", errors.New("must be the path of a file in the project's folder")
	}
	content, err := os.ReadFile(filepath.Join(folder, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("there is no such file in the project's folder")
	case err != nil:
		return "", errors.Unwrap(err)
	case strings.TrimSpace(string(content)) == "":
		return "", errors.New("the file is empty")
	}
	return string(content), nil
}
