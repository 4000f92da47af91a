package outage

import (
	"net"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a DNS server that knows every name as one of 127.0.0.1.
type Names struct{ silent atomic.Bool }

// ServeNames runs one at 127.0.0.1 of a namespace until the end of the test.
func ServeNames(t testing.TB, in *Namespace) *Names {
	t.Helper()
	var socket net.PacketConn
	err := in.do(func() (err error) {
		socket, err = net.ListenPacket("udp4", "127.0.0.1:53")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &Names{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.serve(socket)
	}()
	t.Cleanup(func() {
		socket.Close()
		<-ended
	})
	return n
}

// Silence has no question answered, until Speak.
func (n *Names) Silence() { n.silent.Store(true) }

// Speak ends Silence.
func (n *Names) Speak() { n.silent.Store(false) }

func (n *Names) serve(socket net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		size, from, err := socket.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if n.silent.Load() || m.Unpack(buf[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		if reply, err := m.Pack(); err == nil {
			_, _ = socket.WriteTo(reply, from)
		}
	}
}
