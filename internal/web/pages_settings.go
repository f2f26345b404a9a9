package web

import (
	"context"
	"net/http"
	"runtime"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
)

// settingsView is the settings' page. Queues are for admins.
type settingsView struct {
	Tokens []platform.Token
	Queues []queueLine
	Facts  []fact
}

// queueLine is how one queue stands.
type queueLine struct {
	Name                    platform.QueueName
	Waiting, InFlight, Dead int
}

// deadShown bounds how many dead letters are counted.
const deadShown = 1000

func (s *Server) settings(w http.ResponseWriter, r *http.Request) error {
	who, _ := auth.From(r.Context())
	v := settingsView{Facts: []fact{{"Version", s.Version}, {"Runs on", runtime.GOOS + "/" + runtime.GOARCH}}}
	if n, known := s.free(); known {
		v.Facts = append(v.Facts, fact{"Free space", byteWords(n)})
	}
	var err error
	if v.Tokens, err = s.ownTokens(r.Context(), who); err != nil {
		return err
	}
	if who.Admin {
		if v.Queues, err = s.queueLines(r.Context()); err != nil {
			return err
		}
	}
	return s.show(w, r, http.StatusOK, "settings", shell{Title: "Settings", Nav: "settings", Body: v})
}

func (s *Server) ownTokens(ctx context.Context, who auth.Principal) ([]platform.Token, error) {
	if s.Platform.Tokens == nil {
		return nil, nil
	}
	return s.Platform.Tokens.List(ctx, who.Owner)
}

func (s *Server) queueLines(ctx context.Context) ([]queueLine, error) {
	var lines []queueLine
	for _, name := range platform.QueueNames() {
		queue, letters := s.Platform.Queues[name], s.Platform.DeadLetters[name]
		if queue == nil || letters == nil {
			continue
		}
		depth, err := queue.Depth(ctx)
		if err != nil {
			return nil, err
		}
		dead, err := letters.List(ctx, deadShown)
		if err != nil {
			return nil, err
		}
		lines = append(lines, queueLine{name, depth.Visible + depth.Delayed, depth.InFlight, len(dead)})
	}
	return lines, nil
}

// deadLetterAction sends a queue's dead letters back, or drops them.
func (s *Server) deadLetterAction(w http.ResponseWriter, r *http.Request) error {
	if who, _ := auth.From(r.Context()); !who.Admin {
		return huma.Error403Forbidden("only an administrator may do this: sign in as one")
	}
	letters := s.Platform.DeadLetters[platform.QueueName(r.PathValue("queue"))]
	if letters == nil {
		return platform.ErrNotFound
	}
	var err error
	switch r.PathValue("action") {
	case "redrive":
		_, err = letters.Redrive(r.Context(), deadShown)
	case "purge":
		_, err = letters.Purge(r.Context())
	default:
		err = platform.ErrNotFound
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/settings", http.StatusSeeOther)
	return nil
}
