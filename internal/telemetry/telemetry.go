// Package telemetry sends traces where the standard environment variables of OpenTelemetry say, and nowhere without them
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
package telemetry

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	api "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Traces makes spans, and sends them until it is closed.
type Traces struct {
	api.TracerProvider
	provider *trace.TracerProvider // nil when off
}

// Start returns Traces as the environment says; the exporter reads its address and headers there too. OTLP over HTTP is
// the one way out. Without an address, with OTEL_TRACES_EXPORTER=none or OTEL_SDK_DISABLED=true, spans cost nothing.
func Start(ctx context.Context, version string) (*Traces, error) {
	on, err := wanted(os.Getenv)
	if err != nil {
		return nil, err
	}
	if !on {
		return &Traces{TracerProvider: noop.NewTracerProvider()}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("can't send traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("stereospot"), semconv.ServiceVersion(version)),
		resource.WithHost(), resource.WithProcessPID(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	p := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	return &Traces{TracerProvider: p, provider: p}, nil
}

// wanted reports whether the environment asks for traces.
func wanted(getenv func(string) string) (bool, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch exporter := getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return false, nil
	case "otlp":
		return true, nil
	case "":
		return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "", nil
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %.40q: use otlp or none", exporter)
	}
}

// Close sends what is left, as far as ctx allows.
func (t *Traces) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
