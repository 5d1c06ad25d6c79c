// Package esapi has what Jaeger names of Elasticsearch's API.
package esapi

import (
	"io"
	"net/http"
)

// Indices is reached through a client, and there is none.
type Indices struct {
	PutIndexTemplate func(name string, body io.Reader) (*http.Response, error)
}
