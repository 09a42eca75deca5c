package edge

import (
	"errors"
	"io"
	"net/http"
)

// upgrade leads a WebSocket past everything else, which Fastly does for a service that has the product.
// Upstream: https://www.fastly.com/documentation/guides/concepts/real-time-messaging/websockets-tunnel/
func upgrade(v *visit) step {
	if !v.service.webSockets {
		return v.failWith("WebSockets are not enabled")
	}
	if v.service.isShield(v.BackendName()) {
		return v.failWith("WebSockets cannot be shielded")
	}
	asked := v.Request.Header.Get("Upgrade")
	v.requestAsItIs()
	v.BackendRequest.Header.Set("Connection", "Upgrade")
	v.BackendRequest.Header.Set("Upgrade", asked)
	response, err := v.send()
	if err != nil {
		return v.failWith(err.Error())
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		v.BackendResponse, v.stream = response, response.Body
		return handOut
	}
	v.result = &answer{Response: response, upgrade: func(w http.ResponseWriter) { join(w, response) }}
	return nil
}

// join has both sides talk to each other until one has had enough.
func join(w http.ResponseWriter, response *http.Response) {
	server, ok := response.Body.(io.ReadWriteCloser)
	if !ok {
		http.Error(w, "the backend's connection cannot be handed on", http.StatusBadGateway)
		return
	}
	defer server.Close()
	visitor, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has no such connections
		http.Error(w, "WebSockets need HTTP/1.1", http.StatusBadRequest)
		return
	}
	defer visitor.Close()
	response.Body = nil // only the beginning is written here
	if err := errors.Join(response.Write(buffered), buffered.Flush()); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	copyAll := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // its end is the end
		ended <- struct{}{}
	}
	go copyAll(server, buffered)
	go copyAll(visitor, server)
	<-ended
}
