package platform

// Objects with this tag are removed by the platform some time after they were written: a day on AWS, where a lifecycle
// rule does it.
const (
	ExpireTag     = "stereospot:expire"
	ExpireSegment = "segment" // the tag's value on converted segments
)
