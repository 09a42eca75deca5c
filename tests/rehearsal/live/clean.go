//go:build linux

package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Clean removes what a live rehearsal left that was killed: control groups. All else ended with it. Those of one that runs stay.
func Clean() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	left := false
	for _, h := range all {
		_, err := os.Stat(filepath.Join(h.path, groupName))
		left = left || err == nil
	}
	if !left {
		return nil
	}
	alone, err := claim()
	if errors.Is(err, errAnother) {
		return nil
	}
	if err != nil {
		return err
	}
	err = errors.Join(removeGroups(), alone.Close())
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf(`a live rehearsal left something that takes root to remove: sudo env PATH="$PATH" make clean (%w)`, err)
	}
	return err
}
