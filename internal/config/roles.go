package config

import "errors"

// Serve is everything in one process.
type Serve struct {
	Listen
	Access
	Data
	Converting
	Decoding
	Inference
	Splitting
	Upkeep
	Models
	Catalog
	Pace
	Log
}

// Check returns every problem joined into one error, and fills in defaults that depend on the machine.
func (c *Serve) Check() error {
	err := all(Here, &c.Listen, &c.Access, &c.Data, &c.Converting, &c.Inference, &c.Splitting, &c.Upkeep, &c.Models, &c.Pace, &c.Log)
	if len(c.DepthModels) > 0 && !c.Inference.Elsewhere() {
		err = errors.Join(err, errors.New("--depth-models names the models of an inference service: that needs --inference-backend http"))
	}
	return err
}

// WebUI is the web server with the reconciler.
type WebUI struct {
	Listen
	Access
	Data
	Upkeep
	Models
	Catalog
	Pace
	Log
	AWS
	SegmentOutput
	Sessions
	Operator
	Prices
}

// Check is as Serve's.
func (c *WebUI) Check() error {
	return all(c.Platform, &c.Listen, &c.Access, &c.Data, &c.Upkeep, &c.Models, &c.Pace, &c.Log, &c.AWS, &c.SegmentOutput, &c.Sessions, &c.Operator, &c.Prices)
}

// MediaWorker splits films, records converted segments, and joins them.
type MediaWorker struct {
	Data
	Splitting
	Metrics
	Pace
	Log
	AWS
	SegmentOutput
	Prices
}

// Check is as Serve's.
func (c *MediaWorker) Check() error {
	return all(c.Platform, &c.Data, &c.Splitting, &c.Metrics, &c.Pace, &c.Log, &c.AWS, &c.SegmentOutput, &c.Prices)
}

// VideoWorker converts segments.
type VideoWorker struct {
	Data
	Converting
	Decoding
	Inference
	Models
	Metrics
	Pace
	Log
	AWS
	Prices
	InferencePrice
}

// Check is as Serve's.
func (c *VideoWorker) Check() error {
	return all(c.Platform, &c.Data, &c.Converting, &c.Inference, &c.Models, &c.Metrics, &c.Pace, &c.Log, &c.AWS, &c.Prices, &c.InferencePrice)
}
