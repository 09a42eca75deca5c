package main

import (
	"fmt"
	"strings"
	"time"
)

// age is a time in the one unit that says enough.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

// count is a number of things, of which more than one have an s.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// shortened is an image as people know it: of its digest no more than they compare.
func shortened(image string) string {
	name, digest, pinned := strings.Cut(image, "@sha256:")
	name = name[strings.LastIndex(name, "/")+1:]
	if pinned {
		const shown = 12
		return name + "@" + digest[:min(len(digest), shown)]
	}
	return name
}
