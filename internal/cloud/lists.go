package cloud

import (
	"context"
	"fmt"
)

// PageSize is how much a page of a list holds.
const PageSize = 100

// Pages asks Fastly for pages until one is not full.
func Pages(ask func(page int) (count int, err error)) error {
	for page := 1; ; page++ {
		if count, err := ask(page); err != nil || count < PageSize {
			return err
		}
	}
}

// getter asks Linode.
type getter interface {
	Get(ctx context.Context, path string, answer any) error
}

// Listed are all items of a list of Linode's.
func Listed[T any](ctx context.Context, linode getter, path string) (all []T, err error) {
	for page, last := 1, 1; page <= last && err == nil; page++ {
		var answer struct {
			Data  []T `json:"data"`
			Pages int `json:"pages"`
		}
		err = linode.Get(ctx, fmt.Sprintf("%s?page_size=%d&page=%d", path, PageSize, page), &answer)
		all, last = append(all, answer.Data...), answer.Pages
	}
	return all, err
}
