package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DeadLetter is a message that failed as often as it may.
type DeadLetter struct {
	Queue    string    `json:"queue"`
	ID       string    `json:"id"`
	Body     string    `json:"body"`
	Receives int       `json:"receives"`
	SentAt   time.Time `json:"sent_at"`
}

// DeadLetters lists the dead letters of every queue, oldest first.
func (c *Client) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	var answer struct {
		Letters []DeadLetter `json:"dead_letters"`
	}
	return answer.Letters, c.call(ctx, http.MethodGet, "/dead-letters", nil, &answer)
}

// Redrive moves a queue's dead letters back into it and returns how many. The server takes some at a time.
func (c *Client) Redrive(ctx context.Context, queue string) (total int, err error) {
	for {
		n, err := c.deadLetters(ctx, queue, "redrive")
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}

// Purge drops a queue's dead letters and returns how many.
func (c *Client) Purge(ctx context.Context, queue string) (int, error) {
	return c.deadLetters(ctx, queue, "purge")
}

func (c *Client) deadLetters(ctx context.Context, queue, action string) (int, error) {
	var answer struct {
		Count int `json:"count"`
	}
	err := c.call(ctx, http.MethodPost, "/queues/"+url.PathEscape(queue)+"/dead-letters/"+action, nil, &answer)
	return answer.Count, err
}
