package linode

import (
	"strconv"
)

// collection serves the objects of one kind: the list, in pages and filtered, and each object by its ID. What has no
// function cannot be done.
type collection[T any] struct {
	path   string                   // of the list, such as /lke/clusters
	items  func(*call) ([]T, error) // the objects at path, in the order of the list
	id     func(T) string           // as in the path of an object
	show   func(*call, T) any       // what clients see of an object; the object itself when nil
	create func(*call) (any, error) // POST to the list; gives the answer
	update func(*call, T) error     // PUT to an object, which is then shown
	delete func(*call, T) error     // DELETE of an object
}

// empty is the answer to a deletion or an action.
type empty struct{}

func (col collection[T]) routes() routes {
	member := col.path + "/{id}"
	r := routes{
		"GET " + col.path: col.list,
		"GET " + member:   col.on(func(c *call, item T) (any, error) { return col.view(c, item), nil }),
	}
	if col.create != nil {
		r["POST "+col.path] = col.create
	}
	if col.update != nil {
		r["PUT "+member] = col.on(func(c *call, item T) (any, error) {
			err := col.update(c, item)
			return col.view(c, item), err
		})
	}
	if col.delete != nil {
		r["DELETE "+member] = col.action(col.delete)
	}
	return r
}

// on makes a handler of what is done with the object whose ID is in the path.
func (col collection[T]) on(do func(*call, T) (any, error)) handler {
	return func(c *call) (any, error) {
		items, err := col.items(c)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if col.id(item) == c.PathValue("id") {
				return do(c, item)
			}
		}
		return nil, errNotFound
	}
}

// action is on for what gives no answer.
func (col collection[T]) action(do func(*call, T) error) handler {
	return col.on(func(c *call, item T) (any, error) { return empty{}, do(c, item) })
}

// through finds the object that the path leads through, such as {domain}. With an error it is an empty one.
func through[T any](c *call, name string, items []*T, id func(*T) int) (*T, error) {
	number, _ := strconv.Atoi(c.PathValue(name)) // nothing has ID 0
	if found := find(items, func(item *T) bool { return id(item) == number }); found != nil {
		return found, nil
	}
	return new(T), errNotFound
}

func (col collection[T]) view(c *call, item T) any {
	if col.show == nil {
		return item
	}
	return col.show(c, item)
}

func (col collection[T]) list(c *call) (any, error) {
	items, err := col.items(c)
	if err != nil {
		return nil, err
	}
	shown := make([]any, len(items))
	for i, item := range items {
		shown[i] = col.view(c, item)
	}
	return paginate(c, shown)
}

// page is one page of a list: https://techdocs.akamai.com/linode-api/reference/pagination
type page struct {
	Data    []any `json:"data"`
	Page    int   `json:"page"`
	Pages   int   `json:"pages"`
	Results int   `json:"results"`
}

// paginate gives the page that the call asks for of those items that match its filter. A page past the last is empty.
func paginate(c *call, items []any) (any, error) {
	var check checks
	number, size := c.number("page", 1), c.number("page_size", 100)
	check.that(number >= 1, "page", "Must be a positive number")
	check.that(size >= 25 && size <= 500, "page_size", "Must be 25-500")
	if err := check.err(); err != nil {
		return nil, err
	}
	items, err := filtered(items, c.Header.Get("X-Filter"))
	if err != nil {
		return nil, err
	}
	from, to := min((number-1)*size, len(items)), min(number*size, len(items))
	return page{items[from:to], number, max(1, (len(items)+size-1)/size), len(items)}, nil
}

// number is a number of the query, absent when it is not there and 0 when it is no number.
func (c *call) number(name string, absent int) int {
	if !c.URL.Query().Has(name) {
		return absent
	}
	number, err := strconv.Atoi(c.URL.Query().Get(name))
	if err != nil {
		return 0
	}
	return number
}
