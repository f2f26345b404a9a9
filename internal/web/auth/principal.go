// Package auth says who asks: by a session cookie, by an API token, or by being on this machine.
package auth

import "context"

// LocalOwner owns the jobs of everybody who isn't told apart: people on this machine, and whoever knows the password.
const LocalOwner = "local"

// Principal is somebody who may use the server.
type Principal struct {
	Owner string // the owner of the jobs that they make; never empty
	Name  string // what to call them on a page
	Admin bool   // sees and changes everybody's jobs
}

// Sees reports whether p may know of something that belongs to owner.
func (p Principal) Sees(owner string) bool { return p.Admin || p.Owner != "" && p.Owner == owner }

// Scope returns the owner whose things p sees; empty means everybody's.
func (p Principal) Scope() string {
	if p.Admin {
		return ""
	}
	return p.Owner
}

type principalKey struct{}

// With returns a context that carries p.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the principal of a request's context, and whether there is one.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
