// Package depth estimates, for every frame of a clip, how near each point is.
//
// Every estimator has finite temporal support: the map of frame t depends only on frames
// t-Support() to t+Support(), and on nothing else. A clip with that many frames of lead-in and
// lead-out therefore gives the same maps as the whole film.
package depth

// Map is relative inverse depth at its own (low) resolution: D holds W×H values in [0, 1], row
// after row, 1 = nearest.
type Map struct {
	W, H int
	D    []float32
}

// Picture is a frame reduced to the estimator's resolution: three planes of W×H values in [0, 1].
// Y is luma with full range; Cb and Cr are centred on 0.5.
type Picture struct {
	W, H      int
	Y, Cb, Cr []float32
	// Number is the frame's in the film, so that what is done to every n-th frame falls on the same frames whatever
	// part of the film a clip is.
	Number int
	// Weights are those of the luma, by which Y, Cb and Cr become red, green and blue.
	Weights Weights
}

// Weights are the shares of red and blue in luma; the rest is green.
type Weights struct{ R, B float32 }

// Estimate is what an estimator says of one frame.
type Estimate struct {
	Map Map
	// Cut reports that this frame starts a new shot.
	Cut bool
}

// Sampling is how an estimator wants frames reduced to pictures.
type Sampling struct {
	W, H int
	// Cubic asks for cubic interpolation, as the networks were trained with, instead of the mean of areas.
	Cubic bool
}

// Estimator turns the pictures of one clip, pushed in display order, into one estimate each, in
// the same order. An Estimator serves one clip and one goroutine.
type Estimator interface {
	// Sampling returns the pictures that the estimator wants of frames of w×h pixels.
	Sampling(w, h int) Sampling
	// Support returns how many frames before and after a frame its map depends on.
	Support() int
	// Push adds the next picture, which the estimator may keep, and returns the estimates that became
	// final by it, in order: none while the look-ahead fills, usually one after that.
	Push(p *Picture) ([]Estimate, error)
	// Flush ends the clip and returns the remaining estimates.
	Flush() ([]Estimate, error)
}
