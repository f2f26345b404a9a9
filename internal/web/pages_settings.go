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
	Secret string // a token just made; shown once
	Queues []queueLine
	Facts  []fact
}

// queueLine is how one queue stands.
type queueLine struct {
	Name                    platform.QueueName
	Waiting, InFlight, Dead int
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) error {
	return s.showSettings(w, r, "")
}

// showSettings writes the page, with a token that has just been made.
func (s *Server) showSettings(w http.ResponseWriter, r *http.Request, secret string) error {
	who, _ := auth.From(r.Context())
	v := settingsView{Secret: secret, Facts: []fact{{"Version", s.Version}, {"Runs on", runtime.GOOS + "/" + runtime.GOARCH}}}
	if n, known := s.free(); known {
		v.Facts = append(v.Facts, fact{"Free space", byteWords(n)})
	}
	var err error
	if v.Tokens, err = s.Platform.Tokens.List(r.Context(), who.Owner); err != nil {
		return err
	}
	if who.Admin {
		if v.Queues, err = s.queueLines(r.Context()); err != nil {
			return err
		}
	}
	return s.show(w, r, http.StatusOK, "settings", shell{Title: "Settings", Nav: "settings", Body: v})
}

// makeToken makes an API token and shows it this once.
func (s *Server) makeToken(w http.ResponseWriter, r *http.Request) error {
	_, secret, err := s.newToken(r.Context(), r.FormValue("name"), 0)
	if err != nil {
		return err
	}
	return s.showSettings(w, r, secret)
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.removeToken(r.Context(), &tokenPath{ID: r.PathValue("id")}); err != nil {
		return err
	}
	http.Redirect(w, r, "/settings", http.StatusSeeOther)
	return nil
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
		dead, err := letters.List(ctx, deadAtOnce)
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
	queue := &queuePath{Queue: r.PathValue("queue")}
	var err error
	switch r.PathValue("action") {
	case "redrive":
		_, err = s.redrive(r.Context(), queue)
	case "purge":
		_, err = s.purge(r.Context(), queue)
	default:
		err = platform.ErrNotFound
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/settings", http.StatusSeeOther)
	return nil
}
