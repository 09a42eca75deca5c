//go:build linux

package live

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"golang.org/x/sys/unix"

	"lke-platform/tests/rehearsal/relay"
)

// Proxy implements kubernetes.Machines. The socket's name is in no folder, which would be too long, and stay after a SIGKILL.
func (m *Machines) Proxy() (socket string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proxy == nil {
		if m.proxy, err = net.Listen("unix", "@lke-platform-"+rand.Text()); err != nil {
			return "", fmt.Errorf("serving a way to the machines: %w", err)
		}
		go func() { _ = http.Serve(m.proxy, http.HandlerFunc(m.pass)) }()
	}
	return m.proxy.Addr().String(), nil
}

// pass connects who asks for it by CONNECT to a machine or a pod.
func (m *Machines) pass(w http.ResponseWriter, r *http.Request) {
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	if err := mayPass(from); err != nil || r.Method != http.MethodConnect {
		fmt.Fprint(from, "HTTP/1.1 403 Forbidden\r\n\r\n")
		return
	}
	to, err := m.network.dial(r.Context(), r.Host)
	if err != nil {
		fmt.Fprintf(from, "HTTP/1.1 502 Bad Gateway\r\n\r\n%s", err)
		return
	}
	fmt.Fprint(from, "HTTP/1.1 200 OK\r\n\r\n")
	relay.Join(from, to)
}

// mayPass refuses other users: kubelets do as anybody says who gets to them.
func mayPass(from net.Conn) error {
	socket, err := from.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var who *unix.Ucred
	var fault error
	err = socket.Control(func(descriptor uintptr) {
		who, fault = unix.GetsockoptUcred(int(descriptor), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, fault); err == nil && int(who.Uid) != os.Geteuid() {
		err = fmt.Errorf("user %d may not", who.Uid)
	}
	return err
}
