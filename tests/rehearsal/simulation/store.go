// Package simulation holds what the simulated cloud APIs have in common: state that survives a restart, and faults on
// demand.
package simulation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Store keeps the whole state of one simulated API in memory and, after each change, in one JSON file, so that a
// rehearsal can be stopped, looked at, changed by hand and resumed.
type Store[T any] struct {
	mu    sync.RWMutex
	path  string
	state T
}

// OpenStore reads the state from path; a file that does not exist yet is an empty state.
func OpenStore[T any](path string) (*Store[T], error) {
	s := &Store[T]{path: path}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading simulated state: %w", err)
	}
	if err := json.Unmarshal(content, &s.state); err != nil {
		return nil, fmt.Errorf("%s does not hold a simulated state (mend it or run `make clean`): %w", path, err)
	}
	return s, nil
}

// View calls f with the state, which f must neither change nor keep.
func (s *Store[T]) View(f func(*T)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(&s.state)
}

// Update calls f with the state and saves what f made of it. When f fails, its error is returned and nothing is saved,
// so f changes the state last, after all its checks.
func (s *Store[T]) Update(f func(*T) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := f(&s.state); err != nil {
		return err
	}
	return s.save()
}

// save replaces the file in one step: whoever reads it, or restarts after a crash, never sees half of it.
func (s *Store[T]) save() error {
	content, err := json.MarshalIndent(&s.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding simulated state: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("saving simulated state: %w", err)
	}
	next := s.path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("saving simulated state: %w", err)
	}
	if err := os.Rename(next, s.path); err != nil {
		return fmt.Errorf("saving simulated state: %w", err)
	}
	return nil
}
