package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Token is an API token as the server that made it shows it, this once.
type Token struct {
	ID     string `json:"id"`
	Secret string `json:"token"`
}

// SignIn opens a server by its password and has it make an API token of the given name that lasts a day: what a Client
// works with. The caller removes it.
func (c *Client) SignIn(ctx context.Context, password, name string) (t Token, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errSilent)
	defer cancel()
	cookies, err := c.session(ctx, password)
	if err != nil {
		return t, err
	}
	body, err := encode(map[string]any{"name": name, "days": 1})
	if err != nil {
		return t, err
	}
	req, err := c.request(ctx, http.MethodPost, "/tokens", body)
	if err != nil {
		return t, err
	}
	for _, cookie := range cookies {
		req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	resp, err := c.send(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// session signs in as a browser does and returns the session's cookies.
func (c *Client) session(ctx context.Context, password string) ([]*http.Cookie, error) {
	form := url.Values{"password": {password}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+"/login", strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	once := &http.Client{Transport: c.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := once.Do(req)
	if err != nil {
		return nil, &unreachableError{server: c.base.String(), err: err}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, errors.New("the password is not this server's")
	case resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) == 0:
		return nil, fmt.Errorf("%s answers %s to a password", c.base.Host, resp.Status)
	}
	return resp.Cookies(), nil
}

// RemoveToken makes a token useless. It may be the one that the client works with.
func (c *Client) RemoveToken(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil, nil)
}
