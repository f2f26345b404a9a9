package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
	"github.com/stereospot/stereospot/internal/webhook"
)

// adminRoutes adds API tokens, the queues' dead letters, and what the server says of itself.
func (s *Server) adminRoutes() {
	op := s.operation
	handle(s, op(anyone, "list-tokens", http.MethodGet, "/tokens", "List your API tokens", http.StatusOK), s.listTokens)
	handle(s, op(anyone, "create-token", http.MethodPost, "/tokens", "Make an API token, which is shown this once", http.StatusCreated), s.createToken)
	handle(s, op(anyone, "remove-token", http.MethodDelete, "/tokens/{id}", "Remove an API token of yours", http.StatusNoContent), s.removeToken)
	handle(s, op(anyone, "show-system", http.MethodGet, "/system", "Show the server's version and room", http.StatusOK), s.showSystem)
	handle(s, op(adminsOnly, "list-dead-letters", http.MethodGet, "/dead-letters", "List messages that failed as often as they may", http.StatusOK), s.listDeadLetters)
	handle(s, op(adminsOnly, "redrive-dead-letters", http.MethodPost, "/queues/{queue}/dead-letters/redrive", "Send a queue's dead letters again", http.StatusOK), s.redrive)
	handle(s, op(adminsOnly, "purge-dead-letters", http.MethodPost, "/queues/{queue}/dead-letters/purge", "Drop a queue's dead letters", http.StatusOK), s.purge)
}

// Token is an API token as its owner sees it.
type Token struct {
	ID      string     `json:"id"`
	Owner   string     `json:"owner"`
	Name    string     `json:"name"`
	Admin   bool       `json:"admin" doc:"Whether it reaches everybody's jobs"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Secret  string     `json:"token,omitempty" doc:"The token itself; only in the answer that made it"`
}

func tokenView(t platform.Token) Token {
	return Token{ID: t.ID, Owner: t.Owner, Name: t.Name, Admin: t.Admin, Created: t.Created, Expires: timeOrNil(t.Expires)}
}

type tokensAnswer struct {
	Body struct {
		Tokens []Token `json:"tokens"`
	}
}

func (s *Server) listTokens(ctx context.Context, _ *struct{}) (*tokensAnswer, error) {
	p, _ := auth.From(ctx)
	list, err := s.Platform.Tokens.List(ctx, p.Scope())
	if err != nil {
		return nil, err
	}
	out := &tokensAnswer{}
	out.Body.Tokens = make([]Token, 0, len(list))
	for _, t := range list {
		out.Body.Tokens = append(out.Body.Tokens, tokenView(t))
	}
	return out, nil
}

// maxTokens bounds the tokens of one owner.
const maxTokens = 100

type tokenRequest struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"100" doc:"Where it will be used"`
		Days int    `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"How long it lasts; 0 or absent: until it is removed"`
	}
}

type tokenAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         Token
}

func (s *Server) createToken(ctx context.Context, in *tokenRequest) (*tokenAnswer, error) {
	t, secret, err := s.newToken(ctx, in.Body.Name, in.Body.Days)
	if err != nil {
		return nil, err
	}
	out := &tokenAnswer{CacheControl: "no-store", Body: tokenView(t)}
	out.Body.Secret = secret
	return out, nil
}

// newToken makes a token of the asking person's. days 0 is for ever.
func (s *Server) newToken(ctx context.Context, name string, days int) (t platform.Token, secret string, err error) {
	p, _ := auth.From(ctx)
	if name = strings.TrimSpace(name); name == "" {
		return t, "", huma.Error422UnprocessableEntity("give the token a name: where it will be used")
	}
	list, err := s.Platform.Tokens.List(ctx, p.Owner)
	if err != nil {
		return t, "", err
	}
	if len(list) >= maxTokens {
		return t, "", huma.Error409Conflict("you have as many tokens as one may have: remove some first")
	}
	now := s.Now()
	t = platform.Token{ID: job.NewID(now), Owner: p.Owner, Admin: p.Admin, Name: name, Created: now}
	if days > 0 {
		t.Expires = now.AddDate(0, 0, days)
	}
	secret, t.Hash = auth.NewToken()
	return t, secret, s.Platform.Tokens.Add(ctx, t)
}

