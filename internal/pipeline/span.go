package pipeline

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// step names what a message has done to a job: chunk, convert, complete, reassemble or tidy.
type step struct {
	name    string
	segment int // its index, or noSegment
}

const noSegment = -1

// perform does the task within a span of its own, and turns what it returned into what Handle promises. Waiting is no
// error of a span.
func (p *Pipeline) perform(ctx context.Context, t task) error {
	ctx, span := p.tracer().Start(ctx, t.step.name, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("job_id", t.jobID)))
	defer span.End()
	if t.step.segment != noSegment {
		span.SetAttributes(attribute.Int("segment_index", t.step.segment))
	}
	err := p.settleTask(ctx, t, t.do(ctx))
	if errors.As(err, new(*WaitError)) {
		span.SetAttributes(attribute.Bool("waits", true))
	} else if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

func (p *Pipeline) tracer() trace.Tracer {
	const name = "github.com/stereospot/stereospot/internal/pipeline"
	if p.Traces == nil {
		return noop.NewTracerProvider().Tracer(name)
	}
	return p.Traces.Tracer(name)
}
