package child

import "time"

// idleness says whether a child is asked for anything. The Host's mutex guards it, but for wanted.
type idleness struct {
	users  int           // calls that have the child
	since  time.Time     // when the last of them ended
	wanted chan struct{} // holds something while somebody waits for a child
}

func newIdleness() idleness { return idleness{wanted: make(chan struct{}, 1)} }

// begin counts from the start of a child, for which nobody needs to wait any more.
func (i *idleness) begin() {
	i.since = time.Now()
	select {
	case <-i.wanted:
	default:
	}
}

// want says that somebody waits for a child.
func (i *idleness) want() {
	select {
	case i.wanted <- struct{}{}:
	default: // it is said already
	}
}

// ends reports whether the child is ended when it is idle.
func (h *Host) ends() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Idle > 0 && len(h.Warm) == 0
}

// needed waits until there has to be a child. false: the Host is closed.
func (h *Host) needed() bool {
	if h.ends() {
		select {
		case <-h.idle.wanted:
		case <-h.ctx.Done():
		}
	}
	return h.ctx.Err() == nil
}

// enter returns the child, which isn't idle then, or what is closed when there is another, and why there is none.
func (h *Host) enter() (p *process, changed <-chan struct{}, trouble error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.child == nil || h.child.isDead() {
		h.idle.want()
		return nil, h.changed, h.trouble
	}
	h.idle.users++
	return h.child, nil, nil
}

// leave ends the use that enter began.
func (h *Host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle.users--
	h.idle.since = time.Now()
}

// lend lends the child until it is dead or, where such a one is ended, idle: then nobody has it any more.
func (h *Host) lend(p *process) (idle bool) {
	if !h.ends() {
		<-p.dead
		return false
	}
	for left := h.Idle; left > 0; left = h.retire() {
		timer := time.NewTimer(left)
		select {
		case <-p.dead:
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
	return !p.isDead()
}

// retire takes an idle child back, else returns after which time it may be idle.
func (h *Host) retire() (left time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.idle.users > 0 {
		return h.Idle
	}
	if left = h.Idle - time.Since(h.idle.since); left <= 0 {
		h.set(nil, h.depth, nil)
	}
	return left
}
