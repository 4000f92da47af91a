package outage

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a DNS server that knows every name as one of 127.0.0.1, unless Answer said
// otherwise. Safe for concurrent use.
type Names struct {
	silent atomic.Bool

	mu      sync.Mutex
	answers map[string][]netip.Addr // by name; guarded by mu
	asked   map[string]int          // guarded by mu
}

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
	n := &Names{answers: map[string][]netip.Addr{}, asked: map[string]int{}}
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

// Answer has questions for a name answered by these addresses, one after the other; the
// last one stays. Only those of the kind asked for are answered.
func (n *Names) Answer(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addresses {
		n.answers[name+"."] = append(n.answers[name+"."], netip.MustParseAddr(a))
	}
}

// Asked is how often the addresses of a name were asked for.
func (n *Names) Asked(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[name+"."]
}

// next is the next address of a name. Programs ask for both kinds of addresses at
// once: a question for IPv6 where the next one is of IPv4 has no answer.
func (n *Names) next(name string, v6 bool) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list, known := n.answers[name]
	if !known {
		return netip.MustParseAddr("127.0.0.1"), !v6
	}
	if list[0].Is6() != v6 {
		return netip.Addr{}, false
	}
	n.asked[name]++
	if len(list) > 1 {
		n.answers[name] = list[1:]
	}
	return list[0], true
}

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
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeAAAA {
			m.Answers = n.resources(q)
		}
		if reply, err := m.Pack(); err == nil {
			_, _ = socket.WriteTo(reply, from)
		}
	}
}

// resources answer a question for addresses.
func (n *Names) resources(q dnsmessage.Question) []dnsmessage.Resource {
	address, ok := n.next(q.Name.String(), q.Type == dnsmessage.TypeAAAA)
	if !ok {
		return nil
	}
	var body dnsmessage.ResourceBody = &dnsmessage.AAAAResource{AAAA: address.As16()}
	if address.Is4() {
		body = &dnsmessage.AResource{A: address.As4()}
	}
	return []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: body,
	}}
}