type tokenPath struct {
	ID string `path:"id" doc:"The token's id"`
}

func (s *Server) removeToken(ctx context.Context, in *tokenPath) (*struct{}, error) {
	p, _ := auth.From(ctx)
	return nil, s.Platform.Tokens.Remove(ctx, p.Scope(), in.ID)
}

type systemAnswer struct {
	Body struct {
		Version     string    `json:"version"`
		Time        time.Time `json:"time" doc:"The server's clock"`
		FreeBytes   *int64    `json:"free_bytes,omitempty" doc:"Room for uploads; absent where it has no bound"`
		UploadBytes int64     `json:"upload_bytes" doc:"The largest film that is taken"`
		Owner       string    `json:"owner" doc:"Whose jobs you make"`
		Admin       bool      `json:"admin"`
		Webhooks    string    `json:"webhook_secret,omitempty" doc:"Signs webhooks; for admins"`
	}
}

func (s *Server) showSystem(ctx context.Context, _ *struct{}) (*systemAnswer, error) {
	p, _ := auth.From(ctx)
	out := &systemAnswer{}
	out.Body.Version, out.Body.Time, out.Body.UploadBytes = s.Version, s.Now(), s.Limits.UploadBytes
	out.Body.Owner, out.Body.Admin = p.Owner, p.Admin
	if s.FreeBytes != nil {
		free, err := s.FreeBytes()
		if err != nil {
			return nil, err
		}
		out.Body.FreeBytes = &free
	}
	if !p.Admin {
		return out, nil
	}
	var err error
	out.Body.Webhooks, err = webhook.Secret(ctx, s.Platform.Secrets)
	return out, err
}

// DeadLetter is a message that failed as often as it may.
type DeadLetter struct {
	Queue    platform.QueueName `json:"queue"`
	ID       string             `json:"id"`
	Body     string             `json:"body"`
	Receives int                `json:"receives"`
	SentAt   time.Time          `json:"sent_at"`
}

// deadAtOnce bounds the dead letters that are listed of one queue, or sent again.
const deadAtOnce = 1000

type lettersAnswer struct {
	Body struct {
		DeadLetters []DeadLetter `json:"dead_letters" doc:"By queue, oldest first; at most 1000 of each"`
	}
}

func (s *Server) listDeadLetters(ctx context.Context, _ *struct{}) (*lettersAnswer, error) {
	out := &lettersAnswer{}
	out.Body.DeadLetters = []DeadLetter{}
	for _, name := range platform.QueueNames() {
		letters := s.Platform.DeadLetters[name]
		if letters == nil {
			continue
		}
		list, err := letters.List(ctx, deadAtOnce)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			out.Body.DeadLetters = append(out.Body.DeadLetters, DeadLetter{name, m.ID, string(m.Body), m.Receive, m.Sent})
		}
	}
	return out, nil
}

type queuePath struct {
	Queue string `path:"queue" enum:"chunking,video-worker,segment-output,reassembly"`
}

type countAnswer struct {
	Body struct {
		Count int `json:"count"`
	}
}

func (s *Server) redrive(ctx context.Context, in *queuePath) (*countAnswer, error) {
	letters := s.Platform.DeadLetters[platform.QueueName(in.Queue)]
	if letters == nil {
		return nil, platform.ErrNotFound
	}
	n, err := letters.Redrive(ctx, deadAtOnce)
	return counted(n), err
}

func (s *Server) purge(ctx context.Context, in *queuePath) (*countAnswer, error) {
	letters := s.Platform.DeadLetters[platform.QueueName(in.Queue)]
	if letters == nil {
		return nil, platform.ErrNotFound
	}
	n, err := letters.Purge(ctx)
	return counted(n), err
}

func counted(n int) *countAnswer {
	out := &countAnswer{}
	out.Body.Count = n
	return out
}
